import { createHash } from 'node:crypto'
import { type Database, open } from '@mynah/core'
import { type Replica, replicaOf } from '@mynah/core/replica'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, type Fault, MemoryMirror } from './memory-mirror.js'
import { count, inboxOf, isLive, isQuiet, known, Rig, recover } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

/** Puts documents whose bodies do not compress. */
async function putMany(db: Database, prefix: string, documents: number, bytes = 0): Promise<void> {
  const noise = (n: number) => {
    const blocks = Array.from({ length: Math.ceil(bytes / 32) }, (_, i) =>
      createHash('sha256').update(`${prefix}${n}.${i}`).digest(),
    )
    return new Uint8Array(Buffer.concat(blocks))
  }
  await db.putMany(Array.from({ length: documents }, (_, n) => ({ id: `${prefix}${n}`, noise: noise(n) })))
}

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
    const replication = await rig.replicate(db, mirror, { env, scope: { prefixes: [] } })
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
})

describe('batches', () => {
  test('one that is longer than the mirror takes is halved; a record that is too long alone is refused', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.requestBytes = 50_000
    await putMany(db, 'small', 30, 10_000)
    await putMany(db, 'large', 1, 100_000)
    const replication = await rig.replicate(db, mirror)
    await expect(replication.synced()).rejects.toMatchObject({
      code: 'MYNAH_REJECTED',
      rejections: [{ id: 'large0', code: 'MYNAH_REQUEST_TOO_LARGE' }],
    })
    expect(await mirror.database.count()).toBe(30)
    mirror.requestBytes = 200_000
    replication.pause()
    await replication.retry('large0')
    replication.resume()
    await replication.synced()
    expect(await mirror.database.count()).toBe(31)
  })

  test('a leaf that the mirror cannot attach is sent with its whole path', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.detaches = true
    const first = await db.put({ id: 'a', n: 0 })
    const second = await db.put({ ...first, n: 1 })
    const replication = await rig.replicate(db, mirror)
    await replication.synced()
    expect(count(mirror, 'POST /records')).toBe(2)
    expect(await mirror.database.get('a')).toEqual(second)
  })

  test('a page with a leaf that cannot be attached here is pulled with whole paths', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.trims = true
    let doc = await mirror.database.put({ id: 'a', n: 0 })
    for (let n = 1; n < 5; n++) doc = await mirror.database.put({ ...doc, n })
    const replication = await rig.replicate(db, mirror, { hold: 'all' })
    await replication.sync()
    expect(await db.get('a')).toEqual(doc)
    const [leaf] = await replicaOf(db).leaves('a')
    expect(leaf?.path).toHaveLength(4)
  })
})

describe('what a mirror refuses', () => {
  test('is parked, hinders nothing, and can be retried or dropped', async () => {
    const folder = await rig.folder()
    const db = await rig.database('peer', folder)
    const mirror = await rig.mirror()
    mirror.refuses = (id) => (id.startsWith('bad') ? 'not here' : undefined)
    const replication = await rig.replicate(db, mirror)
    const told: string[] = []
    replication.on('rejected', ({ id }) => told.push(id))
    const bad = await db.put({ id: 'bad1' })
    await db.put({ id: 'bad2' })
    await db.put({ id: 'good' })
    await expect(replication.synced()).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
    expect(await mirror.database.count()).toBe(1)
    expect(told.sort()).toEqual(['bad1', 'bad2'])
    expect(replication.mirrors()[0]).toMatchObject({ rejected: 2, ahead: 0 })
    await expect(replication.retry('bad1')).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
    await db.close()

    const reopened = await rig.database('peer', folder)
    const again = await rig.replicate(reopened, mirror)
    const inbox = await inboxOf(again)
    expect(inbox).toContainEqual({
      id: 'bad1',
      rev: bad.rev,
      code: 'MYNAH_REVISION_REFUSED',
      reason: 'not here',
      mirror: address(),
    })
    mirror.refuses = () => undefined
    await again.retry('bad1')
    await again.drop('bad2')
    expect(await inboxOf(again)).toEqual([])
    await again.synced()
    expect(await mirror.database.count()).toBe(2)
  })

  test('leaves the inbox when a newer revision is accepted', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.refuses = () => 'not yet'
    const replication = await rig.replicate(db, mirror)
    const doc = await db.put({ id: 'a', n: 1 })
    await expect(replication.synced()).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
    mirror.refuses = () => undefined
    await db.put({ ...doc, n: 2 })
    await replication.synced()
    expect(await known(mirror.database)).toEqual(await known(db))
  })
})

