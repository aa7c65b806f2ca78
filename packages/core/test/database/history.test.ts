import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryDisk } from '../../src/compliance.js'
import {
  ClosedError,
  type Database,
  type Document,
  DocumentInvalidError,
  HistoryGoneError,
  open,
  RecordLostError,
  UnreachableError,
  type Version,
} from '../../src/index.js'
import { Manifest } from '../../src/log/manifest.js'
import { type BodySource, type LogRecord, replicaOf } from '../../src/replica.js'

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

function machine(options: { readonly shardBytes?: number } = {}) {
  const disk = new MemoryDisk({})
  const start = (more: { readonly readOnly?: boolean } = {}): Promise<Database> =>
    open('db', {
      storage: disk.storage(),
      level: (location) => disk.level(location),
      shardBytes: options.shardBytes ?? 300,
      cacheBytes: 1,
      ...more,
    })
  return { disk, start }
}

async function clearIndex(disk: MemoryDisk, number = 1): Promise<void> {
  const index = disk.level(`db/index-${number}`)
  await index.open()
  await index.clear()
  await index.close()
}

function stub(record: LogRecord): LogRecord {
  const { body: _, ...rest } = record
  return { ...rest, kind: 'stub' }
}

const HISTORY = [
  { rev: /^4-/, seq: 5, deleted: false, doc: { id: 'a', n: 3 } },
  { rev: /^3-/, seq: 4, deleted: true, doc: undefined },
  { rev: /^2-/, seq: 3, deleted: false, doc: { id: 'a', n: 2 } },
  { rev: /^1-/, seq: 1, deleted: false, doc: { id: 'a', n: 1 } },
]

function expectHistory(versions: readonly Version[]): void {
  expect(versions.length).toBe(HISTORY.length)
  for (const [i, { rev, seq, deleted, doc }] of HISTORY.entries()) {
    const version = versions[i]!
    expect(version).toMatchObject({ rev: expect.stringMatching(rev), seq, deleted })
    expect(version.at).toBeInstanceOf(Date)
    expect(version.doc).toEqual(doc && { ...doc, rev: version.rev })
  }
}

test('a history goes from the newest revision over a deletion to the first, sealed or not', async () => {
  const { start } = machine()
  let db = await start()
  const first = await db.put({ id: 'a', n: 1 })
  await db.put({ id: 'b', n: 1 })
  await db.put({ ...first, n: 2 })
  await db.delete('a')
  expect((await db.put({ id: 'a', n: 3 })).rev).toMatch(/^4-/)
  expectHistory(await all(db.history('a')))
  await db.seal()
  await db.close()
  db = await start()
  const versions = await all(db.history('a'))
  expectHistory(versions)
  for (const { rev, doc } of versions) expect(await db.get('a', { rev })).toEqual(doc)
  expect(await all(db.history('nobody'))).toEqual([])
  await expect(all(db.history(''))).rejects.toThrow(DocumentInvalidError)
  await db.close()
  await expect(all(db.history('a'))).rejects.toThrow(ClosedError)
})

test('a revision is read by its rev: a leaf, a superseded one, a tombstone, nothing', async () => {
  const db = await open(':memory:')
  const first = await db.put({ id: 'a', n: 1 })
  const second = await db.put({ ...first, n: 2 })
  const tombstone = await db.delete('a')
  const third = await db.put({ id: 'a', n: 3 })
  expect(await db.read('a', { rev: first.rev })).toMatchObject({ doc: first, current: false, deleted: false })
  expect(await db.get('a', { rev: second.rev })).toEqual(second)
  const gone = await db.read('a', { rev: tombstone!.rev })
  expect(gone).toMatchObject({ current: false, deleted: true })
  expect(gone.doc).toBeUndefined()
  expect(await db.read('a', { rev: third.rev })).toMatchObject({ doc: third, current: true })
  const unknown = await db.read('a', { rev: `1-${'0'.repeat(32)}` })
  expect(unknown).toMatchObject({ deleted: false, current: false })
  expect(unknown.doc).toBeUndefined()
  expect(await db.get('nobody', { rev: first.rev })).toBeUndefined()
  await db.close()
})

