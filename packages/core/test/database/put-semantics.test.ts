import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  ClosedError,
  ConflictError,
  type Database,
  type Document,
  DocumentInvalidError,
  limits,
  MynahError,
  open,
  REMOVE,
} from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'

let db: Database
beforeEach(async () => {
  db = await open(':memory:')
})
afterEach(() => db.close())

const GHOST = `1-${'0'.repeat(32)}`

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

async function seq(): Promise<number> {
  return (await db.stats()).seq
}

/** What a document went through before a write: its revisions, the newest last. */
type Past = 'nothing' | 'one' | 'two' | 'deleted' | 'conflict'

async function given(past: Past): Promise<{ first: Document; last: Document }> {
  if (past === 'nothing') return { first: { rev: GHOST }, last: { rev: GHOST } }
  const first = await db.put<Document>({ id: 'a', n: 1 })
  if (past === 'one') return { first, last: first }
  if (past === 'deleted') return { first, last: (await db.delete('a'))! as Document }
  const last = await db.put<Document>({ ...first, n: 2 })
  if (past === 'conflict') {
    const other = await open(':memory:')
    const made = await other.put<Document>({ id: 'a', n: 1 })
    await other.put<Document>({ ...made, n: 20 })
    await replicaOf(db).merge(await replicaOf(other).leaves('a'), { whole: true })
    await other.close()
  }
  return { first, last }
}

interface Row {
  readonly what: string
  readonly past: Past
  readonly doc: (past: { first: Document; last: Document }) => Document
  readonly overwrite?: boolean
  /** Generation of the revision that comes out, or the refusal. */
  readonly gives: number | 'conflict'
  /** Whether something was written. Default: when it is not refused. */
  readonly written?: boolean
}

const table: readonly Row[] = [
  { what: 'no rev, new', past: 'nothing', doc: () => ({ n: 9 }), gives: 1 },
  {
    what: 'a rev, but there is no document',
    past: 'nothing',
    doc: () => ({ rev: GHOST, n: 9 }),
    gives: 'conflict',
  },
  { what: 'no rev, but there is one', past: 'one', doc: () => ({ n: 9 }), gives: 'conflict' },
  { what: 'no rev, and the same again', past: 'one', doc: () => ({ n: 1 }), gives: 1, written: false },
  { what: 'the current rev', past: 'one', doc: ({ last }) => ({ rev: last.rev!, n: 9 }), gives: 2 },
  {
    what: 'the current rev, nothing changed',
    past: 'two',
    doc: ({ last }) => ({ ...last }),
    gives: 2,
    written: false,
  },
  { what: 'an old rev', past: 'two', doc: ({ first }) => ({ rev: first.rev!, n: 9 }), gives: 'conflict' },
  {
    what: 'an edit done already',
    past: 'two',
    doc: ({ first }) => ({ rev: first.rev!, n: 2 }),
    gives: 2,
    written: false,
  },
  { what: 'a rev that never was', past: 'one', doc: () => ({ rev: GHOST, n: 9 }), gives: 'conflict' },
  { what: 'no rev, on a deletion', past: 'deleted', doc: () => ({ n: 9 }), gives: 3 },
  { what: 'what was deleted, as it was', past: 'deleted', doc: () => ({ n: 1 }), gives: 3 },
  {
    what: 'the rev before the deletion',
    past: 'deleted',
    doc: ({ first }) => ({ rev: first.rev!, n: 9 }),
    gives: 'conflict',
  },
  {
    what: 'the rev of one branch',
    past: 'conflict',
    doc: ({ last }) => ({ rev: last.rev!, n: 9 }),
    gives: 3,
  },
  { what: 'no rev, on a conflict', past: 'conflict', doc: () => ({ n: 9 }), gives: 'conflict' },
  { what: 'overwrite, new', past: 'nothing', doc: () => ({ n: 9 }), overwrite: true, gives: 1 },
  { what: 'overwrite', past: 'two', doc: () => ({ n: 9 }), overwrite: true, gives: 3 },
  {
    what: 'overwrite with an old rev',
    past: 'two',
    doc: ({ first }) => ({ rev: first.rev!, n: 9 }),
    overwrite: true,
    gives: 3,
  },
  {
    what: 'overwrite with the same',
    past: 'two',
    doc: () => ({ n: 2 }),
    overwrite: true,
    gives: 2,
    written: false,
  },
  { what: 'overwrite on a deletion', past: 'deleted', doc: () => ({ n: 9 }), overwrite: true, gives: 3 },
]

