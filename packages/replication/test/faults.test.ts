import { replicaOf } from '@mynah/core/replica'
import type { MirrorAnswerError } from '@mynah/replication'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, type Fault } from './memory-mirror.js'
import { count, isLive, isQuiet, known, putMany, Rig, recover } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

describe('a mirror that fails', () => {
  const faults: readonly Fault[] = ['refuse', 'lose', 'portal', 'garble', 'fail']
  // Without a checkpoint the feeds are read only where one side has nearly nothing.
  const requests = [
    { asked: 'GET ', others: 0 },
    { asked: 'POST /ranges', others: 0 },
    { asked: 'POST /records/fetch', others: 0 },
    { asked: 'POST /records', others: 0 },
    { asked: 'GET /records', others: 7 },
    { asked: 'POST /records/missing', others: 7 },
  ] as const

  for (const { asked, others } of requests) {
    test.each(faults)(`%s at ${asked}: not data, tried again, nothing lost`, async (fault) => {
      const db = await rig.database()
      const mirror = await rig.mirror()
      await db.put({ id: 'here' })
      await putMany(db, 'other', others)
      await mirror.database.put({ id: 'there' })
      let failures = 0
      mirror.fault = (one) => (one === asked && failures++ < 3 ? fault : undefined)
      const env = new ManualEnv()
      const errors: string[] = []
      const replication = await rig.replicate(db, mirror, { env })
      replication.on('error', ({ error }) => errors.push((error as MirrorAnswerError).code))
      await recover(env, replication, () => isLive(replication) && isQuiet(replication))
      expect(failures).toBeGreaterThan(0)
      const code = fault === 'refuse' || fault === 'lose' ? 'MYNAH_MIRROR_UNREACHABLE' : 'MYNAH_MIRROR_ANSWER'
      expect(new Set(errors)).toEqual(new Set([code]))
      expect(replication.mirrors()[0]).toMatchObject({ failures: 0, error: undefined })
      expect(await known(db)).toEqual(await known(mirror.database))
      expect((await known(db)).size).toBe(2 + others)
      // What came twice took no second place.
      expect(mirror.replica.position().seq).toBe(2 + others)
    })
  }

  test('a dead mirror costs its retries, further and further apart, and no write', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.fault = () => 'refuse'
    const env = new ManualEnv(7)
    const replication = await rig.replicate(db, mirror, { env })
    await until(() => replication.status().state === 'offline')
    for (let n = 0; n < 50; n++) await db.put({ id: `d${n}` })
    await rounds()
    expect(mirror.asked.length).toBe(1)
    expect(replication.status().ahead).toBe(50)
    for (let minute = 0; minute < 60; minute++) await env.advance(60_000)
    // Full jitter up to 30 s: 15 s on average, so 240 in an hour.
    expect(mirror.asked.length).toBeGreaterThan(150)
    expect(mirror.asked.length).toBeLessThan(400)
    expect(replication.mirrors()[0]?.failures).toBe(mirror.asked.length)
    mirror.fault = () => undefined
    replication.resume()
    await replication.synced()
    expect(await mirror.database.count()).toBe(50)
    expect(replication.status().ahead).toBe(0)
  })

  test('while one is dead the other is used', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const dead = address('dead')
    mirror.fault = (_, { url }) => (url.startsWith(dead) ? 'refuse' : undefined)
    const replication = await rig.replicate(db, mirror, { mirrors: [dead, address()] })
    await db.put({ id: 'a' })
    await replication.synced()
    expect(replication.status().mirror).toBe(address())
    expect(await replication.sync()).toMatchObject({ mirror: address(), pushed: 0 })
    expect(replication.mirrors().map(({ state }) => state)).toEqual(['backing-off', 'live'])
  })

  test('sync rejects with the error when no mirror is reached', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.fault = () => 'refuse'
    const replication = await rig.replicate(db, mirror)
    await expect(replication.sync()).rejects.toMatchObject({ code: 'MYNAH_MIRROR_UNREACHABLE' })
    mirror.fault = () => 'portal'
    await expect(replication.sync()).rejects.toMatchObject({ code: 'MYNAH_MIRROR_ANSWER' })
    expect(replication.status().state).toBe('error')
    const aborted = AbortSignal.abort(new Error('no more'))
    await expect(replication.sync({ signal: aborted })).rejects.toThrow('no more')
    await replication.removeMirror(address())
    await expect(replication.sync()).rejects.toMatchObject({ code: 'MYNAH_MIRROR_UNREACHABLE' })
  })

  test('a silent stream is opened again, a heartbeat keeps it', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env })
    await until(() => isLive(replication))
    for (let beat = 0; beat < 5; beat++) {
      await env.advance(44_000)
      mirror.beat()
      await rounds()
    }
    expect(count(mirror, 'GET /records/live')).toBe(1)
    await env.advance(45_000)
    await until(() => mirror.streams === 0)
    expect(replication.mirrors()[0]?.error?.message).toContain('silent')
    await env.advance(3_000)
    await until(() => isLive(replication))
    expect(count(mirror, 'GET /records/live')).toBe(2)
  })

  test('a cut stream is opened again, and what happened meanwhile is pulled', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env })
    await until(() => isLive(replication))
    mirror.cut()
    await mirror.database.put({ id: 'a' })
    await until(() => replication.mirrors()[0]?.state === 'backing-off')
    await env.advance(3_000)
    await until(() => replicaOf(db).position().seq === 1)
  })

  test('a mirror whose records cannot be read still takes what is written here', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(db, 'd', 30, 100_000)
    mirror.fault = (asked) => (asked === 'GET /records' || asked === 'POST /ranges' ? 'fail' : undefined)
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env })
    await replication.synced()
    await db.put({ id: 'later' })
    await recover(env, replication, () => replication.status().ahead === 0)
    expect(await mirror.database.count()).toBe(31)
    expect(replication.mirrors()[0]?.error).toMatchObject({ code: 'MYNAH_MIRROR_ANSWER' })
  })

  test('an address behind which each answer is another database is left alone for a while', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const both = [mirror.database, await rig.database('mirror')]
    mirror.fault = () => {
      mirror.replace(both[mirror.asked.length % 2])
      return undefined
    }
    const replication = await rig.replicate(db, mirror)
    await until(() => replication.mirrors()[0]?.state === 'backing-off')
    expect(replication.mirrors()[0]?.error).toMatchObject({ code: 'MYNAH_MIRROR_ANSWER' })
    expect(mirror.asked.length).toBeLessThan(10)
  })
})
