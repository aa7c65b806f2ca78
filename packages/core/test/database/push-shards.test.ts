import { afterEach, expect, test } from 'vitest'
import { type DiskFault, type DiskOperation, MemoryDisk } from '../../src/compliance.js'
import { openShard } from '../../src/database/opened-shard.js'
import { nodeEnv } from '../../src/env/node-env.js'
import { type Database, open } from '../../src/index.js'
import { limits } from '../../src/limits.js'
import { encodeShard } from '../../src/log/shard.js'
import { type LogRecord, replicaOf } from '../../src/replica.js'
import { seeded } from '../storage/seeded.js'
import { allOf, live } from './copying.js'

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)
const peers = { shardBytes: 1_500 } as const
/** Takes what comes as it lies, however little it is. */
const mirrors = { shardBytes: 100, mode: 'mirror' } as const
const opened: Database[] = []
afterEach(async () => {
  for (const db of opened.splice(0)) await db.close()
})

async function database(options: Parameters<typeof open>[1]): Promise<Database> {
  const db = await open(':memory:', options)
  opened.push(db)
  return db
}

const bounds = { bytes: 4_000, records: 200 }

/** What came to the mirror of each kind. */
interface Pushed {
  seq: number
  shards: number
  pages: number
}

/** Pushes as a session does: shards where these may go so, else pages. What is left goes by records, with whole paths. */
async function push(from: Database, to: Database, told: Pushed, between = async () => {}): Promise<void> {
  const [source, target] = [replicaOf(from), replicaOf(to)]
  while (told.seq < source.position().seq) {
    const { shards, position } = await source.ownShards({ after: told.seq, ...bounds })
    if (shards.length > 0) {
      const { left } = await target.takeShards(
        shards.map(({ bytes }) => bytes),
        { from: 'peer' },
      )
      const refs = shards.flatMap((shard) => shard.ids.map((_, at) => shard.leaf(at)))
      const again = await source.bodies(
        left.map((place) => refs[place]!),
        { whole: true },
      )
      if (again.length > 0) await target.merge(again, { whole: true, from: 'peer' })
      told.shards += shards.length
      told.seq = position.seq
    } else {
      const upTo = position.seq > told.seq ? { upTo: position.seq } : {}
      const page = await source.feed({ since: told.seq, bodies: true, bytes: 3_000, ...upTo })
      if (upTo.upTo !== undefined) expect(page.position.seq).toBeLessThanOrEqual(upTo.upTo)
      const held = page.records.filter(({ kind }) => kind === 'revision')
      const { outcomes } = await target.merge(held, { from: 'peer' })
      for (const [at, { result }] of outcomes.entries())
        if (result === 'detached' || result === 'refused')
          await target.merge(await source.leaves(held[at]!.id), { whole: true })
      told.pages += 1
      told.seq = page.position.seq
    }
    await between()
  }
}

test('what two peers push as it lies comes to the same as what they push by records, whatever they wrote', async () => {
  let [shards, asTheyLie] = [0, 0]
  for (let turn = 0; turn < 4; turn++) {
    const hint = `SEED=${seed} turn ${turn}`
    const [a, b, target, twin] = await Promise.all([peers, peers, mirrors, mirrors].map(database))
    const seals = (await target!.stats()).sealedBytes
    const ways = [a!, b!].map((db) => ({ db, told: { seq: 0, shards: 0, pages: 0 } }))
    for (let round = 0; round < 3; round++)
      for (const { db, told } of ways) {
        await live(db, seeded(seed + 10 * turn + round + told.seq), 12)
        const docs = Array.from({ length: 80 }, (_, n) => ({
          id: `${db.id} ${round} ${n}`,
          n,
          text: `${n}`.repeat(9),
        }))
        await db.putMany(docs)
        await db.seal()
        let left = 2
        await push(db, target!, told, async () => {
          if (turn % 2 > 0 && left-- > 0) await db.put({ id: 'meanwhile', n: left }, { overwrite: true })
          if (turn % 3 > 1) await db.compact()
        })
      }
    for (const { db, told } of ways) {
      shards += told.shards
      for (let since = 0; ; ) {
        const page = await replicaOf(db).feed({ since, bodies: true, whole: true })
        await replicaOf(twin!).merge(page.records, { whole: true, from: 'peer' })
        since = page.position.seq
        if (!page.more) break
      }
    }
    expect((await target!.stats()).root, hint).toEqual((await twin!.stats()).root)
    expect(await allOf(target!), hint).toEqual(await allOf(twin!))
    expect(await target!.verify(), hint).toMatchObject({ ok: true })
    asTheyLie += (await target!.stats()).sealedBytes - seals
  }
  expect(shards).toBeGreaterThan(20)
  expect(asTheyLie).toBeGreaterThan(0)
})