describe.each(table)('put: $what ($past)', ({ past, doc, overwrite, gives, written }) => {
  for (const many of [false, true])
    test(many ? 'among many' : 'alone', async () => {
      const state = await given(past)
      const before = await seq()
      const winner = (await db.read('a', { freshness: 'local' })).doc
      const input: Document = { ...doc(state), id: 'a' }
      const options = overwrite ? { overwrite } : {}
      const put = async () => {
        if (!many) return db.put<Document>(input, options)
        const [outcome] = await db.putMany<Document>([input], options)
        if (!outcome!.ok) throw outcome!.error
        return outcome!.doc
      }
      const result = await put().catch((error: unknown) => error)
      if (gives === 'conflict') {
        expect(result).toBeInstanceOf(ConflictError)
        const tombstone = past === 'deleted' ? state.last.rev : undefined
        expect((result as ConflictError).rev).toBe(winner?.rev ?? tombstone)
        expect(await seq()).toBe(before)
        expect((await db.read('a', { freshness: 'local' })).doc).toEqual(winner)
        return
      }
      const { rev: _, ...members } = input
      expect(result).toEqual({ ...members, rev: expect.stringMatching(new RegExp(`^${gives}-`)) })
      expect(await seq()).toBe(before + (written === false ? 0 : 1))
      expect(await db.get('a', { rev: (result as Document).rev! })).toEqual(result)
    })
})

test.each([
  { what: 'by id', past: 'two', target: () => 'a', gives: 3 },
  { what: 'by ref', past: 'two', target: ({ last }) => ({ id: 'a', rev: last.rev! }), gives: 3 },
  {
    what: 'by an old ref',
    past: 'two',
    target: ({ first }) => ({ id: 'a', rev: first.rev! }),
    gives: 'conflict',
  },
  {
    what: 'by a ref that never was',
    past: 'one',
    target: () => ({ id: 'a', rev: GHOST }),
    gives: 'conflict',
  },
  { what: 'by id, again', past: 'deleted', target: () => 'a', gives: undefined },
  { what: 'by ref, again', past: 'deleted', target: ({ first }) => ({ id: 'a', rev: first.rev! }), gives: 2 },
  { what: 'by id, of nothing', past: 'nothing', target: () => 'a', gives: undefined },
  { what: 'by ref, of nothing', past: 'nothing', target: () => ({ id: 'a', rev: GHOST }), gives: undefined },
] satisfies {
  what: string
  past: Past
  target: (past: { first: Document; last: Document }) => string | { id: string; rev: string }
  gives: number | 'conflict' | undefined
}[])('delete $what ($past)', async ({ past, target, gives }) => {
  const state = await given(past)
  const result = await db.delete(target(state)).catch((error: unknown) => error)
  if (gives === 'conflict') expect(result).toBeInstanceOf(ConflictError)
  else if (gives === undefined) expect(result).toBeUndefined()
  else expect(result).toEqual({ id: 'a', rev: expect.stringMatching(new RegExp(`^${gives}-`)) })
})

test('deleting one branch of a conflict leaves the other', async () => {
  await given('conflict')
  const { doc, conflicts } = await db.read('a')
  await db.delete(doc as { id: string; rev: string })
  expect(await db.read('a')).toMatchObject({ doc: { rev: conflicts[0] }, conflicts: [], deleted: false })
})

test('an update: nothing, a document, REMOVE, somebody faster, what its function throws', async () => {
  expect(await db.update('a', () => undefined)).toBeUndefined()
  expect(await db.update('a', () => REMOVE)).toBeUndefined()
  expect(await seq()).toBe(0)
  expect(await db.update('a', () => ({ n: 1, rev: 'ignored', id: 'a' }))).toMatchObject({ id: 'a', n: 1 })
  await expect(db.update('a', () => ({ id: 'b', n: 1 }))).rejects.toThrow(DocumentInvalidError)
  await expect(
    db.update('a', () => {
      throw new Error('its own')
    }),
  ).rejects.toThrow('its own')
  expect(await seq()).toBe(1)
  let runs = 0
  await db.update<{ n: number }>('a', async (doc) => {
    runs += 1
    if (runs < 3) await db.put({ id: 'a', n: 10 * runs }, { overwrite: true })
    return { n: doc!.n + 1 }
  })
  expect(runs).toBe(3)
  expect(await db.get('a')).toMatchObject({ n: 21 })
  let removals = 0
  await db.update('a', async () => {
    removals += 1
    if (removals === 1) await db.put({ id: 'a', n: 50 }, { overwrite: true })
    return REMOVE
  })
  expect(removals).toBe(2)
  expect(await db.read('a')).toMatchObject({ deleted: true })
})

test('what is given stays the caller’s, what comes out is a copy, and an update’s argument is frozen, deep down', async () => {
  const mine = { id: 'a', list: [{ n: 1 }], bytes: Uint8Array.of(1), at: new Date(0) }
  const putting = db.put(mine)
  mine.list[0]!.n = 2
  mine.bytes[0] = 2
  mine.at.setTime(2)
  const stored = await putting
  const expected = { id: 'a', rev: stored.rev, list: [{ n: 1 }], bytes: Uint8Array.of(1), at: new Date(0) }
  expect(stored).toEqual(expected)
  const reads: (() => Promise<unknown>)[] = [
    () => db.get('a'),
    async () => (await db.read('a')).doc,
    async () => (await db.getMany(['a']))[0],
    async () => (await all(db.list()))[0],
    async () => (await all(db.changes({ documents: true })))[0]!.doc,
    async () => (await all(db.history('a')))[0]!.doc,
    async () => (await db.at({ seq: 1 })).get('a'),
  ]
  for (const sealed of [false, true]) {
    if (sealed) await db.seal()
    for (const read of reads) {
      const doc = (await read()) as typeof mine
      doc.list[0]!.n = 9
      doc.bytes[0] = 9
      doc.at.setTime(9)
      for (const other of reads) expect(await other()).toEqual(expected)
    }
  }
  await db.update<typeof mine>('a', (doc) => {
    expect(Object.isFrozen(doc)).toBe(true)
    expect(Object.isFrozen(doc!.list[0])).toBe(true)
    return undefined
  })
})

