import { expect, test } from 'vitest'
import { MemoryDisk } from '../../src/compliance.js'
import { nodeEnv } from '../../src/env/node-env.js'
import { type Database, open } from '../../src/index.js'
import { encodeShard } from '../../src/log/shard.js'
import { type LogRecord, replicaOf } from '../../src/replica.js'
import { seeded } from '../storage/seeded.js'
import { allOf, copyByFeed, copyByShards, live } from './copying.js'

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)
const options = { shardBytes: 1_500, mode: 'mirror' } as const

/** Two replicas that changed the same documents apart, and then told each other. */
async function conflicted(random: () => number): Promise<Database> {
  const [db, other] = await Promise.all([open(':memory:', options), open(':memory:', options)])
  for (let round = 0; round < 3; round++) {
    await live(db, random, 25)
    await live(other, random, 10)
    await copyByFeed(other, db)
    await copyByFeed(db, other)
  }
  await other.close()
  return db
}

test('a copy by shards knows and holds what a copy by the feed does, whatever both sides wrote', async () => {
  let asTheyLie = 0
  for (let turn = 0; turn < 6; turn++) {
    const random = seeded(seed + turn)
    const hint = `SEED=${seed} turn ${turn}`
    const source = await conflicted(random)
    const disk = new MemoryDisk()
    const on = (level = 'a') => ({
      storage: disk.storage(),
      level: (at: string) => disk.level(`${level}${at}`),
    })
    const target = await open('db', { ...options, ...on() })
    const twin = await open(':memory:', options)
    for (const db of [target, twin]) if (turn % 2 > 0) await live(db, seeded(seed - turn), 15)
    if (turn % 3 > 0) {
      // Documents that a read had fetched.
      const { records } = await replicaOf(source).feed({
        since: 0,
        bodies: turn % 3 > 1,
        whole: true,
        bytes: 2_000,
      })
      for (const db of [target, twin]) await replicaOf(db).merge(records, { whole: true })
    }
    const { seq, reports } = await copyByShards(source, target, 0, async () => {
      if (random() < 0.3) await live(source, random, 2)
      if (turn % 4 === 3 && random() < 0.3) await live(target, random, 2)
    })
    for (const report of reports) {
      expect(report.refused, hint).toEqual([])
      asTheyLie += report.commits.length
    }
    await copyByFeed(source, target, seq)
    await copyByFeed(source, twin)
    if (turn % 4 === 3) await copyByFeed(target, twin)
    expect((await target.stats()).root, hint).toEqual((await twin.stats()).root)
    expect(await target.verify(), hint).toMatchObject({ ok: true })
    const own = new Set([target.id, twin.id])
    const all = await allOf(target, own)
    expect(all, hint).toEqual(await allOf(twin, own))
    const { root, notHeld, conflicts, documents } = await target.stats()
    await target.close()
    // An index that is derived from the log alone is the same.
    const again = await open('db', { ...options, ...on('b') })
    expect(await again.stats(), hint).toMatchObject({ root, notHeld, conflicts, documents })
    expect(await allOf(again, own), hint).toEqual(all)
    await again.compact()
    expect(await allOf(again, own), hint).toEqual(all)
    await Promise.all([again.close(), twin.close(), source.close()])
  }
  expect(asTheyLie).toBeGreaterThan(5)
})

test('what is taken as it lies has the history and the arrival times of where it came from', async () => {
  const source = await open(':memory:', options)
  for (let n = 0; n < 5; n++) await source.put({ id: 'a', n }, { overwrite: true })
  await source.seal()
  const target = await open(':memory:', options)
  const { reports } = await copyByShards(source, target)
  expect(reports.flatMap(({ commits }) => commits)).toMatchObject([{ before: 0, given: true }])
  const versions = async (db: Database) => {
    const found = []
    for await (const { rev, at, doc } of db.history('a')) found.push([rev, at, doc?.n])
    return found
  }
  expect(await versions(target)).toEqual(await versions(source))
  expect((await target.stats()).sealedBytes).toBe((await source.stats()).sealedBytes)
})

const head = { path: [], deleted: false, at: 1, origin: '1'.repeat(32), supplies: false, continues: false }
const known = (id: string, n: number, more: Partial<LogRecord> = {}): LogRecord => ({
  kind: 'revision',
  id,
  rev: '',
  ...(more.kind !== 'stub' && { body: { n } }),
  ...head,
  ...more,
})

