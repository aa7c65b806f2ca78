import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Allowance } from '../src/client/allowance.js'
import { ManualEnv, rounds } from './manual-env.js'

const HOUR_MS = 3_600_000

test('no hour has more than its bytes, however they are asked for', async () => {
  const requests = fc.array(
    fc.record({ bytes: fc.integer({ min: 1, max: 3_000 }), pauseMs: fc.integer({ min: 0, max: 1_000_000 }) }),
    { minLength: 1, maxLength: 40 },
  )
  await fc.assert(
    fc.asyncProperty(requests, async (asked) => {
      const env = new ManualEnv()
      const allowance = new Allowance(env, 10_000, () => {})
      const went: { readonly atMs: number; readonly bytes: number }[] = []
      const { signal } = new AbortController()
      for (const { bytes, pauseMs } of asked) {
        void allowance.wait(bytes, signal).then(() => went.push({ atMs: env.monotonicMs(), bytes }))
        await env.advance(pauseMs)
      }
      while (went.length < asked.length) await env.advance(60_000)
      for (const [first, { atMs }] of went.entries()) {
        const hour = went.slice(first).filter((one) => one.atMs - atMs < HOUR_MS)
        // The last one may be longer than what may go at once.
        const [last, ...before] = hour.toReversed()
        expect(before.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(10_001)
        expect(last!.bytes).toBeLessThanOrEqual(3_000)
      }
      expect(env.timers).toBe(0)
    }),
    { numRuns: 50 },
  )
})

test('it is used up, over a long time', async () => {
  const env = new ManualEnv()
  const allowance = new Allowance(env, 10_000, () => {})
  const { signal } = new AbortController()
  let went = 0
  void (async () => {
    for (;;) {
      await allowance.wait(500, signal)
      went += 500
    }
  })()
  for (let minute = 0; minute < 600; minute++) await env.advance(60_000)
  expect(went).toBeGreaterThan(0.89 * 100_000)
  expect(went).toBeLessThanOrEqual(91_000)
})

test('what does not wait leaves a debt of an hour at most; who gives up waiting takes nothing', async () => {
  const env = new ManualEnv()
  let told = 0
  const allowance = new Allowance(env, 10_000, () => {
    told += 1
  })
  expect(allowance.waitsMs).toBeUndefined()
  allowance.take(1_000_000)
  const gone = new AbortController()
  const first = allowance.wait(900, gone.signal)
  await rounds(1)
  expect(told).toBe(1)
  expect(allowance.waitsMs).toBeGreaterThan(HOUR_MS)
  expect(allowance.waitsMs).toBeLessThanOrEqual(1.3 * HOUR_MS)
  const second = allowance.wait(900, new AbortController().signal)
  gone.abort(new Error('enough'))
  await expect(first).rejects.toThrow('enough')
  let over = false
  void second.then(() => {
    over = true
  })
  await env.advance(HOUR_MS)
  expect(over).toBe(false)
  await env.advance(0.3 * HOUR_MS)
  expect(over).toBe(true)
  expect(allowance.waitsMs).toBeUndefined()
  expect(env.timers).toBe(0)
})
