import { expect, test } from 'vitest'
import { fuzz } from '../src/fuzz/fuzz.js'

/** Other choices in each run; a failure tells them. */
const seed = Date.now() % 2 ** 32

test('spoilt requests get documented answers, and the mirror goes on', { timeout: 120_000 }, async () => {
  const { faults, statuses } = await fuzz({ seed, requests: 500 })
  expect(faults, `seed ${seed}`).toEqual([])
  // Else it was not tried: some must get through, and some must be refused.
  for (const status of ['200', '400', '404', '405', '415'])
    expect([status, statuses[status] ?? 0]).toEqual([status, expect.any(Number)])
  expect(Object.keys(statuses).length, JSON.stringify(statuses)).toBeGreaterThan(6)
})