test('a leaf that a page left to be told with a later change of its document is not lost to a shard with that change', async () => {
  const db = await database(peers)
  const target = await database(mirrors)
  const { records } = await pushedFrom('x')
  await db.put({ id: 'a', n: 1 })
  await replicaOf(db).merge(records, { whole: true })
  // The page ends before the newest change of x.
  const since = (await db.stats()).seq
  await db.put({ id: 'x', own: true, rev: records[0]!.rev }).then(() => db.delete('x'))
  await replicaOf(db).merge((await pushedFrom('x', 'other')).records, { whole: true })
  await db.put({ id: 'x', own: 'again', rev: (await db.get('x'))!.rev! })
  await db.putMany(Array.from({ length: 60 }, (_, n) => ({ id: `b${n}`, n, text: 'x'.repeat(40) })))
  await db.seal()
  for (let after = since; after < (await db.stats()).seq; after += 1) {
    const { shards } = await replicaOf(db).ownShards({ after, ...bounds })
    expect(shards.flatMap(({ ids }) => ids)).not.toContain('x')
  }
  await push(db, target, { seq: 0, shards: 0, pages: 0 })
  expect((await target.stats()).root).toEqual((await db.stats()).root)
})

/** A leaf that another database wrote. */
async function pushedFrom(id: string, text = 'theirs') {
  const other = await database(peers)
  await other.put({ id, text })
  return replicaOf(other).feed({ since: 0, bodies: true })
}

test('a shard that begins or ends within a transaction is not given out', async () => {
  const db = await database(peers)
  const docs = (prefix: string, count = 60) =>
    Array.from({ length: count }, (_, n) => ({ id: `${prefix}${n}`, n, text: `${n} `.repeat(30) }))
  await db.putMany(docs('a'))
  await db.transaction(async (tx) => {
    for (const doc of docs('t')) await tx.put(doc)
  })
  await db.putMany(docs('b'))
  await db.seal()
  const replica = replicaOf(db)
  const ids: string[] = []
  for (let after = 0; after < replica.position().seq; ) {
    const { shards, position } = await replica.ownShards({ after, ...bounds })
    for (const shard of shards) ids.push(...shard.ids)
    after = position.seq
  }
  expect(ids).toEqual(expect.arrayContaining(['a0', 'b59']))
  expect(ids.filter((id) => id.startsWith('t'))).toEqual([])
})

const head = { path: [], deleted: false, at: 1, origin: '1'.repeat(32), supplies: false, continues: false }
const record = (id: string, n: number, more: Partial<LogRecord> = {}): LogRecord => ({
  kind: 'revision',
  id,
  rev: '',
  ...(more.kind !== 'stub' && { body: { n, text: 'x'.repeat(20) } }),
  ...head,
  ...more,
})

function shardOf(records: readonly LogRecord[], span = records.length): Promise<Uint8Array> {
  const numbered = records.map((one, at) => ({ seq: at + 1, record: one }))
  return encodeShard(numbered, 1, span, { env: nodeEnv, effort: 'fast' })
}

