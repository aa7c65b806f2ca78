import { replicaOf } from '@mynah/core/replica'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, MemoryMirror } from './memory-mirror.js'
import { count, isLive, isQuiet, known, putMany, Rig, recover } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

describe('checkpoints', () => {
  test('the push checkpoint moves after the answer, never before', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await db.put({ id: 'a' })
    const replica = replicaOf(db)
    const at = () => replica.checkpoint(mirror.replica.id, 'push')
    mirror.fault = (asked) => (asked === 'POST /records' ? 'hang' : undefined)
    const replication = await rig.replicate(db, mirror)
    await until(() => count(mirror, 'POST /records') === 1)
    await rounds()
    expect(await at()).toBeUndefined()
    mirror.fault = () => undefined
    replication.pause()
    await replication.sync()
    expect(await at()).toEqual({ source: replica.position(), target: mirror.replica.position() })
  })

  test('the pull checkpoint moves after the merge, page by page, and is complete at the end', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(mirror.database, 'd', 15, 100_000)
    let pulls = 0
    mirror.fault = (asked) => (asked === 'GET /records' && ++pulls > 1 ? 'hang' : undefined)
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { hold: 'all', env })
    await until(() => pulls === 2)
    const held = await db.count()
    expect(held).toBeGreaterThan(0)
    expect(held).toBeLessThan(15)
    // The index is not complete, so what it does not have is not known to be absent.
    expect((await db.read('d0', { freshness: 'local' })).current).toBe(false)
    await replication.close()

    mirror.fault = () => undefined
    mirror.asked.length = 0
    const again = await rig.replicate(db, mirror, { env })
    await again.sync()
    expect(await db.count()).toBe(15)
    expect((await db.read('d0')).current).toBe(true)
    expect(replicaOf(db).position().seq).toBe(15)
  })

  test('what is remembered is enough to know offline that all is pushed, and what is covered', async () => {
    const folder = await rig.folder()
    const first = await rig.database('peer', folder)
    const mirror = await rig.mirror()
    await putMany(mirror.database, 'there', 3)
    const online = await rig.replicate(first, mirror)
    await first.put({ id: 'here' })
    await online.sync()
    await first.close()

    const second = await rig.database('peer', folder)
    mirror.fault = () => 'refuse'
    const offline = await rig.replicate(second, mirror, { mirrors: [] })
    expect(offline.status()).toMatchObject({ ahead: 0 })
    await offline.synced()
    expect(await second.read('here')).toMatchObject({ current: true, asOf: undefined })
    expect(await second.get('nowhere')).toBeUndefined()
    await second.put({ id: 'more' })
    expect(offline.status()).toMatchObject({ ahead: 1 })
  })

  test('a mirror restored from an old copy gets back what it lost', async () => {
    const folder = await rig.folder()
    const db = await rig.database()
    const first = await rig.database('mirror', folder)
    const mirror = await MemoryMirror.with(first)
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env })
    await putMany(db, 'before', 5)
    await replication.synced()
    replication.pause()
    await until(() => mirror.streams === 0)
    await first.close()
    const old = await rig.copy(folder)
    const second = await rig.database('mirror', folder)
    mirror.replace(second)
    replication.resume()
    await putMany(db, 'after', 5)
    await replication.synced()
    expect(await second.count()).toBe(10)

    const restored = await rig.database('mirror', old)
    // Another peer writes first, so that the restored history goes on in its own way.
    await putMany(restored, 'other', 20)
    mirror.replace(restored)
    await until(() => !isLive(replication))
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
    expect(await restored.count()).toBe(30)
    expect(await known(db)).toEqual(await known(restored))
  })

  test('a mirror that is restored under a session without a stream is noticed by its answer', async () => {
    const folder = await rig.folder()
    const db = await rig.database()
    const first = await rig.database('mirror', folder)
    await first.put({ id: 'there' })
    const mirror = await MemoryMirror.with(first)
    await first.close()
    const old = await rig.copy(folder)
    mirror.replace(await rig.database('mirror', folder))
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env, live: false, scope: { prefixes: [] } })
    await putMany(db, 'lost', 5)
    await replication.synced()
    mirror.replace(await rig.database('mirror', old))
    await putMany(db, 'new', 5)
    let told = false
    replication.on('error', ({ error }) => {
      told = error.message.includes('history')
    })
    await recover(env, replication, () => told && isQuiet(replication))
    expect(await mirror.database.count()).toBe(11)
  })

  test('a mirror restored from an old copy gets a body back that a peer only read', async () => {
    const folder = await rig.folder()
    const db = await rig.database()
    const gone = await rig.database()
    const mirror = await MemoryMirror.with(await rig.database('mirror', folder))
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env })
    await db.put({ id: 'first' })
    await replication.sync()
    replication.pause()
    await until(() => mirror.streams === 0)
    await mirror.database.close()
    const old = await rig.copy(folder)
    mirror.replace(await rig.database('mirror', folder))
    replication.resume()

    const writer = await rig.replicate(gone, mirror)
    await gone.put({ id: 'doc', v: 'precious' })
    await writer.synced()
    await writer.close()
    await replication.sync()
    await until(() => isQuiet(replication))
    const doc = await db.get('doc')
    expect(doc).toMatchObject({ v: 'precious' })

    mirror.replace(await rig.database('mirror', old))
    await until(() => !isLive(replication))
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
    expect(await mirror.database.get('doc')).toEqual(doc)
  })

  test('a mirror put back between a page and the word about it gets what the page gave past its position', async () => {
    const folder = await rig.folder()
    const first = await rig.database('mirror', folder)
    await first.putMany([{ id: 'a' }, { id: 'z', v: 1 }])
    await first.close()
    const restored = await rig.database('mirror', await rig.copy(folder))
    const mirror = await MemoryMirror.with(await rig.database('mirror', folder))
    let greetings = 0
    mirror.delay = async (asked) => {
      if (asked === 'GET ') greetings += 1
    }
    // The page with z, told as it is past what the page covers, is the last that this mirror tells.
    const { replica } = mirror
    mirror.plant = {
      feed: async (asked) => {
        const options = { ...asked, bytes: 1 }
        if (options.resume === undefined) return await replica.feed(options)
        await until(() => greetings === 2)
        await mirror.database.update('z', (doc) => ({ ...doc, v: 2 }))
        const page = await replica.feed(options)
        mirror.plant = {}
        mirror.swap(restored)
        return page
      },
    }
    const env = new ManualEnv()
    const db = await rig.database()
    const scope = { prefixes: ['a', 'z'] }
    const replication = await rig.replicate(db, mirror, { env, live: false, hold: 'all', scope })
    await recover(env, replication, () => greetings > 2 && isQuiet(replication))
    await env.advance(60_000)
    await recover(env, replication, () => isQuiet(replication))
    expect(await db.get('z')).toMatchObject({ v: 2 })
    expect(await restored.get('z')).toMatchObject({ v: 2 })
  })

  test('a peer restored from an old copy gets its own writes back', async () => {
    const folder = await rig.folder()
    const first = await rig.database('peer', folder)
    const mirror = await rig.mirror()
    const online = await rig.replicate(first, mirror)
    await putMany(first, 'before', 3)
    await online.synced()
    await first.close()
    const old = await rig.copy(folder)
    const second = await rig.database('peer', folder)
    const again = await rig.replicate(second, mirror)
    await putMany(second, 'after', 3)
    await again.synced()
    const all = await known(second)
    await second.close()

    const restored = await rig.database('peer', old)
    const replication = await rig.replicate(restored, mirror)
    await replication.sync()
    expect(await known(restored)).toEqual(all)
  })

  test('a peer that only pushes, and writes no more, notices that its mirror has lost all', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env, scope: { prefixes: [] } })
    await putMany(db, 'd', 5)
    await replication.synced()
    await until(() => mirror.streams === 1)
    mirror.replace(undefined)
    await until(() => !isLive(replication))
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
    expect(await mirror.database.count()).toBe(5)
  })

  test('another database at the same address begins anew', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env })
    await putMany(db, 'd', 5)
    await replication.synced()
    mirror.replace(undefined)
    await until(() => !isLive(replication))
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
    expect(await mirror.database.count()).toBe(5)
    expect(replicaOf(db).settings().mirrors).toEqual([{ url: address(), id: mirror.replica.id }])
  })

  test('a mirror restored from an old copy is as far as it says, not as far as it said', async () => {
    const folder = await rig.folder()
    const first = await rig.database('mirror', folder)
    await putMany(first, 'before', 2)
    await first.close()
    const old = await rig.copy(folder)
    const mirror = await MemoryMirror.with(await rig.database('mirror', folder))
    const env = new ManualEnv()
    const db = await rig.database()
    const replication = await rig.replicate(db, mirror, { env })
    await replication.sync()
    await putMany(mirror.database, 'after', 50)
    await replication.sync()
    mirror.replace(await rig.database('mirror', old))
    await until(() => !isLive(replication))
    await recover(env, replication, () => isLive(replication))
    await rounds()
    expect(replication.status().behind).toBe(0)
  })
})
