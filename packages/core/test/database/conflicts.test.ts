import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { bodyHash, deriveRev } from '../../src/document/revision.js'
import {
  type Conflict,
  type Database,
  type Document,
  limits,
  open,
  REMOVE,
  type Stored,
} from '../../src/index.js'
import { type LogRecord, replicaOf } from '../../src/replica.js'
import { MirrorSource } from './mirror-source.js'

const opened: Database[] = []
async function database(): Promise<Database> {
  const db = await open(':memory:', { shardBytes: 2_000 })
  opened.push(db)
  return db
}
afterEach(async () => {
  for (const db of opened.splice(0)) await db.close()
})

async function conflictsOf(db: Database): Promise<Conflict[]> {
  const all: Conflict[] = []
  for await (const conflict of db.conflicts()) all.push(conflict)
  return all
}

/** All that the first knows, to the second. */
async function send(from: Database, to: Database, bodies = true): Promise<void> {
  const page = await replicaOf(from).feed({ since: 0, bodies, whole: true, bytes: 2 ** 30 })
  if (page.records.length > 0) await replicaOf(to).merge(page.records, { whole: true })
}

/** Two that know each other's change of the same revision. */
async function apart(): Promise<{ a: Database; b: Database; base: Document; docs: Stored[] }> {
  const [a, b] = [await database(), await database()]
  const base = await a.put({ id: 'x', n: 0 })
  await send(a, b)
  const docs = [await a.put({ ...base, n: 1 }), await b.put({ ...base, n: 2 })]
  await send(a, b)
  await send(b, a)
  return { a, b, base, docs }
}

function revision(fields: Partial<LogRecord> & Pick<LogRecord, 'id' | 'rev'>): LogRecord {
  const common = {
    kind: 'revision',
    path: [],
    deleted: false,
    at: 1,
    supplies: false,
    continues: false,
  } as const
  return { ...common, origin: 'a'.repeat(32), body: {}, ...fields }
}

/** Children of the document, each with a body of its own. */
function siblings(parent: Stored, count: number): LogRecord[] {
  return Array.from({ length: count }, (_, n) => {
    const body = { n }
    return revision({ id: parent.id, rev: deriveRev(parent.rev, false, body), path: [parent.rev], body })
  })
}

test('a conflict is listed with the winner first and with what both came from', async () => {
  const { a, base, docs } = await apart()
  await a.put({ id: 'quiet' })
  const winner = await a.get('x')
  const loser = docs.find(({ rev }) => rev !== winner!.rev)
  expect(await conflictsOf(a)).toEqual([{ id: 'x', leaves: [winner, loser], missing: [], base }])
})

test('resolved, there is one leaf, and the others ended under tombstones', async () => {
  const { a } = await apart()
  const winner = await a.get('x')
  const done = await a.resolve<{ n: number }>('x', ({ leaves, base }) => ({
    n: leaves.reduce((sum, doc) => sum + doc.n, base!.n),
  }))
  expect(done).toMatchObject({ id: 'x', n: 3, rev: deriveRev(winner!.rev, false, { n: 3 }) })
  expect(await a.read('x')).toMatchObject({ doc: done, conflicts: [] })
  expect(await conflictsOf(a)).toEqual([])
  const leaves = await replicaOf(a).leaves('x')
  expect(leaves.map(({ deleted }) => deleted)).toEqual([false, true])
  expect((await a.stats()).conflicts).toBe(0)
})

test('replicas that merge in the same way come to the same revisions', async () => {
  const { a, b } = await apart()
  for (const db of [a, b])
    await db.resolve('x', ({ leaves }) => ({ all: leaves.map(({ n }) => n as number) }))
  const sums = await Promise.all([a, b].map((db) => replicaOf(db).sum({})))
  expect(sums[0]).toEqual(sums[1])
  await send(a, b)
  expect(await conflictsOf(b)).toEqual([])
  expect((await b.stats()).seq).toBe((await a.stats()).seq)
})

test('the winner as it is makes no new revision of it', async () => {
  const { a } = await apart()
  const winner = await a.get('x')
  expect(await a.resolve('x', ({ leaves }) => leaves[0]!)).toEqual(winner)
  expect(await a.read('x')).toMatchObject({ doc: winner, conflicts: [] })
})

test('with REMOVE it is deleted everywhere', async () => {
  const { a, b } = await apart()
  expect(await a.resolve('x', () => REMOVE)).toBeUndefined()
  await send(a, b)
  for (const db of [a, b]) expect(await db.read('x')).toMatchObject({ deleted: true, conflicts: [] })
})

