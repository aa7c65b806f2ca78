import { expect, test } from 'vitest'
import { Backoff } from '../src/timing/backoff.js'
import { ManualEnv } from './manual-env.js'

const PEERS = 1_000

/** How many of a thousand peers come back in the fullest second after an outage that ended all their live sessions at once. */
function fullestSecond(outageMs: number): number {
  const seconds = new Map<number, number>()
  for (let peer = 0; peer < PEERS; peer++) {
    const backoff = new Backoff(new ManualEnv(peer))
    backoff.spread()
    let atMs = 0
    do atMs += backoff.fail()
    while (atMs < outageMs)
    const second = Math.floor((atMs - outageMs) / 1_000)
    seconds.set(second, (seconds.get(second) ?? 0) + 1)
  }
  return Math.max(...seconds.values())
}

test('a thousand peers of a mirror that returns do not come back in the same second', () => {
  // A restart is met by a part of them too.
  for (const outageMs of [0, 250, 500, 1_000, 2_000, 3_000])
    expect(fullestSecond(outageMs)).toBeLessThan(0.5 * PEERS)
  // The longer it was away, the wider they are spread: up to 16 s.
  expect(fullestSecond(10_000)).toBeLessThan(0.25 * PEERS)
  expect(fullestSecond(60_000)).toBeLessThan(0.1 * PEERS)
  expect(fullestSecond(3_600_000)).toBeLessThan(0.1 * PEERS)
})

test('nor do a thousand who have all failed at the same moment', () => {
  const buckets = new Map<number, number>()
  for (let peer = 0; peer < PEERS; peer++) {
    const backoff = new Backoff(new ManualEnv(peer))
    for (let failure = 0; failure < 7; failure++) backoff.fail()
    const second = Math.floor(backoff.fail() / 1_000)
    buckets.set(second, (buckets.get(second) ?? 0) + 1)
  }
  expect([...buckets.keys()].sort((a, b) => a - b)).toEqual([8, 9, 10, 11, 12, 13, 14, 15])
  expect(Math.max(...buckets.values())).toBeLessThan(0.15 * PEERS)
})

test('nobody waits for more than 16 s, however long the mirror was away', () => {
  const backoff = new Backoff(new ManualEnv(1))
  backoff.spread()
  const delays = Array.from({ length: PEERS }, () => backoff.fail())
  expect(Math.max(...delays)).toBeLessThanOrEqual(16_000)
  expect(Math.min(...delays.slice(4))).toBeGreaterThanOrEqual(8_000)
})

test('a first attempt that fails, and one of a session that was not live, is soon followed by another', () => {
  const delays = (backoff: Backoff) => Array.from({ length: 3 }, () => backoff.fail())
  for (let peer = 0; peer < PEERS; peer++) {
    const backoff = new Backoff(new ManualEnv(peer))
    const [first, second, third] = delays(backoff)
    expect([first! < 500, second! < 1_000, third! < 2_000]).toEqual([true, true, true])
    backoff.spread()
    backoff.succeed()
    expect(backoff.fail()).toBeLessThan(500)
  }
})