test.each([
  ['an empty id', { id: '' }],
  ['an id of more than 1,024 bytes', { id: 'ä'.repeat(limits.idBytes / 2 + 1) }],
  ['an id that begins with _', { id: '_a' }],
  ['an id with a control character', { id: 'a\n' }],
  ['an ill-formed id', { id: '\ud800' }],
  ['a malformed rev', { id: 'a', rev: 'newest' }],
  ['a function', { f: () => 1 }],
  ['a Map', { m: new Map() }],
  ['a symbol', { s: Symbol('s') }],
  ['an ill-formed string', { s: '\udc00' }],
  ['an invalid Date', { d: new Date(Number.NaN) }],
  ['Infinity', { n: Number.POSITIVE_INFINITY }],
  ['too deep', { deep: JSON.parse(`${'['.repeat(limits.depth)}${']'.repeat(limits.depth)}`) }],
  ['too large', { text: 'x'.repeat(limits.bodyBytes + 1) }],
] as readonly [string, Document][])(
  '%s is refused, alone and among many, and changes nothing',
  async (_, doc) => {
    await expect(db.put(doc)).rejects.toThrow(DocumentInvalidError)
    const [bad, good] = await db.putMany<Document>([doc, { id: 'good' }])
    expect(bad).toMatchObject({ ok: false, error: { code: 'MYNAH_DOCUMENT_INVALID' } })
    expect(good).toMatchObject({ ok: true })
    expect(await seq()).toBe(1)
  },
)

test('the longest id, the deepest value and the largest rev that are allowed are stored', async () => {
  const id = 'ä'.repeat(limits.idBytes / 2)
  const deep = JSON.parse(`${'['.repeat(limits.depth - 1)}${']'.repeat(limits.depth - 1)}`)
  const stored = await db.put<Document>({ id, deep })
  await db.seal()
  expect(await db.get(id)).toEqual(stored)
})

function over(): AbortSignal {
  return AbortSignal.abort(new Error('over'))
}

test.each([
  ['put', (signal) => db.put({ id: 'x' }, { signal })],
  ['putMany', (signal) => db.putMany([{ id: 'x' }], { signal })],
  ['update', (signal) => db.update('x', () => ({ n: 1 }), { signal })],
  ['transaction', (signal) => db.transaction((tx) => tx.put({ id: 'x' }), { signal })],
  ['get', (signal) => db.get('d1', { signal })],
  ['read', (signal) => db.read('d1', { signal })],
  ['getMany', (signal) => db.getMany(['d1', 'd2'], { signal })],
  ['list', (signal) => all(db.list({ signal }))],
  ['changes', (signal) => all(db.changes({ signal }))],
  ['live changes', (signal) => all(db.changes({ signal, live: true, limit: 1 }))],
  ['history', (signal) => all(db.history('d1', { signal }))],
  ['a snapshot', async (signal) => (await db.at({ seq: 1 })).getMany(['d1'], { signal })],
  ['seal', (signal) => db.seal({ signal })],
  ['verify', (signal) => db.verify({ signal })],
] as readonly [string, (signal: AbortSignal) => Promise<unknown>][])(
  '%s ends with the signal’s reason and leaves everything usable',
  async (_, run) => {
    for (let i = 0; i < 20; i++) await db.put({ id: `d${i}`, i })
    await expect(run(over())).rejects.toThrow('over')
    expect(await db.get('x')).toBeUndefined()
    expect(await db.count()).toBe(20)
    await db.put({ id: 'x' })
    await run(new AbortController().signal).catch((error: unknown) => {
      if (!(error instanceof MynahError)) throw error
    })
    expect((await db.verify()).ok).toBe(true)
  },
)

test('a write whose signal fires while it waits for its turn is not written, and the others are', async () => {
  const end = new AbortController()
  const first = db.put({ id: 'a' })
  await first
  const writes = [db.put({ id: 'b' }), db.put({ id: 'c' }, { signal: end.signal }), db.put({ id: 'd' })]
  const many = db.putMany([{ id: 'e' }, { id: 'f' }], { signal: end.signal })
  end.abort(new Error('over'))
  const ends = await Promise.allSettled([...writes, many])
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected'])
  expect((await all(db.list())).map(({ id }) => id)).toEqual(['a', 'b', 'd'])
})

test('await using closes', async () => {
  let kept: Database
  {
    await using scoped = await open(':memory:')
    kept = scoped
    await scoped.put({ id: 'a' })
  }
  await expect(kept.get('a')).rejects.toThrow(ClosedError)
})
