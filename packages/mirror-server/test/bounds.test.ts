import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { ByteBudget } from '../src/bounds/byte-budget.js'
import { Gate } from '../src/bounds/gate.js'

test('a gate runs no more than it has places for, all in order, also past failures', async () => {
  const gate = new Gate(2)
  const begun: number[] = []
  let running = 0
  let most = 0
  const outcomes = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) =>
      gate.run(async () => {
        begun.push(index)
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => setImmediate(resolve))
        running -= 1
        if (index % 3 === 0) throw new Error('failed')
      }),
    ),
  )
  expect(most).toBe(2)
  expect(begun).toEqual(Array.from({ length: 20 }, (_, index) => index))
  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(7)
})

test('a budget refuses what has no room, and gets its bytes back however an answer ends', async () => {
  const budget = new ByteBudget(100)
  const finished = new PassThrough()
  const destroyed = new PassThrough()
  budget.hold(60, finished)
  budget.hold(40, destroyed)
  expect(() => budget.hold(1, new PassThrough())).toThrow(expect.objectContaining({ code: 'MYNAH_BUSY' }))
  finished.resume().end()
  destroyed.destroy()
  await new Promise((resolve) => setImmediate(resolve))
  expect(budget.held).toBe(0)
})

test('what is larger than the whole budget is let in alone', () => {
  const budget = new ByteBudget(100)
  budget.hold(500, new PassThrough())
  expect(budget.held).toBe(500)
  expect(() => budget.hold(1, new PassThrough())).toThrow(expect.objectContaining({ code: 'MYNAH_BUSY' }))
})
