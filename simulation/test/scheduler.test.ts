import { expect, test } from 'vitest'
import { Scheduler } from '../src/scheduler.js'
import { Trace } from '../src/trace.js'

test('events run in order of their time, then of their planning, each with all that follows at once', async () => {
  const scheduler = new Scheduler(new Trace())
  const seen: string[] = []
  const note = (text: string) => () => void seen.push(`${scheduler.nowMs} ${text}`)
  scheduler.after(5, 'b', note('b'))
  scheduler.after(5, 'c', note('c'))
  scheduler.after(9, 'cancelled', note('cancelled'))()
  scheduler.after(1, 'a', async () => {
    seen.push('a')
    void Promise.resolve().then(() => seen.push('after a'))
    scheduler.after(0, 'at once', note('at once'))
  })
  await scheduler.until(scheduler.sleep(20, 'end'))
  expect(seen).toEqual(['a', 'after a', '1 at once', '5 b', '5 c'])
  expect(scheduler.nowMs).toBe(20)
})

test('time stops at the limit, and goes on from there', async () => {
  const scheduler = new Scheduler(new Trace())
  const sleeping = scheduler.sleep(100, 'sleep')
  expect(await scheduler.until(sleeping, 40)).toBe(false)
  expect(scheduler.nowMs).toBe(40)
  expect(await scheduler.until(sleeping, 70)).toBe(true)
  expect(scheduler.nowMs).toBe(100)
})

test('a work that waits for nothing is an error rather than a hang', async () => {
  const scheduler = new Scheduler(new Trace())
  await expect(scheduler.until(new Promise(() => undefined))).rejects.toThrow('nothing is left')
})