function shardOf(records: readonly LogRecord[], span = records.length): Promise<Uint8Array> {
  const numbered = records.map((record, at) => ({ seq: at + 1, record }))
  return encodeShard(numbered, 1, span, { env: nodeEnv, effort: 'fast' })
}

test.each([
  ['an id that cannot be', known('_a', 1)],
  ['an id that would be a prototype', known('__proto__', 1)],
  ['a path without its parent', known('a', 1, { kind: 'stub', rev: `3-${'a'.repeat(32)}` })],
  ['a member that cannot be', known('a', 1, { body: { id: 'b' } })],
])('one record with %s is refused, and the others are taken', async (_, bad) => {
  const target = await open(':memory:', options)
  const report = await replicaOf(target).takeShards([await shardOf([known('x', 1), bad, known('y', 2)])])
  expect(report.refused).toHaveLength(1)
  expect(report.merged).toBe(1)
  expect(await target.getMany(['x', 'y'])).toMatchObject([{ n: 1 }, { n: 2 }])
  expect(await target.count()).toBe(2)
})

test('a shard that is damaged anywhere is refused with all that came with it, and nothing of it is stored', async () => {
  const target = await open(':memory:', options)
  const replica = replicaOf(target)
  const good = await shardOf([known('x', 1)])
  const bytes = await shardOf(Array.from({ length: 20 }, (_, n) => known(`a${n}`, n)))
  for (let at = 0; at < bytes.length; at++) {
    const bad = bytes.slice()
    bad[at]! ^= 1 << (at % 8)
    await expect(replica.takeShards([good, bad]), `byte ${at}`).rejects.toMatchObject({
      code: expect.stringMatching(/^MYNAH_(SHARD_CORRUPT|FORMAT_UNKNOWN)$/),
    })
  }
  for (const length of [0, 10, 40, bytes.length - 1])
    await expect(replica.takeShards([bytes.subarray(0, length)])).rejects.toMatchObject({
      code: 'MYNAH_SHARD_CORRUPT',
    })
  expect(await target.stats()).toMatchObject({ seq: 0, documents: 0 })
})

test('what may not stand here as it lies is merged', async () => {
  const target = await open(':memory:', options)
  const replica = replicaOf(target)
  const now = Date.now()
  const stub = { kind: 'stub', rev: `1-${'a'.repeat(32)}` } as const
  const cases: [string, Uint8Array][] = [
    ['from the future', await shardOf([known('a', 1, { at: now + 1e6 })])],
    ['half a transaction', await shardOf([known('b', 1, { continues: true })])],
    ['a span that is too long', await shardOf([known('c', 1)], 2 ** 31)],
    ['a stub of our own', await shardOf([known('d', 1, { ...stub, origin: target.id })])],
    ['a body for nothing', await shardOf([known('e', 1, { supplies: true })])],
  ]
  for (const [what, shard] of cases) {
    const before = (await target.stats()).seq
    expect(await replica.takeShards([shard]), what).toMatchObject({ merged: 1, refused: [], detached: [] })
    expect((await target.stats()).seq, what).toBe(before + 1)
  }
  expect(await target.count()).toBe(5)
  // The body of a leaf that somebody else let go.
  await replica.takeShards([await shardOf([known('x', 1)])])
  const [leaf] = await replica.leaves('x')
  const gone = known('x', 1, { ...stub, rev: leaf!.rev, supplies: true })
  expect(await replica.takeShards([await shardOf([gone])])).toMatchObject({ merged: 1, refused: [] })
  expect(await target.get('x')).toMatchObject({ n: 1 })
})

test('the application reads and writes while shards are taken', async () => {
  const source = await open(':memory:', options)
  await live(source, seeded(3), 60)
  await source.seal()
  const target = await open(':memory:', options)
  const written: Promise<unknown>[] = []
  let first: number | undefined
  await copyByShards(source, target, 0, async (seq) => {
    first ??= seq
    for (let n = 0; n < 5; n++) written.push(target.put({ id: `own${seq}-${n}`, n }))
    await written[0]
    expect(await target.get(`own${first}-0`)).toMatchObject({ n: 0 })
  })
  await Promise.all(written)
  expect(await target.count()).toBe((await source.count()) + written.length)
  expect(await target.verify()).toMatchObject({ ok: true })
})
