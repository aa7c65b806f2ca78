import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { networkOf } from '../src/access/client.js'
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
  budget.hold(50, 'a', finished)
  budget.hold(50, 'b', destroyed)
  expect(() => budget.hold(1, 'c', new PassThrough())).toThrow(
    expect.objectContaining({ code: 'MYNAH_BUSY' }),
  )
  finished.resume().end()
  destroyed.destroy()
  await new Promise((resolve) => setImmediate(resolve))
  expect(budget.held).toBe(0)
})

test('what is larger than the whole budget is let in alone', () => {
  const budget = new ByteBudget(100)
  budget.hold(500, 'a', new PassThrough())
  expect(budget.held).toBe(500)
  expect(() => budget.hold(1, 'b', new PassThrough())).toThrow(
    expect.objectContaining({ code: 'MYNAH_BUSY' }),
  )
})

test('who takes all that he gets leaves room for the next, and so do all of them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 50 }), (clients, bytes) => {
      const budget = new ByteBudget(100_000)
      const releases: (() => void)[] = []
      for (let refused = 0; refused < clients; ) {
        refused = 0
        for (let client = 0; client < clients; client++) {
          try {
            releases.push(budget.take(bytes, `${client}`))
          } catch {
            refused += 1
          }
        }
      }
      expect(budget.bytes - budget.held).toBeGreaterThan(100_000 / (clients + 1) - bytes)
      releases.push(budget.take(bytes, 'next'))
      for (const release of releases) release()
      expect(budget.held).toBe(0)
      budget.take(100_000, '0')
    }),
  )
})

test('one of IPv6 is who has the network, however the address is written', () => {
  expect(networkOf('192.0.2.1')).toBe('192.0.2.1')
  expect(networkOf('::ffff:192.0.2.1')).toBe('192.0.2.1')
  for (const [a, b] of [
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff'],
    ['2001:0db8:0001:0002::', '2001:DB8:1:2::5'],
    ['::1', '0:0:0:0:0:0:0:2'],
    ['fe80::1%eth0', 'fe80:0:0:0:8::'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0:0:0:0:1'],
  ] as const)
    expect(networkOf(a)).toBe(networkOf(b))
  expect(networkOf('2001:db8:1:2::1')).not.toBe(networkOf('2001:db8:1:3::1'))
  expect(networkOf('1::2:0:0:0:0')).toBe('1:0:0:2::/64')
})
