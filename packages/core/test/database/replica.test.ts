import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nodeEnv } from '../../src/env/node-env.js'
import { type Database, type Document, open, UnreachableError } from '../../src/index.js'
import { type BodySource, decodeRecords, encodeRecords, type Replica, replicaOf } from '../../src/replica.js'

/** Sends what changed since a position over the wire's encoding, asking for whole paths where they were cut. */
async function send(
  from: Replica,
  to: Replica,
  since: number,
  options: { bodies: boolean; bytes?: number },
): Promise<number> {
  let seq = since
  for (;;) {
    const page = await from.feed({ since: seq, ...options })
    const records =
      page.records.length > 0 ? await decodeRecords(await encodeRecords(page.records, nodeEnv), nodeEnv) : []
    const { outcomes } = await to.merge(records)
    for (const outcome of outcomes) if (outcome.result === 'refused') throw outcome.error
    const detached = records.filter((_, i) => outcomes[i]?.result === 'detached')
    for (const { id } of detached) {
      const again = await to.merge(await from.leaves(id), { whole: true })
      expect(again.outcomes.map(({ result }) => result)).not.toContain('detached')
    }
    seq = page.position.seq
    if (!page.more) return seq
  }
}

async function leavesOf(db: Database): Promise<Map<string, string[]>> {
  const leaves = new Map<string, string[]>()
  for await (const { id, rev, deleted, conflicts } of db.changes())
    leaves.set(id, [`${rev}${deleted ? ' deleted' : ''}`, ...conflicts])
  return new Map([...leaves].sort())
}

const id = fc.constantFrom('a', 'b', 'c')
const who = fc.nat({ max: 2 })
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('write' as const), who, id, n: fc.nat({ max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), who, id }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('send' as const), who, to: who, fresh: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('seal' as const), who }) },
)

test('three replicas come to the same leaves, winners and sums, whatever was written and sent in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
      const dbs = await Promise.all([0, 1, 2].map(() => open(':memory:', { shardBytes: 300 })))
      const replicas = dbs.map(replicaOf)
      const sent = new Map<string, number>()
      const transfer = async (from: number, to: number, fresh: boolean) => {
        const key = `${from} ${to}`
        const since = fresh ? 0 : (sent.get(key) ?? 0)
        sent.set(key, await send(replicas[from]!, replicas[to]!, since, { bodies: true, bytes: 500 }))
      }
      for (const one of steps) {
        const db = dbs[one.who]!
        if (one.kind === 'write') await db.put({ id: one.id, n: one.n, by: one.who }, { overwrite: true })
        else if (one.kind === 'delete') await db.delete(one.id)
        else if (one.kind === 'seal') await db.seal()
        else if (one.to !== one.who) await transfer(one.who, one.to, one.fresh)
      }
      for (const from of [0, 1, 2, 0, 1, 2]) {
        for (const to of [0, 1, 2]) if (from !== to) await transfer(from, to, false)
      }
      const [first, ...others] = await Promise.all(dbs.map(leavesOf))
      for (const other of others) expect(other).toEqual(first)
      const roots = await Promise.all(dbs.map(async (db) => (await db.stats()).root))
      expect(new Set(roots.map((root) => JSON.stringify(root))).size).toBe(1)
      const before = await Promise.all(dbs.map(async (db) => (await db.stats()).seq))
      await transfer(0, 1, true)
      await transfer(1, 2, true)
      expect(await Promise.all(dbs.map(async (db) => (await db.stats()).seq))).toEqual(before)
      for (const db of dbs) {
        expect((await db.verify()).findings).toEqual([])
        await db.close()
      }
    }),
    { numRuns: 40 },
  )
}, 60_000)

test('stubs make known, a body supplied is no change, and the feed tells a document once', async () => {
  const mirror = await open(':memory:', { mode: 'mirror' })
  const peer = await open(':memory:')
  const doc = await mirror.put({ id: 'a', n: 1 })
  await send(replicaOf(mirror), replicaOf(peer), 0, { bodies: false })
  expect(await peer.stats()).toMatchObject({ documents: 1, notHeld: 1, seq: 1 })
  await expect(peer.get('a', { freshness: 'index' })).rejects.toThrow(UnreachableError)
  expect(await replicaOf(peer).missing([{ id: 'a', rev: doc.rev }])).toEqual([true])
  const report = await replicaOf(peer).merge(
    await replicaOf(mirror).bodies([{ id: 'a', rev: doc.rev }], { whole: true }),
  )
  expect(report.outcomes).toEqual([{ result: 'supplied' }])
  expect(await peer.get('a')).toEqual(doc)
  expect(await peer.stats()).toMatchObject({ documents: 1, notHeld: 0, seq: 2 })
  const page = await replicaOf(peer).feed({ since: 0, bodies: true })
  expect(page.records).toMatchObject([{ id: 'a', rev: doc.rev, body: { n: 1 } }])
  expect((await replicaOf(peer).feed({ since: 1, bodies: true })).records).toEqual([])
  expect(
    await replicaOf(peer).missing([
      { id: 'a', rev: doc.rev },
      { id: 'b', rev: doc.rev },
    ]),
  ).toEqual([false, true])
  await Promise.all([peer.close(), mirror.close()])
})

