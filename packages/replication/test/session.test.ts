import { replicaOf } from '@mynah/core/replica'
import { replicate } from '@mynah/replication'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, MemoryMirror } from './memory-mirror.js'
import { count, isLive, isQuiet, known, Rig } from './rig.js'

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

  test('with an empty scope nothing is pulled', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await mirror.database.put({ id: 'there' })
    const replication = await rig.replicate(db, mirror, { scope: { prefixes: [] } })
    await db.put({ id: 'here' })
    await replication.synced()
    await replication.sync()
    expect(new Set(mirror.asked)).toEqual(
      new Set(['GET ', 'GET /records/live', 'POST /records', 'POST /records/missing']),
    )
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
