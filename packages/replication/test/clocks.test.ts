import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Moment } from '../src/timing/moment.js'
import { ManualEnv, rounds, until } from './manual-env.js'
import { count, isLive, isQuiet, known, putMany, Rig, recover } from './rig.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

const wholeDays = [
  ['forward', DAY_MS],
  ['back', -DAY_MS],
] as const

async function livePeer() {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await mirror.database.put({ id: 'first' })
  const env = new ManualEnv()
  const replication = await rig.replicate(db, mirror, { env })
  await until(() => isLive(replication) && isQuiet(replication))
  await db.get('first')
  return { db, mirror, env, replication }
}

describe.each(wholeDays)('a wall clock that is put %s by a day', (_, byMs) => {
  test('while a session is live: is noticed by nobody', async () => {
    const { db, mirror, env, replication } = await livePeer()
    const asked = mirror.asked.length
    env.wallAheadMs += byMs
    await env.advance(30_000)
    mirror.beat()
    await rounds()
    expect(mirror.asked.length).toBe(asked)
    expect(isLive(replication)).toBe(true)
    await mirror.database.put({ id: 'second' })
    await db.put({ id: 'third' })
    await replication.synced()
    await until(() => isQuiet(replication))
    expect(await known(db)).toEqual(await known(mirror.database))
  })

  test('leaves no time in the future, and makes nothing look newer than it is', async () => {
    const { db, mirror, env, replication } = await livePeer()
    mirror.fault = () => 'refuse'
    mirror.cut()
    await until(() => replication.mirrors()[0]?.state === 'backing-off')
    await env.advance(HOUR_MS)
    env.wallAheadMs += byMs
    const { asOf } = await db.read('first')
    const { lastContact } = replication.status()
    expect(env.now() - asOf!.getTime()).toBeGreaterThanOrEqual(HOUR_MS)
    expect(env.now() - lastContact!.getTime()).toBeGreaterThanOrEqual(HOUR_MS)
    expect((await replication.explain('first')).asOf).toEqual(asOf)
  })

  test('while a mirror is left alone: it is tried as often as before, and found again', async () => {
    const { mirror, env, replication } = await livePeer()
    mirror.fault = () => 'refuse'
    mirror.cut()
    await until(() => replication.mirrors()[0]?.state === 'backing-off')
    for (let second = 0; second < 60; second++) await env.advance(1_000)
    const asked = mirror.asked.length
    env.wallAheadMs += byMs
    for (let second = 0; second < 300; second++) await env.advance(1_000)
    expect(mirror.asked.length - asked).toBeGreaterThan(3)
    expect(mirror.asked.length - asked).toBeLessThan(60)
    mirror.fault = () => undefined
    for (let second = 0; second < 31; second++) await env.advance(1_000)
    await until(() => isLive(replication))
  })

  test('while bytes are waited for: neither gives nor takes any', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(mirror.database, 'd', 40, 4_000)
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env, hold: 'all', maxBytesPerHour: 160_000 })
    while (replication.status().resumesAt === undefined) {
      await env.advance(100)
      await rounds()
    }
    const leftMs = () => replication.status().resumesAt!.getTime() - env.now()
    const before = leftMs()
    env.wallAheadMs += byMs
    expect(leftMs()).toBe(before)
  })
})

describe('a sleep of eight hours', () => {
  test('while a session is live: the dead stream is noticed, and there is one session more, not a storm', async () => {
    const { db, mirror, env, replication } = await livePeer()
    await mirror.database.put({ id: 'second' })
    await until(() => isQuiet(replication))
    const before = mirror.asked.length
    const streams = count(mirror, 'GET /records/live')
    await env.sleep(8 * HOUR_MS)
    await until(() => replication.mirrors()[0]?.state === 'backing-off')
    await mirror.database.put({ id: 'meanwhile' })
    await db.put({ id: 'here' })
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
    expect(await known(db)).toEqual(await known(mirror.database))
    expect(count(mirror, 'GET /records/live')).toBe(streams + 1)
    expect(mirror.asked.length - before).toBeLessThan(15)
  })

  test('while a mirror is left alone: one attempt, and then as often as before', async () => {
    const { mirror, env, replication } = await livePeer()
    mirror.fault = () => 'refuse'
    mirror.cut()
    await until(() => replication.mirrors()[0]?.state === 'backing-off')
    for (let second = 0; second < 60; second++) await env.advance(1_000)
    const asked = mirror.asked.length
    await env.sleep(8 * HOUR_MS)
    await rounds()
    expect(mirror.asked.length - asked).toBeLessThanOrEqual(2)
    mirror.fault = () => undefined
    for (let second = 0; second < 31; second++) await env.advance(1_000)
    await until(() => isLive(replication))
  })

  test('while bytes are waited for: no more go at once than ever do', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(mirror.database, 'd', 100, 4_000)
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env, hold: 'all', maxBytesPerHour: 160_000 })
    const waits = async () => {
      while (replication.status().resumesAt === undefined) {
        await env.advance(100)
        await rounds()
      }
    }
    await waits()
    const before = replication.status().bytesDown
    await env.sleep(8 * HOUR_MS)
    await recover(env, replication, () => replication.status().bytesDown > before)
    await waits()
    expect(replication.status().bytesDown - before).toBeLessThan(80_000)
    expect(replication.mirrors()[0]!.behind).toBeGreaterThan(0)
  })
})

test('a moment seems older rather than newer where the monotonic clock stood still', () => {
  const env = new ManualEnv()
  const moment = new Moment(env)
  env.wallAheadMs += 8 * HOUR_MS
  expect(env.now() - moment.wallMs).toBe(8 * HOUR_MS)
  env.wallAheadMs -= 9 * HOUR_MS
  expect(moment.wallMs).toBe(env.now())
})
