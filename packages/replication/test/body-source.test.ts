import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { deferred } from '../src/timing/deferred.js'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, ways } from './memory-mirror.js'
import { count, isQuiet, known, putMany, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

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

  test('one that asks whether a document is the newest never gets the answer to an older question', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const old = await mirror.database.put({ id: 'd', n: 1 })
    const replication = await rig.replicate(db, mirror)
    await replication.sync()
    const held = deferred<void>()
    let fetches = 0
    mirror.delay = (asked) => (asked === 'POST /records/fetch' && fetches++ === 0 ? held.promise : undefined)
    const first = db.read('d', { freshness: 'mirror', waitMs: 600_000 })
    await until(() => fetches === 1)
    mirror.fault = (asked) => (asked === 'GET /records' ? 'hang' : undefined)
    const newer = await mirror.database.put({ ...old, n: 2 })
    const second = db.read('d', { freshness: 'mirror', waitMs: 600_000 })
    await rounds()
    held.resolve()
    expect((await second).doc).toEqual(newer)
    await first
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

  test('a pause ends those that wait for a connection', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await db.put({ id: 'own' })
    mirror.fault = () => 'hang'
    const replication = await rig.replicate(db, mirror)
    await until(() => count(mirror, 'GET ') === 1)
    const read = db.read('own', { waitMs: 600_000 })
    await rounds()
    replication.pause()
    expect(await read).toMatchObject({ current: false, from: 'local' })
  })

  test('once one has waited in vain for an attempt, no other waits for it', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await db.put({ id: 'own' })
    mirror.fault = () => 'hang'
    const env = new ManualEnv()
    await rig.replicate(db, mirror, { env })
    await until(() => count(mirror, 'GET ') === 1)
    await env.advance(2_000)
    expect(await db.read('own', { waitMs: 20 })).toMatchObject({ current: false })
    expect(await db.read('own', { waitMs: 600_000 })).toMatchObject({ current: false })
  })

  test('with one mirror in use and another that failed, they wait for the first alone', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await db.put({ id: 'own' })
    let answering = false
    mirror.fault = (_, { url }) => (url.includes('/v1/second') && !answering ? 'hang' : 'refuse')
    const replication = await rig.replicate(db, mirror, { mirrors: [address('first'), address('second')] })
    await until(() => replication.mirrors()[1]?.state === 'connecting')
    const read = db.read('own', { waitMs: 600_000 })
    await rounds()
    answering = true
    await replication.removeMirror(address('second'))
    expect(await read).toMatchObject({ current: false })
  })

  test('a body that is not what its rev says is not taken', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(mirror.database, 'd', 1)
    const replication = await rig.replicate(db, mirror)
    await replication.sync()
    mirror.forges = true
    expect(await db.get('d0')).toEqual(await mirror.database.get('d0'))
    expect(await known(db)).toEqual(await known(mirror.database))
  })
})

describe('bulk reads', () => {
  test('at the mirror ask about many documents in few requests', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(mirror.database, 'd', 200, 100)
    const replication = await rig.replicate(db, mirror)
    await replication.sync()
    const ids = Array.from({ length: 250 }, (_, n) => `d${n}`)
    const docs = await db.getMany(ids, { freshness: 'mirror' })
    expect(docs.filter((doc) => doc !== undefined).length).toBe(200)
    expect(docs[7]).toEqual(await mirror.database.get('d7'))
    // The one that is left asks whether those that did not come are not there, or did not fit.
    expect(count(mirror, 'POST /records/fetch')).toBeLessThanOrEqual(2)
  })

  test('wait together, not one after the other', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(mirror.database, 'd', 3, 100)
    const replication = await rig.replicate(db, mirror)
    await replication.sync()
    await db.get('d0')
    mirror.fault = (asked) => (asked === 'POST /records/fetch' ? 'hang' : undefined)
    const begunMs = performance.now()
    await expect(db.getMany(['d0', 'd1', 'd2'], { waitMs: 300 })).rejects.toMatchObject({
      code: 'MYNAH_UNREACHABLE',
    })
    expect(performance.now() - begunMs).toBeLessThan(590)
    expect(await db.getMany(['d0'], { waitMs: 300 })).toHaveLength(1)
  })
})

describe('a body that the mirror in use lacks', () => {
  /** Two mirrors that know the same documents, of which the first holds none. */
  async function lacking() {
    const db = await rig.database()
    const [empty, full] = [await rig.mirror(), await rig.mirror()]
    await putMany(full.database, 'd', 20, 100)
    const { records } = await full.replica.feed({ since: 0, bodies: false })
    await empty.replica.merge(records, { whole: true, from: 'mirror' })
    const transport = ways({ empty, full })
    full.fault = (asked) => (asked === 'POST /records/fetch' ? undefined : 'refuse')
    const mirrors = [address('empty'), address('full')]
    const replication = await rig.replicate(db, empty, { transport, mirrors })
    await until(() => replication.mirrors()[0]!.state === 'live')
    return { db, empty, full, replication }
  }

  test('is asked for at each other mirror', async () => {
    const { db, full } = await lacking()
    expect(await db.read('d1')).toMatchObject({
      doc: await full.database.get('d1'),
      current: true,
      from: 'mirror',
    })
    expect(await db.read('d2', { freshness: 'mirror' })).toMatchObject({
      doc: await full.database.get('d2'),
      current: true,
    })
    const docs = await db.getMany(Array.from({ length: 20 }, (_, n) => `d${n}`))
    expect(docs.every((doc) => doc !== undefined)).toBe(true)
    expect(count(full, 'POST /records/fetch')).toBe(3)
  })

  test('and another mirror that hangs costs no more than the time that the read has', async () => {
    const { db, full } = await lacking()
    full.fault = () => 'hang'
    const begunMs = performance.now()
    await expect(db.get('d1', { waitMs: 200 })).rejects.toMatchObject({ code: 'MYNAH_UNREACHABLE' })
    expect(performance.now() - begunMs).toBeLessThan(1_500)
  })

  test('what came in time is kept, whatever became of the rest', async () => {
    const { db, empty, full } = await lacking()
    const { records } = await full.replica.feed({ since: 0, bodies: true })
    await empty.replica.merge(records.slice(0, 10), { whole: true, from: 'mirror' })
    full.fault = () => 'hang'
    const held = records.slice(0, 10).map(({ id }) => id)
    await expect(db.getMany([...held, 'd19'], { waitMs: 300 })).rejects.toMatchObject({
      code: 'MYNAH_UNREACHABLE',
    })
    const local = await db.getMany(held, { freshness: 'local' })
    expect(local.every((doc) => doc !== undefined)).toBe(true)
  })
})