const some = (prefix: string, count = 20) =>
  Array.from({ length: count }, (_, n) => record(`${prefix}${n}`, n))

/** More than one shard of a mirror here has. */
const varied = (prefix: string) =>
  some(prefix, 60).map((one, n) => ({ ...one, body: { n, text: `${n * n}`.repeat(1 + (n % 5)) } }))

test('of a peer, what a merge would refuse is left, and all else is taken', async () => {
  const stub = { kind: 'stub', rev: `1-${'a'.repeat(32)}` } as const
  const bad: readonly (readonly [string, readonly LogRecord[]])[] = [
    ['a stub', [record('s', 1, stub)]],
    ['an eviction', [record('s', 1, { ...stub, supplies: true })]],
    ['an id that cannot be', [record('_a', 1)]],
    ['half a transaction', [record('t', 1), record('u', 1, { continues: true })]],
    ['a path that hangs in the air', [record('h', 1, { path: [`5-${'b'.repeat(32)}`] })]],
  ]
  for (const [what, records] of bad) {
    const target = await database(mirrors)
    const shards = [
      await shardOf(some('a')),
      await shardOf([...some('b'), ...records]),
      await shardOf(some('c')),
    ]
    const report = await replicaOf(target).takeShards(shards, { from: 'peer' })
    const left = what === 'half a transaction' ? 1 : records.length
    expect(report.left, what).toEqual(Array.from({ length: left }, (_, n) => 40 + records.length - left + n))
    expect(report.taken, what).toBe(60 + records.length - left)
    expect(await target.count(), what).toBe(60 + records.length - left)
  }
})

test('a shard that is not whole is refused with all that came with it', async () => {
  const target = await database(mirrors)
  const good = await shardOf(some('a'))
  const bytes = await shardOf(some('b'))
  for (let at = 0; at < bytes.length; at += 7) {
    const bad = bytes.slice()
    bad[at]! ^= 1 << (at % 8)
    await expect(
      replicaOf(target).takeShards([good, bad], { from: 'peer' }),
      `byte ${at}`,
    ).rejects.toMatchObject({
      code: expect.stringMatching(/^MYNAH_(SHARD_CORRUPT|FORMAT_UNKNOWN)$/),
    })
  }
  expect(await target.stats()).toMatchObject({ seq: 0, documents: 0 })
})

test('of a peer, a shard that stands for far more seqs than it has records is merged', async () => {
  const target = await database(mirrors)
  const replica = replicaOf(target)
  const wide = await shardOf(varied('a'), 16 * 1024 * 1024)
  expect(await replica.takeShards([wide], { from: 'peer' })).toMatchObject({ taken: 60, merged: 1, left: [] })
  expect((await target.stats()).seq).toBe(60)
  // A mirror that has compacted much has such ones.
  const copy = await database(mirrors)
  expect(await replicaOf(copy).takeShards([wide])).toMatchObject({ taken: 60, merged: 0 })
})

test('while a shard of large bodies is looked at, others get their turn', async () => {
  let [ms, turns] = [0, 0]
  const env = {
    ...nodeEnv,
    monotonicMs: () => (ms += 15),
    yield: async () => {
      turns += 1
    },
  }
  await openShard(await shardOf(some('a')), env)
  expect(turns).toBeGreaterThan(8)
})

test('arrival times that a peer chose hinder neither history nor an index that is built anew', async () => {
  const disk = new MemoryDisk()
  const on = () => ({ ...mirrors, storage: disk.storage(), level: (at: string) => disk.level(at) })
  const times = [-(2 ** 50), -1, 0, Date.now() - 1_000, Date.now() + 3_600_000, 2 ** 50]
  const db = await open('db', on())
  for (const [turn, at] of times.entries()) {
    const root = record('a', turn, { at, id: `a${turn}` })
    const all = [...varied(`b${turn}`), root].map((one) => ({ ...one, at }))
    const { left, taken } = await replicaOf(db).takeShards([await shardOf(all)], { from: 'peer' })
    expect([left, taken], `${at}`).toEqual([[], 61])
    await db.put({ id: `a${turn}`, turn }, { overwrite: true })
    for await (const one of db.history(`a${turn}`)) expect(one.at.getTime()).toBeLessThanOrEqual(Date.now())
  }
  const { root } = await db.stats()
  await db.close()
  for (const { name } of disk.files())
    if (name.startsWith('index')) disk.damage(name, { kind: 'zero', offset: 0, length: 50 })
  const again = await open('db', on())
  opened.push(again)
  expect((await again.stats()).root).toEqual(root)
  expect(await again.verify()).toMatchObject({ ok: true })
})