test('without a conflict nothing is asked and nothing written', async () => {
  const db = await database()
  const doc = await db.put({ id: 'x' })
  const never = () => {
    throw new Error('asked')
  }
  expect(await db.resolve('x', never)).toEqual(doc)
  expect(await db.resolve('none', never)).toBeUndefined()
  expect((await db.stats()).seq).toBe(1)
  await expect(db.resolve('_x', never)).rejects.toMatchObject({ code: 'MYNAH_DOCUMENT_INVALID' })
})

test('what cannot be stored, another id, or a merge that throws changes nothing', async () => {
  const { a } = await apart()
  const { seq } = await a.stats()
  await expect(a.resolve('x', () => ({ id: 'y' }))).rejects.toMatchObject({ path: 'id' })
  await expect(a.resolve('x', () => ({ n: Number.NaN }))).rejects.toMatchObject({ path: 'n' })
  await expect(a.resolve('x', () => undefined as never)).rejects.toMatchObject({
    code: 'MYNAH_DOCUMENT_INVALID',
  })
  const failure = new Error('no')
  await expect(a.resolve('x', () => Promise.reject(failure))).rejects.toBe(failure)
  const signal = AbortSignal.abort(failure)
  await expect(a.resolve('x', () => REMOVE, { signal })).rejects.toBe(failure)
  expect((await a.stats()).seq).toBe(seq)
})

test('it is asked again when the document changed meanwhile, and not when that settled it', async () => {
  const { a } = await apart()
  let asked = 0
  const done = await a.resolve('x', async ({ leaves }) => {
    asked += 1
    if (asked === 1) await a.put({ ...leaves[1], more: true })
    return { merged: leaves.map((doc) => doc.more === true) }
  })
  expect(asked).toBe(2)
  expect(done?.merged).toContainEqual(true)
  const { a: other } = await apart()
  const kept = await other.resolve('x', async ({ leaves }) => {
    await other.delete(leaves[1]!)
    return { never: true }
  })
  expect(kept).toEqual(await other.get('x'))
  expect(kept).not.toHaveProperty('never')
})

test('versions that are not held are named in the list, and fetched to be merged', async () => {
  const { a, docs } = await apart()
  const peer = await database()
  await send(a, peer, false)
  const [listed] = await conflictsOf(peer)
  expect(listed).toMatchObject({ id: 'x', leaves: [] })
  expect([...listed!.missing].sort()).toEqual(docs.map(({ rev }) => rev).sort())
  await expect(peer.resolve('x', () => REMOVE)).rejects.toMatchObject({ code: 'MYNAH_UNREACHABLE', id: 'x' })
  replicaOf(peer).useSource(new MirrorSource(a))
  const done = await peer.resolve('x', ({ leaves, missing }) => {
    expect(missing).toEqual([])
    return { ns: leaves.map(({ n }) => n as number).sort() }
  })
  expect(done).toMatchObject({ ns: [1, 2] })
})

test('what was made anew on both sides has no base, nor has what came from a deletion', async () => {
  const [a, b] = [await database(), await database()]
  await a.put({ id: 'x', n: 1 })
  await b.put({ id: 'x', n: 2 })
  await a.put({ id: 'y' })
  await a.delete('y')
  await send(a, b)
  await a.put({ id: 'y', n: 1 })
  await b.put({ id: 'y', n: 2 })
  await send(a, b)
  const conflicts = await conflictsOf(b)
  expect(conflicts.map(({ id }) => id)).toEqual(['x', 'y'])
  for (const conflict of conflicts) expect(conflict).not.toHaveProperty('base')
})

test('foreign leaves that share a rev are told apart, and all of them end', async () => {
  const db = await database()
  const bodies = [{ n: 1 }, { n: 2 }, { n: 3 }]
  const foreign = bodies.map((body) =>
    revision({ id: 'x', rev: '4-foreign', body, bodyHash: bodyHash(false, body) }),
  )
  await replicaOf(db).merge(foreign, { whole: true })
  const [conflict] = await conflictsOf(db)
  expect(conflict!.leaves.map(({ n }) => n as number).sort()).toEqual([1, 2, 3])
  const done = await db.resolve('x', () => ({ n: 6 }))
  expect(await db.read('x')).toMatchObject({ doc: done, conflicts: [] })
  expect(await conflictsOf(db)).toEqual([])
})

test('of foreign leaves that share a rev, the one that a merge keeps as it is does not end with the others', async () => {
  const db = await database()
  const bodies = [{ n: 1 }, { n: 2 }]
  const twins = bodies.map((body) =>
    revision({ id: 'x', rev: '1-foreign', body, bodyHash: bodyHash(false, body) }),
  )
  await replicaOf(db).merge(twins, { whole: true })
  const winner = await db.get('x')
  const resolved = await db.resolve('x', () => ({ n: winner?.n as number }))
  expect(resolved).toMatchObject({ n: winner?.n })
  expect(await db.get('x')).toEqual(resolved)
  expect(await conflictsOf(db)).toEqual([])
})

