import { expect, test } from 'vitest'
import { Mirror } from '../src/mirror/mirror.js'
import { ManualEnv } from './manual-env.js'
import { address } from './memory-mirror.js'

test('an older position that arrives late does not hide a newer one, whichever incarnations they name', () => {
  const mirror = new Mirror(new ManualEnv(), { address: address() })
  const [a, b] = ['a'.repeat(32), 'b'.repeat(32)]
  mirror.tell({ incarnation: b, seq: 12 })
  // A page that was read before the mirror's first write since it was opened.
  mirror.tell({ incarnation: a, seq: 11 })
  expect(mirror.behind()).toBe(12)
  mirror.tell({ incarnation: b, seq: 13 })
  expect(mirror.behind()).toBe(13)
})