test('what is sent again, mostly known, or less than a shard, takes no place of its own', async () => {
  const target = await database(mirrors)
  const replica = replicaOf(target)
  const shards = [await shardOf(some('a')), await shardOf(some('b'))]
  const first = await replica.takeShards(shards, { from: 'peer' })
  expect(first).toMatchObject({ taken: 40, merged: 0, left: [], commits: [{ before: 0 }] })
  const { seq, sealedBytes } = await target.stats()
  const again = await replica.takeShards(shards, { from: 'peer' })
  expect(again).toMatchObject({ taken: 0, merged: 2, left: [] })
  expect(await target.stats()).toMatchObject({ seq, sealedBytes })
  const mostly = await replica.takeShards([await shardOf([...some('a'), ...some('c', 3)])], { from: 'peer' })
  expect(mostly).toMatchObject({ taken: 3, merged: 1, left: [] })
  expect(await target.stats()).toMatchObject({ seq: seq + 3 })
  const large = await database({ mode: 'mirror' })
  const little = await replicaOf(large).takeShards(shards, { from: 'peer' })
  expect(little).toMatchObject({ taken: 40, merged: 2, left: [] })
})

test('no document gets more conflicts than a push may bring', async () => {
  const target = await database(mirrors)
  const conflicts = Array.from({ length: limits.liveLeaves - 5 }, (_, n) => record('a', n))
  await replicaOf(target).merge(await rederived(conflicts), { from: 'peer' })
  const more = Array.from({ length: 10 }, (_, n) => record('a', -1 - n))
  const report = await replicaOf(target).takeShards([await shardOf(more)], { from: 'peer' })
  expect(report.left).toEqual([5, 6, 7, 8, 9])
  expect((await replicaOf(target).feed({ since: 0, bodies: false })).records).toHaveLength(limits.liveLeaves)
})

/** With the revs that follow from their bodies. */
async function rederived(records: readonly LogRecord[]): Promise<readonly LogRecord[]> {
  const source = await database(mirrors)
  await replicaOf(source).takeShards([await shardOf(records)])
  return (await replicaOf(source).feed({ since: 0, bodies: true })).records
}

test('only what was written here, is whole and mostly alive goes as it lies', async () => {
  const db = await database(peers)
  const replica = replicaOf(db)
  const own = async (after = 0) => {
    const { shards, position } = await replica.ownShards({ after, ...bounds })
    return [shards.length > 0, position.seq] as const
  }
  expect(await own()).toEqual([false, 0])
  await db.putMany(Array.from({ length: 60 }, (_, n) => ({ id: `a${n}`, n, text: 'x'.repeat(40) })))
  expect(await own()).toEqual([false, 0])
  await db.seal()
  const [goes, end] = await own()
  expect(goes).toBe(true)
  // Within a shard: up to its end by records.
  expect(await own(end - 1)).toEqual([false, end])
  const rest = (await db.stats()).seq
  // What came from elsewhere.
  await replica.merge(await rederived(some('other', 40)), { whole: true })
  await db.seal()
  expect((await own(rest))[0]).toBe(false)
  expect((await own(rest))[1]).toBeGreaterThan(rest)
  // Superseded since.
  const half = (await db.stats()).seq
  await db.putMany(Array.from({ length: 60 }, (_, n) => ({ id: `b${n}`, n, text: 'y'.repeat(40) })))
  await db.seal()
  expect((await own(half))[0]).toBe(true)
  for (let round = 0; round < 4; round++)
    await db.putMany(
      Array.from({ length: 60 }, (_, n) => ({ id: `b${n}`, n, text: `z${round}` })),
      { overwrite: true },
    )
  await db.seal()
  expect((await own(half))[0]).toBe(false)
})

