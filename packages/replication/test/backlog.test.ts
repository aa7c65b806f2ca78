import { expect, test } from 'vitest'
import { Backlog } from '../src/mirror/backlog.js'

const incarnation = '0'.repeat(32)

test('what pulls took is not ahead, and what is kept of it is bounded', () => {
  const backlog = new Backlog()
  const pull = (before: number, last: number) =>
    backlog.pulled({ outcomes: [], before, position: { incarnation, seq: last } })
  pull(1, 3)
  pull(3, 5)
  expect(backlog.ahead(0, 6)).toBe(2)
  backlog.forget(5)
  expect(backlog.ahead(5, 6)).toBe(1)
  for (let seq = 10; seq < 100_010; seq += 10) pull(seq, seq + 1)
  expect(backlog.ahead(90_010, 100_010)).toBe(9_000)
  expect(backlog.ahead(0, 100_010)).toBe(99_010)
})
