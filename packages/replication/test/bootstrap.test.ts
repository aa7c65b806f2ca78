import { randomBytes } from 'node:crypto'
import { type Database, open } from '@mynah/core'
import { MemoryDisk } from '@mynah/core/compliance'
import { replicaOf } from '@mynah/core/replica'
import type { Replication } from '@mynah/replication'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, until } from './manual-env.js'
import { type Fault, MemoryMirror } from './memory-mirror.js'
import { count, isLive, isQuiet, known, Rig, recover } from './rig.js'

const DOCS = 200
let rig: Rig
let source: Database
let mirror: MemoryMirror

beforeEach(async () => {
  rig = new Rig()
  source = await open(':memory:', { mode: 'mirror', shardBytes: 2_000 })
  for (let n = 0; n < DOCS; n++) await source.put({ id: `d${n}`, n, text: `${n * n}` })
  for (let n = 0; n < 40; n++) await source.put({ id: `d${n}`, n: -n }, { overwrite: true })
  await source.delete('d7')
  await source.seal()
  await source.put({ id: 'hot', n: 1 })
  mirror = await MemoryMirror.with(source)
  mirror.shardBounds = { bytes: 1e6, records: 50 }
})

afterEach(async () => {
  await rig[Symbol.asyncDispose]()
  await source.close()
})

async function expectSame(db: Database): Promise<void> {
  expect((await db.stats()).root).toEqual((await source.stats()).root)
  expect(await known(db)).toEqual(await known(source))
  expect(await db.stats()).toMatchObject({ notHeld: 0 })
  for (const id of ['d1', 'd7', `d${DOCS - 1}`, 'hot']) expect(await db.get(id)).toEqual(await source.get(id))
  expect(await db.verify()).toMatchObject({ ok: true })
}

async function settled(replication: Replication): Promise<void> {
  await replication.sync()
  await until(() => isLive(replication) && isQuiet(replication))
}

const shardsAsked = () => mirror.asked.filter((one) => one.startsWith('GET /shards')).length

describe.each(['mirror', 'peer'] as const)('an empty %s that holds all', (mode) => {
  test('takes a full copy by shards, asks about none of it, and sends none of it back', async () => {
    const db = await rig.database(mode)
    const seen: (number | undefined)[] = []
    const replication = await rig.replicate(db, mirror, { hold: 'all' })
    const seenIds = new Set<string>()
    replication.on('change', (change) => {
      if (change.direction === 'pull') for (const id of change.ids) seenIds.add(id)
    })
    replication.on('status', ({ progress }) => seen.push(progress?.done))
    await settled(replication)
    await expectSame(db)
    expect(shardsAsked()).toBeGreaterThan(3)
    expect(count(mirror, 'GET /records')).toBeLessThan(4)
    expect(count(mirror, 'POST /records')).toBe(0)
    expect(count(mirror, 'POST /records/missing')).toBeLessThan(4)
    expect((await db.stats()).sealedBytes).toBe((await source.stats()).sealedBytes)
    expect(Math.max(...seen.map((done) => done ?? 0))).toBeGreaterThan(DOCS)
    expect(replication.status().progress).toBeUndefined()
    await source.put({ id: 'later' })
    await until(() => seenIds.has('later'))
    expect(await db.get('later')).toBeDefined()
  })

  test('goes on where it was cut off, while both sides write', async () => {
    const location = await rig.folder()
    let db = await open(location, { mode })
    let asked = 0
    const after: string[] = []
    mirror.fault = (one, { url }) => {
      if (!one.startsWith('GET /shards')) return undefined
      after.push(new URL(url).searchParams.get('after') ?? '')
      return ++asked % 3 === 0 ? 'refuse' : undefined
    }
    for (let life = 0; life < 6; life++) {
      const env = new ManualEnv(life)
      const replication = await rig.replicate(db, mirror, { hold: 'all', env })
      await db.put({ id: `own${life}` })
      await source.put({ id: `theirs${life}`, text: 'x'.repeat(50) })
      await source.put({ id: `d${life}`, again: life }, { overwrite: true })
      if (life === 2) await source.seal()
      if (life === 3) await source.compact()
      await until(() => replication.mirrors().some(({ failures }) => failures > 0) || isLive(replication))
      if (life === 5) await recover(env, replication, () => isLive(replication) && isQuiet(replication))
      await replication.close()
      await db.close()
      db = await open(location)
    }
    expect(new Set(after).size).toBeGreaterThan(4)
    // Each answer is asked for once more at most: the one that was cut off.
    expect(after.filter((one) => one === '').length).toBeLessThanOrEqual(2)
    await expectSame(db)
    for (let life = 0; life < 6; life++) expect(await source.get(`own${life}`)).toBeDefined()
    await db.close()
  })
})