test('a shard that is damaged on the disk does not go', async () => {
  const disk = new MemoryDisk()
  const on = () => ({ ...peers, storage: disk.storage(), level: (at: string) => disk.level(at) })
  const db = await open('db', on())
  opened.push(db)
  await db.putMany(Array.from({ length: 60 }, (_, n) => ({ id: `a${n}`, n, text: `${n}`.repeat(20) })))
  await db.seal()
  const before = await replicaOf(db).ownShards({ after: 0, ...bounds })
  expect(before.shards.length).toBeGreaterThan(0)
  const segment = disk.files().find(({ name }) => name.startsWith('segment'))!
  disk.damage(segment.name, { kind: 'zero', offset: 200, length: 100 })
  const { shards, position } = await replicaOf(db).ownShards({ after: 0, ...bounds })
  expect(shards).toEqual([])
  expect(position.seq).toBeGreaterThan(0)
})

test.each(['kill', 'powerCut', 'refuse'] as const)(
  'whatever ends a mirror that takes shards (%s), what it acknowledged is there, and the rest comes again',
  async (what) => {
    const db = await database(peers)
    await db.putMany(Array.from({ length: 120 }, (_, n) => ({ id: `a${n}`, n, text: `${n}`.repeat(15) })))
    await db.putMany(
      Array.from({ length: 30 }, (_, n) => ({ id: `a${4 * n}`, n })),
      { overwrite: true },
    )
    await db.seal()
    await db.put({ id: 'hot' })
    const all = await allOf(db)
    let ends = 0
    for (let at = 0, reached = true; reached; at += 2) {
      let [operations, writes] = [0, 0]
      let struck = () => {}
      const over = new Promise<void>((resolve) => {
        struck = resolve
      })
      const disk = new MemoryDisk({
        random: seeded(seed + at),
        pace: async () => {
          if (operations++ !== at || what === 'refuse') return
          disk[what]()
          struck()
        },
        fault: ({ kind }: DiskOperation): DiskFault | undefined => {
          if (what !== 'refuse' || !['append', 'sync', 'replace'].includes(kind)) return undefined
          return writes++ === at ? 'error' : undefined
        },
      })
      const on = () => ({ ...mirrors, storage: disk.storage(), level: (one: string) => disk.level(one) })
      const told: Pushed = { seq: 0, shards: 0, pages: 0 }
      const life = open('db', on())
        .then(async (mirror) => {
          await push(db, mirror, told)
          operations = Number.NEGATIVE_INFINITY
          await mirror.close()
        })
        .catch(() => {
          if (what === 'refuse') disk.kill()
        })
      await Promise.race([life, over])
      reached = (what === 'refuse' ? writes : operations) > at
      if (reached) ends += 1
      operations = Number.NEGATIVE_INFINITY
      writes = Number.NEGATIVE_INFINITY
      const again = await open('db', on())
      const hint = `SEED=${seed} ${what} at ${at}`
      expect(await again.verify(), hint).toMatchObject({ ok: true })
      const acknowledged = told.seq
      const { records } = await replicaOf(db).feed({
        since: 0,
        bodies: false,
        upTo: acknowledged,
        bytes: 1e9,
      })
      const wanted = await replicaOf(again).missing(acknowledged === 0 ? [] : records)
      expect(wanted.filter(Boolean), hint).toEqual([])
      await push(db, again, told)
      expect(await allOf(again), hint).toEqual(all)
      await again.close()
    }
    expect(ends).toBeGreaterThan(what === 'refuse' ? 5 : 15)
  },
)
