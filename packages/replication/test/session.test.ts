import { ClosedError } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import { MirrorAnswerError, ReplicationRunningError, replicate } from '@mynah/replication'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, type Fault, MemoryMirror } from './memory-mirror.js'
import { count, isLive, isQuiet, known, Rig, recover } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

describe('a peer and its mirror', () => {
  test('a write here reaches the mirror, and one there reaches here, without a wait', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const replication = await rig.replicate(db, mirror)
    await until(() => isLive(replication))
    const doc = await db.put({ id: 'a', n: 1 })
    await replication.synced()
    expect(await mirror.database.get('a')).toEqual(doc)

    const there = await mirror.database.put({ id: 'b', n: 2 })
    await until(() => replicaOf(db).position().seq === 2)
    expect(await db.count()).toBe(2)
    expect(await db.get('b')).toEqual(there)
    expect(await db.get('b')).toEqual(there)
    expect(count(mirror, 'POST /records/fetch')).toBe(1)
    await until(() => isQuiet(replication))
    expect(replication.status()).toMatchObject({ mirror: address(), lastContact: expect.any(Date) })
  })

  test('what was pushed is not pulled back', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await mirror.database.put({ id: 'first' })
    const replication = await rig.replicate(db, mirror)
    await until(() => isLive(replication))
    const pulls = count(mirror, 'GET /records')
    for (let n = 0; n < 20; n++) await db.put({ id: `d${n}`, n })
    await replication.synced()
    await rounds()
    expect(count(mirror, 'GET /records')).toBe(pulls)
    expect(replication.status().behind).toBe(0)
    expect(await mirror.database.count()).toBe(21)
  })

  test('a pull that was in flight during a push does not undo that it was pushed', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await mirror.database.put({ id: 'first' })
    const replication = await rig.replicate(db, mirror)
    await until(() => isLive(replication))
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const pulls = count(mirror, 'GET /records')
    mirror.delay = (asked) => (asked === 'GET /records' ? released : undefined)
    const round = replication.sync()
    await until(() => count(mirror, 'GET /records') === pulls + 1)
    await db.put({ id: 'here' })
    await replication.synced()
    release()
    await round
    await rounds()
    expect(replication.status().behind).toBe(0)
    expect(count(mirror, 'GET /records')).toBe(pulls + 1)
  })

  test('what travels is told', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await mirror.database.put({ id: 'there' })
    const replication = await rig.replicate(db, mirror)
    const told: unknown[] = []
    replication.on('change', (change) => told.push(change))
    const states = new Set<string>()
    const stop = replication.on('status', ({ state }) => states.add(state))
    await db.put({ id: 'here' })
    await replication.sync()
    await until(() => states.has('idle'))
    expect(told).toContainEqual({ direction: 'pull', mirror: address(), ids: ['there'] })
    expect(told).toContainEqual({ direction: 'push', mirror: address(), documents: 1 })
    stop()
    states.clear()
    await db.put({ id: 'more' })
    await replication.synced()
    expect(states.size).toBe(0)
  })

  test('commits during a push travel together in the next', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const replication = await rig.replicate(db, mirror)
    await until(() => isLive(replication))
    await Promise.all(Array.from({ length: 200 }, (_, n) => db.put({ id: `d${n}` })))
    await replication.synced()
    expect(count(mirror, 'POST /records')).toBeLessThan(20)
    expect(await mirror.database.count()).toBe(200)
  })

  test('a database that the mirror does not have is created once', async () => {
    const db = await rig.database()
    await db.put({ id: 'a' })
    const mirror = new MemoryMirror()
    const replication = await rig.replicate(db, mirror)
    await replication.synced()
    expect(count(mirror, 'PUT ')).toBe(1)
    expect(await mirror.database.count()).toBe(1)
  })

  test('with an empty scope nothing is pulled and no stream is opened', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await mirror.database.put({ id: 'there' })
    const replication = await rig.replicate(db, mirror, { scope: { prefixes: [] } })
    await db.put({ id: 'here' })
    await replication.synced()
    await replication.sync()
    expect(new Set(mirror.asked)).toEqual(new Set(['GET ', 'POST /records', 'POST /records/missing']))
    expect(await db.count()).toBe(1)
    expect(replication.status()).toMatchObject({ behind: 0, ahead: 0 })
  })

  test('with prefixes only these are known; a wider scope starts anew', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await mirror.database.put({ id: 'a/1' })
    await mirror.database.put({ id: 'b/1' })
    const replication = await rig.replicate(db, mirror, { scope: { prefixes: ['a/'] } })
    await replication.sync()
    expect([...(await known(db)).keys()]).toEqual(['a/1'])
    expect((await db.read('a/1')).current).toBe(true)
    await replication.close()

    const wider = await rig.replicate(db, mirror, { scope: { prefixes: ['a/', 'b/'] } })
    await wider.sync()
    expect([...(await known(db)).keys()].sort()).toEqual(['a/1', 'b/1'])
    await wider.close()
    const remembered = await replicate(db, { transport: mirror, env: new ManualEnv() })
    expect(replicaOf(db).settings().scope).toEqual(['a/', 'b/'])
    await remembered.close()
  })

  test('with hold: all the bodies come along', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const there = await mirror.database.put({ id: 'a', n: 1 })
    const replication = await rig.replicate(db, mirror, { hold: 'all' })
    await replication.sync()
    expect(await db.get('a', { freshness: 'local' })).toEqual(there)
    expect(count(mirror, 'POST /records/fetch')).toBe(0)
    await until(() => isQuiet(replication))
  })

  test('polling asks at intervals', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { live: false, intervalMs: 1_000, env })
    await until(() => isLive(replication))
    await mirror.database.put({ id: 'a' })
    await rounds()
    expect(await db.count()).toBe(0)
    await env.advance(1_000)
    await until(() => replicaOf(db).position().seq === 1)
    expect(count(mirror, 'GET /records/live')).toBe(0)
  })

  test('an edit on both sides is a conflict, on both sides the same, and is told', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const first = await db.put({ id: 'a', n: 0 })
    const replication = await rig.replicate(db, mirror)
    const conflicts: string[] = []
    replication.on('conflict', ({ id, revs }) => conflicts.push(`${id} ${revs.length}`))
    await replication.sync()
    replication.pause()
    await db.put({ ...first, n: 1 })
    await mirror.database.put({ ...first, n: 2 })
    replication.resume()
    await replication.sync()
    await until(() => isQuiet(replication) && conflicts.length > 0)
    expect(conflicts).toEqual(['a 2'])
    expect(await known(db)).toEqual(await known(mirror.database))
  })
})