test('a forged revision of the highest generation pins nothing', async () => {
  const [db, other] = [await database(), await database()]
  const doc = await db.put({ id: 'x', n: 0 })
  const body = { forged: true }
  const parent = `${limits.generation - 1}-${'f'.repeat(32)}`
  const forged = revision({ id: 'x', rev: deriveRev(parent, false, body), path: [parent], body })
  const { outcomes } = await replicaOf(db).merge([forged], { whole: true, from: 'peer' })
  expect(outcomes).toMatchObject([{ result: 'new' }])
  const top = await db.get('x')
  expect(top).toEqual({ id: 'x', rev: forged.rev, forged: true })
  let next = await db.put({ ...top!, n: 1 })
  for (let n = 2; n < 5; n++) next = await db.put({ ...next, n })
  expect(next.rev).toMatch(/^4294967295-/)
  expect(await db.get('x')).toEqual(next)
  expect(await db.read('x')).toMatchObject({ conflicts: [doc.rev] })
  const done = await db.resolve('x', ({ leaves }) => ({ ns: leaves.map(({ n }) => n as number) }))
  expect(done).toMatchObject({ ns: [4, 0] })
  await send(db, other)
  expect(await other.get('x')).toEqual(done)
  await db.delete('x')
  expect(await db.read('x')).toMatchObject({ deleted: true, conflicts: [] })
  const anew = await db.put({ id: 'x', anew: true })
  await send(db, other)
  for (const one of [db, other]) expect(await one.read('x')).toMatchObject({ doc: anew, conflicts: [] })
})

test('a thousand live leaves is what a peer may push; mirrors know no such bound; all are merged', async () => {
  const db = await database()
  const base = await db.put({ id: 'x', n: -1 })
  const records = siblings(base, limits.liveLeaves + 2)
  const replica = replicaOf(db)
  const pushed = await replica.merge(records, { from: 'peer' })
  expect(pushed.outcomes.filter(({ result }) => result === 'new').length).toBe(limits.liveLeaves)
  expect(pushed.outcomes.at(-1)).toMatchObject({ result: 'refused' })
  // What is there already, or replaces a leaf, may still be pushed.
  expect((await replica.merge(records.slice(0, 2), { from: 'peer' })).outcomes[0]).toEqual({
    result: 'known',
  })
  await replica.merge(records)
  const [conflict] = await conflictsOf(db)
  expect(conflict!.leaves.length).toBe(limits.liveLeaves + 2)
  await db.resolve('x', ({ leaves }) => ({ count: leaves.length }))
  expect(await db.read('x')).toMatchObject({ doc: { count: limits.liveLeaves + 2 }, conflicts: [] })
})

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      who: fc.nat({ max: 2 }),
      n: fc.nat({ max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), who: fc.nat({ max: 2 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      who: fc.nat({ max: 2 }),
      to: fc.nat({ max: 2 }),
      bodies: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('resolve' as const),
      who: fc.nat({ max: 2 }),
      remove: fc.boolean(),
    }),
  },
)

test('whoever resolves when, replicas agree, and a resolve leaves no conflict where it was made', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const dbs = await Promise.all([0, 1, 2].map(() => open(':memory:')))
      for (const one of steps) {
        const db = dbs[one.who]!
        if (one.kind === 'put') await db.put({ id: 'x', n: one.n }, { overwrite: true })
        else if (one.kind === 'delete') await db.delete('x')
        else if (one.kind === 'send') await send(db, dbs[one.to]!, one.bodies)
        else {
          const before = await conflictsOf(db)
          // What is not held cannot be merged, nor read.
          if (before.length === 0 || before[0]!.missing.length > 0) continue
          const merged = await db.resolve('x', ({ leaves }) =>
            one.remove ? REMOVE : { n: Math.max(...leaves.map(({ n }) => n as number)) },
          )
          expect(await conflictsOf(db)).toEqual([])
          expect(merged).toEqual(one.remove ? undefined : await db.get('x'))
        }
      }
      for (let round = 0; round < 3; round++)
        for (const from of dbs) for (const to of dbs) if (from !== to) await send(from, to)
      const sums = await Promise.all(dbs.map((db) => replicaOf(db).sum({})))
      expect(sums[1]).toEqual(sums[0])
      expect(sums[2]).toEqual(sums[0])
      for (const db of dbs) await db.close()
    }),
    { numRuns: 60 },
  )
})