test('a push is refused whole revisions that do not fit their digests, and stubs', async () => {
  const db = await open(':memory:')
  const other = await open(':memory:')
  await other.put({ id: 'a', n: 1 })
  const [record] = await replicaOf(other).leaves('a')
  const forged = { ...record!, body: { n: 2 } }
  const { body: _, ...rest } = record!
  const { outcomes } = await replicaOf(db).merge([forged, { ...rest, kind: 'stub' }, record!], {
    from: 'peer',
  })
  expect(
    outcomes.map((outcome) => (outcome.result === 'refused' ? outcome.error.code : outcome.result)),
  ).toEqual(['MYNAH_REVISION_REFUSED', 'MYNAH_REVISION_REFUSED', 'new'])
  expect(await db.stats()).toMatchObject({ seq: 1 })
  await Promise.all([db.close(), other.close()])
})

/** A mirror's bodies without a network between. */
function sourceOf(
  mirror: Replica,
  state: { reachable: boolean; asked: number; covered: boolean },
): BodySource {
  const ask = () => {
    state.asked += 1
    if (!state.reachable) throw new UnreachableError('the mirror')
  }
  return {
    async fetch(leaves) {
      ask()
      return mirror.bodies(leaves, { whole: true })
    },
    async fetchDocument(one) {
      ask()
      return mirror.leaves(one)
    },
    confirm: async (leaves) => leaves.map(() => false),
    covers: () => state.covered,
    asOf: () => new Date(1_000),
  }
}

test('a read knows whether it is current, asks where it must, and falls back to what is held', async () => {
  const mirror = await open(':memory:', { mode: 'mirror' })
  const peer = await open(':memory:')
  const state = { reachable: true, asked: 0, covered: true }
  replicaOf(peer).useSource(sourceOf(replicaOf(mirror), state))
  const first = await mirror.put({ id: 'a', n: 1 })
  const since = await send(replicaOf(mirror), replicaOf(peer), 0, { bodies: false })

  expect(await peer.read('a')).toMatchObject({ doc: first, current: true, from: 'mirror' })
  expect(await peer.read('a')).toMatchObject({
    doc: first,
    current: true,
    from: 'local',
    asOf: new Date(1_000),
  })
  expect(state.asked).toBe(1)

  const second = await mirror.put({ ...first, n: 2 })
  expect(await peer.read('a', { freshness: 'mirror' })).toMatchObject({
    doc: second,
    current: true,
    from: 'mirror',
  })

  const third = await mirror.put({ ...second, n: 3 })
  await send(replicaOf(mirror), replicaOf(peer), since, { bodies: false })
  state.reachable = false
  expect(await peer.read('a')).toMatchObject({ doc: second, current: false, from: 'local' })
  await expect(peer.read('a', { strict: true })).rejects.toMatchObject({ code: 'MYNAH_STALE' })
  await mirror.put({ id: 'b', n: 1 })
  await send(replicaOf(mirror), replicaOf(peer), since, { bodies: false })
  await expect(peer.get('b')).rejects.toThrow(UnreachableError)
  expect(await peer.get('b', { freshness: 'local' })).toBeUndefined()
  expect(await peer.get('c')).toBeUndefined()

  state.reachable = true
  expect(await peer.getMany(['a', 'b', 'c'])).toMatchObject([third, { n: 1 }, undefined])
  state.covered = false
  expect(await peer.read('c')).toMatchObject({ current: true, from: 'mirror' })
  await mirror.put({ id: 'c', n: 1 })
  expect(await peer.read<Document>('c')).toMatchObject({ doc: { n: 1 }, current: true, from: 'mirror' })
  state.reachable = false
  expect(await peer.read('c')).toMatchObject({ doc: { n: 1 }, current: false, from: 'local' })
  await expect(peer.get('unheard of')).rejects.toThrow(UnreachableError)
  expect(await peer.update<{ n: number }>('unheard of', (doc) => ({ n: doc?.n ?? 7 }))).toMatchObject({
    n: 7,
  })
  await Promise.all([peer.close(), mirror.close()])
})

test('positions hold in the history that they come from, and in no other', async () => {
  const db = await open(':memory:')
  const replica = replicaOf(db)
  const nowhere = replica.position()
  await db.put({ id: 'a' })
  const position = replica.position()
  expect(position.seq).toBe(1)
  expect(replica.holds(nowhere)).toBe(true)
  expect(replica.holds(position)).toBe(true)
  expect(replica.holds({ ...position, seq: 2 })).toBe(false)
  expect(replica.holds({ incarnation: 'f'.repeat(32), seq: 1 })).toBe(false)
  const checkpoint = { source: position, target: { incarnation: 'f'.repeat(32), seq: 9 } }
  await replica.setCheckpoint('m', 'push', checkpoint, [])
  expect(await replica.checkpoint('m', 'push')).toEqual(checkpoint)
  expect(await replica.checkpoint('m', 'pull')).toBeUndefined()
  await replica.setCheckpoint('n', 'pull', checkpoint)
  expect(await replica.checkpoint('n', 'pull')).toBeUndefined()
  await db.close()
})

test('a page of the feed never holds more bodies of one document than a shard takes', async () => {
  const db = await open(':memory:', { mode: 'mirror' })
  for (let n = 0; n < 4; n++) {
    const other = await open(':memory:')
    await other.put({ id: 'large', bytes: new Uint8Array(8_000_000).fill(n) })
    await replicaOf(db).merge(await replicaOf(other).leaves('large'), { whole: true })
    await other.close()
  }
  const { records } = await replicaOf(db).feed({ since: 0, bodies: true })
  expect(records.map(({ kind }) => kind)).toEqual(['revision', 'revision', 'revision', 'stub'])
  await db.close()
})