test('one that goes on after a cut tells how far it is before more has come', async () => {
  const location = await rig.folder()
  const db = await open(location)
  let asked = 0
  const stuck = (one: string): Fault | undefined =>
    one.startsWith('GET /shards') && ++asked > 2 ? 'hang' : undefined
  mirror.fault = stuck
  const first = await rig.replicate(db, mirror, { hold: 'all' })
  await until(() => asked > 2)
  const before = first.status().progress!
  await db.close()

  const again = await rig.replicate(await rig.database('peer', location), mirror)
  asked = 2
  await until(() => asked > 2)
  const { done, total, perSecond } = again.status().progress!
  expect([total, perSecond]).toEqual([before.total, 0])
  // The next answer is asked for while one is being stored.
  expect(done).toBeGreaterThanOrEqual(before.done)
  expect(before.done).toBeGreaterThan(0)
  mirror.fault = () => undefined
})

test('one that has come to the feed stays with it, as a page passes a document that is told further on', async () => {
  await using other = await open(':memory:')
  await other.put({ id: 'two', from: 'other' })
  // Nothing is sealed by itself.
  const place = await rig.folder()
  let hot = await open(place, { mode: 'mirror', shardBytes: 1e8 })
  await hot.putMany(Array.from({ length: 50 }, (_, n) => ({ id: `d${n}`, n })))
  await hot.seal()
  await hot.put({ id: 'two', from: 'hot' })
  // What does not compress: a group of what does would be one shard.
  const text = () => randomBytes(2_000).toString('hex')
  await hot.putMany(Array.from({ length: 400 }, (_, n) => ({ id: `long${n}`, text: text() })))
  await replicaOf(hot).merge(await replicaOf(other).leaves('two'), { whole: true })
  let from = await MemoryMirror.with(hot)
  const location = await rig.folder()
  const db = await open(location)
  let pages = 0
  from.fault = (one) => (one === 'GET /records' && ++pages > 1 ? 'hang' : undefined)
  await rig.replicate(db, from, { hold: 'all' })
  await until(() => pages > 1)
  await db.close()

  await hot.close()
  hot = await open(place, { shardBytes: 50_000 })
  await hot.seal()
  from = await MemoryMirror.with(hot)
  const again = await rig.database('peer', location)
  await settled(await rig.replicate(again, from))
  expect((await again.read('two')).conflicts).toHaveLength(1)
  expect(await known(again)).toEqual(await known(hot))
  await hot.close()
})

test('a replica that is as good as empty takes shards; one that is not compares', async () => {
  const some = await rig.database()
  await some.putMany(Array.from({ length: 10 }, (_, n) => ({ id: `own${n}`, n })))
  await settled(await rig.replicate(some, mirror, { hold: 'all' }))
  expect(shardsAsked()).toBeGreaterThan(3)
  await expectSame(some)
  const before = shardsAsked()
  const most = await rig.database()
  const { records } = await replicaOf(source).feed({ since: 0, bodies: true, whole: true, bytes: 20_000 })
  await replicaOf(most).merge(records, { whole: true })
  await settled(await rig.replicate(most, mirror, { hold: 'all' }))
  expect(shardsAsked()).toBe(before)
  await expectSame(most)
})