describe('a mirror that fails', () => {
  const faults: readonly Fault[] = ['refuse', 'lose', 'portal', 'garble', 'fail']
  const requests = ['GET ', 'POST /records', 'GET /records', 'POST /records/missing'] as const

  for (const asked of requests) {
    test.each(faults)(`%s at ${asked}: not data, tried again, nothing lost`, async (fault) => {
      const db = await rig.database()
      const mirror = await rig.mirror()
      await db.put({ id: 'here' })
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
      expect((await known(db)).size).toBe(2)
      // What came twice took no second place.
      expect(mirror.replica.position().seq).toBe(2)
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
    await env.advance(1_000)
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
    await env.advance(1_000)
    await until(() => replicaOf(db).position().seq === 1)
  })
})

describe('the life of a replication', () => {
  test('pause ends what is in flight, sync still works, resume goes on', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const replication = await rig.replicate(db, mirror)
    await until(() => isLive(replication))
    replication.pause()
    await until(() => mirror.streams === 0)
    expect(replication.status().state).toBe('paused')
    await db.put({ id: 'a' })
    await rounds()
    expect(await mirror.database.count()).toBe(0)
    expect(await replication.sync()).toEqual({ mirror: address(), pushed: 1, pulled: 0, rejected: [] })
    await until(() => replication.status().state === 'paused' && mirror.streams === 0)
    await db.put({ id: 'b' })
    replication.resume()
    await replication.synced()
    expect(await mirror.database.count()).toBe(2)
  })

  test('close ends a hanging request, and whoever waits', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.fault = () => 'hang'
    const replication = await rig.replicate(db, mirror)
    await db.put({ id: 'a' })
    const waiting = [replication.synced(), replication.sync()].map((one) =>
      expect(one).rejects.toThrow(ClosedError),
    )
    await until(() => mirror.asked.length === 1)
    await replication.close()
    await Promise.all(waiting)
    await expect(replication.sync()).rejects.toThrow(ClosedError)
    await expect(replication.synced()).rejects.toThrow(ClosedError)
    expect(mirror.closed).toBe(true)
    await replication.close()
  })

  test('it ends with the database, and leaves no timer', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env })
    await until(() => isLive(replication))
    await db.close()
    await until(() => mirror.closed)
    await rounds()
    expect(env.timers).toBe(0)
    await expect(replication.addMirror(address('other'))).rejects.toThrow(ClosedError)
  })

  test('a database is replicated once at a time', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const replication = await rig.replicate(db, mirror)
    await expect(replicate(db)).rejects.toThrow(ReplicationRunningError)
    await replication.close()
    await (await rig.replicate(db, mirror)).sync()
  })

  test('an address that is no mirror is a TypeError', async () => {
    const db = await rig.database()
    const wrong = [
      'x',
      'ftp://h/v1/a',
      'http://h/a',
      'http://h/v1/A',
      'http://u:p@h/v1/a',
      'http://h/v1/a?x=1',
    ]
    for (const url of wrong) await expect(replicate(db, { mirrors: [url] })).rejects.toThrow(TypeError)
    const prefixes = Array.from({ length: 101 }, (_, n) => `p${n}`)
    await expect(replicate(db, { scope: { prefixes } })).rejects.toThrow(RangeError)
  })

  test('mirrors are remembered, with their tokens, and forgotten', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const replication = await rig.replicate(db, mirror, { mirrors: [{ url: `${address()}/`, token: 't' }] })
    await replication.sync()
    await replication.addMirror(address('other'))
    const { id } = mirror.replica
    expect(replicaOf(db).settings().mirrors).toEqual([
      { url: address(), token: 't', id },
      { url: address('other') },
    ])
    await replication.removeMirror(address('other'))
    expect(replication.mirrors().map(({ url }) => url)).toEqual([address()])
    expect(replicaOf(db).settings().mirrors).toEqual([{ url: address(), token: 't', id }])
  })

  test('a copy of this very database is no mirror of it', async () => {
    const folder = await rig.folder()
    const first = await rig.database('peer', folder)
    await first.put({ id: 'a' })
    await first.close()
    const mirror = await MemoryMirror.with(await rig.database('peer', await rig.copy(folder)))
    const replication = await rig.replicate(await rig.database('peer', folder), mirror)
    await expect(replication.sync()).rejects.toThrow(MirrorAnswerError)
  })
})
