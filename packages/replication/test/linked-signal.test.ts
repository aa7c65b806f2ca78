import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { linkedSignal } from '../src/timing/linked-signal.js'

test('a linked signal is aborted with the first of those that it follows', () => {
  const [first, second] = [new AbortController(), new AbortController()]
  const { signal } = linkedSignal(first.signal, undefined, second.signal)
  const reason = new Error('enough')
  second.abort(reason)
  first.abort(new Error('later'))
  expect(signal.reason).toBe(reason)
  expect(linkedSignal(new AbortController().signal, second.signal).signal.reason).toBe(reason)
})

test('let go, it leaves nothing behind, and follows no more', () => {
  const followed = [new AbortController(), new AbortController()]
  const { signal, release } = linkedSignal(...followed.map((one) => one.signal))
  expect(followed.map((one) => getEventListeners(one.signal, 'abort').length)).toEqual([1, 1])
  release()
  expect(followed.map((one) => getEventListeners(one.signal, 'abort').length)).toEqual([0, 0])
  for (const one of followed) one.abort()
  expect(signal.aborted).toBe(false)
})