test.each<Fault>(['garble', 'flip', 'skip', 'empty', 'lose', 'hang'])(
  'an answer of shards that is none (%s) is not taken, and asked for again',
  async (fault) => {
    const db = await rig.database()
    const env = new ManualEnv()
    let faults = 0
    mirror.fault = (one) => (one.startsWith('GET /shards') && faults++ === 1 ? fault : undefined)
    const replication = await rig.replicate(db, mirror, { hold: 'all', env })
    await until(() => faults > 1)
    if (fault === 'hang') {
      replication.pause()
      replication.resume()
    }
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
    await expectSame(db)
  },
)

test('shards that cannot be read are told as an error, and the feed brings the same', async () => {
  const db = await rig.database()
  let sent = 0
  mirror.damages = (shard) =>
    sent++ < 5 ? shard : Uint8Array.from(shard, (byte, at) => (at > 40 ? 0 : byte))
  const replication = await rig.replicate(db, mirror, { hold: 'all' })
  const errors: string[] = []
  replication.on('error', ({ error }) => errors.push(error.name))
  await settled(replication)
  expect(errors).toContain('ShardCorruptError')
  await expectSame(db)
})

test('a mirror without this way is copied by its feed', async () => {
  const db = await rig.database()
  const old: MemoryMirror['request'] = (request) => {
    const url = request.url.replace('/shards', '/unknown')
    return MemoryMirror.prototype.request.call(mirror, { ...request, url })
  }
  mirror.request = old
  await settled(await rig.replicate(db, mirror, { hold: 'all' }))
  await expectSame(db)
  expect(count(mirror, 'GET /records')).toBeGreaterThan(0)
})

test('what the mirror lost is gone around, and what it knows of it is found by comparing', async () => {
  const db = await rig.database()
  const replica = replicaOf(source)
  const { shards } = replica
  let page = 0
  replica.shards = async (options) => {
    const told = await shards.call(replica, options)
    return page++ === 1 ? { ...told, shards: told.shards.slice(1), lost: true } : told
  }
  const env = new ManualEnv()
  const replication = await rig.replicate(db, mirror, { hold: 'all', env })
  await recover(env, replication, () => isLive(replication) && isQuiet(replication))
  expect(count(mirror, 'POST /ranges')).toBeGreaterThan(0)
  await expectSame(db)
})

test('of a mirror that lost nearly all, what is left is copied once, and the rest is known and owed', async () => {
  const disk = new MemoryDisk()
  const on = () =>
    ({
      mode: 'mirror',
      shardBytes: 2_000,
      storage: disk.storage(),
      level: (one: string) => disk.level(one),
    }) as const
  const before = await open('db', on())
  for (let n = 0; n < DOCS; n++) await before.put({ id: `d${n}`, n, text: `${n * n}` })
  await before.seal()
  await before.close()
  const { name, length } = disk.files().find((file) => file.name.startsWith('segment'))!
  disk.damage(name, { kind: 'zero', offset: 0, length: Math.floor(length * 0.95) })
  const damaged = await open('db', on())
  const lost = (await damaged.stats()).notHeld
  expect(lost).toBeGreaterThan(0.9 * DOCS)
  await damaged.seal()
  const served = await MemoryMirror.with(damaged)
  const db = await rig.database('mirror')
  const env = new ManualEnv()
  const replication = await rig.replicate(db, served, { env })
  let turns = 0
  const end = () => turns++ > 3_000 || (isLive(replication) && isQuiet(replication))
  await recover(env, replication, end)
  expect((await db.stats()).root).toEqual((await damaged.stats()).root)
  expect(await db.stats()).toMatchObject({ notHeld: lost })
  expect(served.asked.filter((one) => one.startsWith('GET /shards')).length).toBeLessThan(4)
  await replication.close()
  await damaged.close()
})