describe('reads of what is known and not held', () => {
  test('those of one tick travel in one request, those of one leaf share an answer', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(mirror.database, 'd', 50, 100)
    const replication = await rig.replicate(db, mirror)
    await replication.sync()
    const ids = Array.from({ length: 50 }, (_, n) => `d${n}`)
    const docs = await Promise.all([...ids, ...ids].map((id) => db.get(id)))
    expect(docs.every((doc) => doc !== undefined)).toBe(true)
    expect(count(mirror, 'POST /records/fetch')).toBe(1)
    await until(() => isQuiet(replication))
  })

  test('without a mirror they end at once, and a mirror that came back is used at once', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(mirror.database, 'd', 2)
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env })
    await replication.sync()
    mirror.fault = () => 'refuse'
    mirror.cut()
    await until(() => replication.mirrors()[0]?.state === 'backing-off')
    await expect(db.get('d0')).rejects.toMatchObject({ code: 'MYNAH_UNREACHABLE' })
    // Down for long: the next retry is far away.
    for (let n = 0; n < 10; n++) await env.advance(30_000)
    mirror.fault = () => undefined
    await env.advance(1_000)
    expect(await db.get('d0')).toBeDefined()
  })

  test('a body that is not what its rev says is not taken', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(mirror.database, 'd', 1)
    const replication = await rig.replicate(db, mirror)
    await replication.sync()
    mirror.forges = true
    await expect(db.get('d0')).rejects.toMatchObject({ code: 'MYNAH_UNREACHABLE' })
    expect(await known(db)).toEqual(await known(mirror.database))
  })
})

test('whatever fails and whenever a peer restarts, both sides end the same and nothing is lost', async () => {
  const faults: readonly Fault[] = ['refuse', 'lose', 'portal', 'garble', 'fail']
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(undefined, undefined, ...faults), { minLength: 5, maxLength: 40 }),
      fc.array(fc.nat(12), { minLength: 1, maxLength: 4 }),
      fc.integer(),
      async (script, restarts, seed) => {
        await using scene = new Rig()
        const folder = await scene.folder()
        const mirror = await scene.mirror()
        let step = 0
        mirror.fault = () => script[step++]
        const written = new Set<string>()
        for (const [round, requests] of restarts.entries()) {
          const db = await open(folder)
          const env = new ManualEnv(seed + round)
          await scene.replicate(db, mirror, { env })
          const until_ = mirror.asked.length + requests
          for (let n = 0; n < 5; n++) {
            const id = `d${(n * 7 + round * 3) % 11}`
            await db.put({ id, n, round }, { overwrite: true })
            await mirror.database.put({ id: `m${n}`, round }, { overwrite: true })
            written.add(id).add(`m${n}`)
          }
          for (let tick = 0; tick < 100 && mirror.asked.length < until_; tick++) await env.advance(500)
          await db.close()
        }
        mirror.fault = () => undefined
        const db = await open(folder)
        await (await scene.replicate(db, mirror)).sync()
        const here = await known(db)
        expect(new Set(here.keys())).toEqual(written)
        expect(here).toEqual(await known(mirror.database))
        await db.close()
      },
    ),
    { numRuns: 15 },
  )
})

test('the replica of a closed database is let go', async () => {
  const db = await rig.database()
  const replica: Replica = replicaOf(db)
  const replication = await rig.replicate(db, await rig.mirror())
  await replication.close()
  expect(await db.get('nothing', { freshness: 'local' })).toBeUndefined()
  expect(replica.settings().mirrors).toHaveLength(1)
})