test('a foreign revision is read by its rev, also when it is superseded', async () => {
  const db = await open(':memory:')
  const { bodyHash } = await import('../../src/document/revision.js')
  const foreign = (rev: string, path: string[], body: { n: number }): LogRecord => ({
    kind: 'revision',
    id: 'a',
    rev,
    path,
    deleted: false,
    at: 0,
    origin: '1'.repeat(32),
    supplies: false,
    continues: false,
    bodyHash: bodyHash(false, body),
    body,
  })
  await replicaOf(db).merge([foreign('1-x', [], { n: 1 })], { whole: true })
  await replicaOf(db).merge([foreign('2-y', ['1-x'], { n: 2 })], { whole: true })
  expect(await db.get('a', { rev: '1-x' })).toEqual({ id: 'a', rev: '1-x', n: 1 })
  expect(await db.get('a', { rev: '2-y' })).toEqual({ id: 'a', rev: '2-y', n: 2 })
  expect((await all(db.history('a'))).map(({ rev }) => rev)).toEqual(['2-y', '1-x'])
  expect(await (await db.at({ seq: 1 })).get('a')).toEqual({ id: 'a', rev: '1-x', n: 1 })
  await db.close()
})

test('what is known and was never held is UnreachableError by its rev, or fetched where a mirror has it', async () => {
  const mirror = await open(':memory:', { mode: 'mirror' })
  const peer = await open(':memory:')
  const first = await mirror.put({ id: 'a', n: 1 })
  const tell = async () => {
    const { records } = await replicaOf(mirror).feed({ since: 0, bodies: false, whole: true })
    await replicaOf(peer).merge(records, { whole: true })
  }
  await tell()
  const second = await mirror.put({ ...first, n: 2 })
  await mirror.put({ ...second, n: 3 })
  await tell()
  // A stub that was superseded; a revision that only a path names.
  await expect(peer.get('a', { rev: first.rev })).rejects.toThrow(UnreachableError)
  await expect(peer.get('a', { rev: second.rev })).rejects.toThrow(UnreachableError)
  expect(await peer.get('a', { rev: first.rev, freshness: 'local' })).toBeUndefined()
  expect((await all(peer.history('a'))).map(({ doc }) => doc)).toEqual([undefined, undefined])
  const past = await peer.at({ seq: 2 })
  await expect(past.get('a')).rejects.toThrow(UnreachableError)
  await expect((await peer.at({ seq: 1 })).get('a')).rejects.toThrow(UnreachableError)
  const source: BodySource = {
    fetch: async (leaves) => replicaOf(mirror).bodies(leaves, { whole: true }),
    fetchDocument: async (id) => replicaOf(mirror).leaves(id),
    confirm: async (leaves) => leaves.map(() => false),
    covers: () => true,
    asOf: () => new Date(7),
  }
  replicaOf(peer).useSource(source)
  expect(await past.get('a')).toMatchObject({ n: 3 })
  await Promise.all([mirror.close(), peer.close()])
})

test('a snapshot gives what stood at its seq, and refuses what is no seq', async () => {
  const db = await open(':memory:')
  const first = await db.put({ id: 'a', n: 1 })
  const b = await db.put({ id: 'b', n: 1 })
  const second = await db.put({ ...first, n: 2 })
  await db.delete('b')
  const at = async (seq: number) => (await db.at({ seq })).getMany(['a', 'b', 'c'])
  expect(await at(0)).toEqual([undefined, undefined, undefined])
  expect(await at(1)).toEqual([first, undefined, undefined])
  expect(await at(2)).toEqual([first, b, undefined])
  const snapshot = await db.at({ seq: 3 })
  expect(snapshot.seq).toBe(3)
  expect(await at(4)).toEqual([second, undefined, undefined])
  await db.put({ ...second, n: 3 })
  expect(await snapshot.get('a')).toEqual(second)
  await expect(snapshot.get('')).rejects.toThrow(DocumentInvalidError)
  await expect(db.at({ seq: 6 })).rejects.toThrow(RangeError)
  await expect(db.at({ seq: -1 })).rejects.toThrow(RangeError)
  await expect(db.at({ seq: 1.5 })).rejects.toThrow(RangeError)
  await expect(db.at({} as { seq: number })).rejects.toThrow(TypeError)
  const gone = new AbortController()
  gone.abort(new Error('enough'))
  await expect(snapshot.get('a', { signal: gone.signal })).rejects.toThrow('enough')
  await expect(all(db.history('a', { signal: gone.signal }))).rejects.toThrow('enough')
  await db.close()
  await expect(snapshot.get('a')).rejects.toThrow(ClosedError)
})

test('a snapshot never shows half a transaction', async () => {
  const db = await open(':memory:')
  await db.put({ id: 'x', n: 1 })
  await db.transaction(async (tx) => {
    for (const id of ['a', 'b', 'c']) await tx.put({ id, n: 1 })
  })
  await db.put({ id: 'x', n: 2 }, { overwrite: true })
  const seqs = await Promise.all([1, 2, 3, 4, 5].map(async (seq) => (await db.at({ seq })).seq))
  expect(seqs).toEqual([1, 4, 4, 4, 5])
  await db.close()
})

