import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { nextTick, startTicks } from '../src/ticks.js'

const start = Date.UTC(2026, 10, 21, 0, 0, 0, 300)

beforeEach(() => {
  vi.useFakeTimers({ now: start })
})
afterEach(() => {
  vi.useRealTimers()
})

function fail(error: unknown): never {
  throw error
}

test('the next tick is a whole multiple of the interval, after now and after the last one', () => {
  expect(nextTick(1_000, 0, 1_000)).toBe(2_000)
  expect(nextTick(1_999, 0, 1_000)).toBe(2_000)
  expect(nextTick(1_999, 2_000, 1_000)).toBe(3_000)
})

test('it ticks at full seconds', async () => {
  const seen: string[] = []
  const ticks = startTicks(1_000, async (at) => void seen.push(at.toISOString()), fail)
  await vi.advanceTimersByTimeAsync(2_800)
  expect(seen).toEqual(['2026-11-21T00:00:01.000Z', '2026-11-21T00:00:02.000Z', '2026-11-21T00:00:03.000Z'])
  expect(ticks.skipped()).toBe(0)
  await ticks.stop()
})

test('a tick that comes while the one before is at work is skipped, not queued', async () => {
  let done = (): void => {}
  let begun = 0
  const ticks = startTicks(
    1_000,
    () => {
      begun += 1
      return new Promise((resolve) => {
        done = resolve
      })
    },
    fail,
  )
  await vi.advanceTimersByTimeAsync(3_000)
  expect([begun, ticks.skipped()]).toEqual([1, 2])
  done()
  await vi.advanceTimersByTimeAsync(1_000)
  expect([begun, ticks.skipped()]).toEqual([2, 2])
  done()
  await ticks.stop()
})

test('after a sleep one sample is taken and the others are counted as skipped', async () => {
  const seen: number[] = []
  const ticks = startTicks(1_000, async (at) => void seen.push(at.getTime()), fail)
  vi.setSystemTime(start + 60_000)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(seen).toHaveLength(1)
  expect(seen[0]).toBe(Date.UTC(2026, 10, 21, 0, 1, 1))
  expect(ticks.skipped()).toBe(60)
  await ticks.stop()
})

test('a clock that is set back by an hour does not stop it for an hour', async () => {
  const seen: number[] = []
  const ticks = startTicks(1_000, async (at) => void seen.push(at.getTime()), fail)
  await vi.advanceTimersByTimeAsync(1_000)
  vi.setSystemTime(start - 3_600_000)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(seen.length).toBeGreaterThanOrEqual(3)
  await ticks.stop()
})

test('a failure is reported and the next tick comes', async () => {
  const errors: unknown[] = []
  let calls = 0
  const ticks = startTicks(
    1_000,
    async () => {
      calls += 1
      throw new Error('disk full')
    },
    (error) => errors.push(error),
  )
  await vi.advanceTimersByTimeAsync(2_000)
  expect([calls, errors.length]).toEqual([2, 2])
  await ticks.stop()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(calls).toBe(2)
})
