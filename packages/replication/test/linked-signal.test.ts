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

test('however many calls follow a signal, it has one listener, and none when all are let go', () => {
  const outer = new AbortController()
  const links = Array.from({ length: 50 }, () => linkedSignal(outer.signal))
  expect(getEventListeners(outer.signal, 'abort')).toHaveLength(1)
  for (const { release } of links.slice(1)) release()
  links[1]!.release()
  expect(getEventListeners(outer.signal, 'abort')).toHaveLength(1)
  links[0]!.release()
  expect(getEventListeners(outer.signal, 'abort')).toHaveLength(0)
  const [one, other] = [linkedSignal(outer.signal), linkedSignal(outer.signal)]
  other.release()
  const reason = new Error('over')
  outer.abort(reason)
  expect([one.signal.reason, other.signal.aborted]).toEqual([reason, false])
})