const id = fc.constantFrom('a', 'b', 'c')
const n = fc.integer({ min: 0, max: 5 })
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('put' as const), id, n }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), id }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('elsewhere' as const), id, n, who: fc.nat({ max: 1 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('deleteElsewhere' as const), id, who: fc.nat({ max: 1 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pull' as const),
      id,
      who: fc.nat({ max: 1 }),
      bodies: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('push' as const), id, who: fc.nat({ max: 1 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'seal' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'rebuild' as const }) },
)

/** What the winner of each document was, by seq. */
type States = Map<number, Map<string, { readonly rev: string; readonly deleted: boolean }>>

async function noteState(db: Database, states: States): Promise<void> {
  const state = new Map<string, { rev: string; deleted: boolean }>()
  for (const name of ['a', 'b', 'c']) {
    const winner = (await replicaOf(db).leaves(name))[0]
    if (winner) state.set(name, { rev: winner.rev, deleted: winner.deleted })
  }
  states.set((await db.stats()).seq, state)
}

/** All bodies that were ever written anywhere, by id and rev. */
type Bodies = Map<string, Document>

async function checkStates(db: Database, states: States, bodies: Bodies): Promise<void> {
  for (const [seq, state] of states) {
    const snapshot = await db.at({ seq })
    for (const name of ['a', 'b', 'c']) {
      const expected = state.get(name)
      const got = await snapshot.get(name).catch((error: unknown) => error)
      if (expected === undefined || expected.deleted) expect(got).toBeUndefined()
      // A body that never came here: which revision it was is known, and no other is given for it.
      else if (!(got instanceof UnreachableError)) expect(got).toEqual(bodies.get(`${name} ${expected.rev}`))
      else expect(await heldBody(db, name, expected.rev)).toBe(false)
    }
  }
}

async function heldBody(db: Database, name: string, rev: string): Promise<boolean> {
  return (await all(db.history(name))).some((version) => version.rev === rev && version.doc !== undefined)
}

test('a snapshot of each seq is what stood then, through conflicts, stubs, seals, restarts and new indexes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const { disk, start } = machine({ shardBytes: 400 })
      let db = await start()
      const others = [await open(':memory:'), await open(':memory:')]
      const states: States = new Map()
      const bodies: Bodies = new Map()
      const keep = (doc: Document) => bodies.set(`${doc.id} ${doc.rev}`, doc)
      await noteState(db, states)
      for (const one of steps) {
        if (one.kind === 'seal') await db.seal()
        else if (one.kind === 'reopen') {
          await db.close()
          db = await start()
        } else if (one.kind === 'rebuild') {
          await db.close()
          await clearIndex(disk)
          db = await start()
        } else if (one.kind === 'put') {
          const put = db.put<Document>({ id: one.id, n: one.n }, { overwrite: true })
          keep(await put)
        } else if (one.kind === 'delete') await db.delete(one.id)
        else if (one.kind === 'elsewhere')
          keep(
            await others[one.who]!.put<Document>({ id: one.id, n: one.n, who: one.who }, { overwrite: true }),
          )
        else if (one.kind === 'deleteElsewhere') await others[one.who]!.delete(one.id)
        else if (one.kind === 'pull') {
          const records = await replicaOf(others[one.who]!).leaves(one.id)
          await replicaOf(db).merge(one.bodies ? records : records.map(stub), { whole: true })
        } else await replicaOf(others[one.who]!).merge(await replicaOf(db).leaves(one.id), { whole: true })
        await noteState(db, states)
      }
      await checkStates(db, states, bodies)
      await db.close()
      await clearIndex(disk)
      db = await start()
      await checkStates(db, states, bodies)
      await Promise.all([db, ...others].map((each) => each.close()))
    }),
    { numRuns: 60 },
  )
})

/** A database in which damage takes the second shard, and what stood before. */
async function damaged() {
  const { disk, start } = machine()
  const db = await start()
  for (let i = 0; i < 60; i++)
    await db.put({ id: `d${i % 20}`, i, text: `text ${i} `.repeat(3) }, { overwrite: true })
  await db.seal()
  const before = new Map<number, Map<string, Document | undefined>>()
  for (let seq = 0; seq <= 60; seq += 3) {
    const snapshot = await db.at({ seq })
    const state = new Map<string, Document | undefined>()
    for (let i = 0; i < 20; i++) state.set(`d${i}`, await snapshot.get(`d${i}`))
    before.set(seq, state)
  }
  const { name, length } = disk.files().find((file) => file.name.startsWith('segment'))!
  disk.damage(name, { kind: 'zero', offset: Math.floor(length / 2), length: 100 })
  return { disk, start, db, before }
}

/** Each state of the past is as it was, or an error; how many are right. */
async function rightOnes(
  db: Database,
  before: ReadonlyMap<number, ReadonlyMap<string, Document | undefined>>,
): Promise<number> {
  let right = 0
  for (const [seq, state] of before) {
    const snapshot = await db.at({ seq }).catch((error: unknown) => error)
    if (snapshot instanceof RecordLostError) continue
    if (snapshot instanceof Error) throw snapshot
    for (const [name, doc] of state) {
      const got = await (snapshot as Awaited<ReturnType<Database['at']>>)
        .get(name)
        .catch((error: unknown) => error)
      if (got instanceof RecordLostError || got instanceof UnreachableError) continue
      expect(got, `${name} at ${seq}`).toEqual(doc)
      right += 1
    }
  }
  return right
}

test('after damage each state is as it was, or an error, never another one', async () => {
  const { start, db: first, before } = await damaged()
  let db = first
  expect(await rightOnes(db, before)).toBeGreaterThan(250)
  await db.verify()
  const right = await rightOnes(db, before)
  expect(right).toBeGreaterThan(250)
  await db.close()
  db = await start({ readOnly: true })
  await rightOnes(db, before)
  await db.close()
  db = await start()
  expect(await rightOnes(db, before)).toBe(right)
  const ends: unknown[] = []
  for (let i = 0; i < 20; i++) ends.push(await all(db.history(`d${i}`)).catch((error: unknown) => error))
  expect(ends.some((end) => end instanceof RecordLostError)).toBe(true)
  expect(ends.some((end) => Array.isArray(end) && end.length === 3)).toBe(true)
  await db.close()
})

test('an index that is derived anew past what damage took says nothing of what it cannot know', async () => {
  const { disk, start, db: first, before } = await damaged()
  await first.verify()
  await first.close()
  await clearIndex(disk)
  let db = await start()
  expect(await rightOnes(db, before)).toBeGreaterThan(40)
  const { seq } = await db.stats()
  await expect(db.at({ seq })).rejects.toThrow(RecordLostError)
  const later = await db.put({ id: 'd0', later: true }, { overwrite: true })
  expect(await (await db.at({ seq: seq + 1 })).get('d0')).toEqual(later)
  await db.close()
  db = await start()
  await rightOnes(db, before)
  expect(await (await db.at({ seq: seq + 1 })).get('d0')).toEqual(later)
  await db.close()
})

test('records lost together with the index: no state is told from there on, until somebody ends the doubt', async () => {
  const { disk, start, db: first, before } = await damaged()
  await first.close()
  await clearIndex(disk)
  const db = await start()
  expect((await db.stats()).doubt).toBe(true)
  await rightOnes(db, before)
  await db.put({ id: 'd0', later: true }, { overwrite: true })
  await expect(db.at({ seq: (await db.stats()).seq })).rejects.toThrow(RecordLostError)
  await db.verify({ acceptLoss: true })
  await rightOnes(db, before)
  await expect(db.at({ seq: (await db.stats()).seq })).rejects.toThrow(RecordLostError)
  const later = await db.put({ id: 'd1', later: true }, { overwrite: true })
  expect(await (await db.at({ seq: (await db.stats()).seq })).get('d1')).toEqual(later)
  await db.close()
})

test('what lies before the point up to which history was dropped is a HistoryGoneError', async () => {
  const { disk, start } = machine()
  let db = await start()
  const first = await db.put({ id: 'a', n: 1 })
  const second = await db.put({ ...first, n: 2 })
  await db.put({ id: 'b', n: 1 })
  await db.close()
  const manifest = await Manifest.load(disk.storage())
  await manifest!.update(() => ({ historySince: 2 }))
  db = await start()
  const gone = db.at({ seq: 1 })
  await expect(gone).rejects.toThrow(HistoryGoneError)
  await expect(gone).rejects.toMatchObject({ code: 'MYNAH_HISTORY_GONE', since: 2 })
  await expect(db.at({ time: new Date(0) })).rejects.toThrow(HistoryGoneError)
  expect(await (await db.at({ seq: 2 })).get('a')).toEqual(second)
  await db.close()
})
