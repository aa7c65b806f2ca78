import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  ClosedError,
  ConflictError,
  CursorLostError,
  type Database,
  DocumentInvalidError,
  open,
  REMOVE,
} from '../../src/index.js'

let db: Database
beforeEach(async () => {
  db = await open(':memory:')
})
afterEach(() => db.close())

const rev = /^[1-9][0-9]*-[0-9a-f]{32}$/

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

test('a put gives a copy with id and rev, and a get the same', async () => {
  const given = {
    id: 'sensor/1',
    value: 21.5,
    at: new Date(5),
    raw: Uint8Array.of(1, 2),
    big: 5n,
    list: [1, { a: null }],
  }
  const stored = await db.put(given)
  expect(stored).toEqual({ ...given, rev: expect.stringMatching(rev) })
  expect(await db.get('sensor/1')).toEqual(stored)
  given.list.push(2)
  expect((await db.get('sensor/1'))?.list).toEqual([1, { a: null }])
  ;(stored.list as unknown[]).push(3)
  expect((await db.get('sensor/1'))?.list).toEqual([1, { a: null }])
})

test('a document without an id gets a UUIDv7, and those sort as they were made', async () => {
  const docs = []
  for (let i = 0; i < 20; i++) docs.push(await db.put({ i }))
  expect(docs[0]!.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect((await all(db.list())).map((doc) => doc.i)).toEqual(docs.map((doc) => doc.i))
})

test('a put names the rev that it read, or the document must be new', async () => {
  const first = await db.put({ id: 'a', n: 1 })
  await expect(db.put({ id: 'a', n: 2 })).rejects.toThrow(ConflictError)
  const second = await db.put({ ...first, n: 2 })
  expect(second.rev).toMatch(/^2-/)
  const late = db.put({ ...first, n: 3 })
  await expect(late).rejects.toMatchObject({ code: 'MYNAH_CONFLICT', id: 'a', rev: second.rev })
  await expect(db.put({ id: 'new', rev: first.rev, n: 1 })).rejects.toMatchObject({
    code: 'MYNAH_CONFLICT',
    rev: undefined,
  })
  expect((await db.get('a'))?.n).toBe(2)
})

test('a repeated edit is recognised while its revision is a leaf, and a put of the same makes no new one', async () => {
  const first = await db.put({ id: 'a', n: 1 })
  expect(await db.put({ id: 'a', n: 1 })).toEqual(first)
  const second = await db.put({ ...first, n: 2 })
  expect(await db.put({ ...first, n: 2 })).toEqual(second)
  expect(await db.put(second)).toEqual(second)
  const third = await db.put({ ...second, n: 3 })
  await expect(db.put({ ...first, n: 2 })).rejects.toThrow(ConflictError)
  expect((await db.stats()).seq).toBe(3)
  expect(await db.get('a')).toEqual(third)
})

test('overwrite needs no rev', async () => {
  await db.put({ id: 'a', n: 1 }, { overwrite: true })
  const second = await db.put({ id: 'a', n: 2 }, { overwrite: true })
  expect(second.rev).toMatch(/^2-/)
  expect(await db.put({ id: 'a', n: 2 }, { overwrite: true })).toEqual(second)
})

test('a delete is a revision; a put after it goes on from the tombstone', async () => {
  const first = await db.put({ id: 'a', n: 1 })
  await expect(db.delete({ id: 'a', rev: `1-${'0'.repeat(32)}` })).rejects.toThrow(ConflictError)
  const tombstone = await db.delete('a')
  expect(tombstone?.rev).toMatch(/^2-/)
  expect(await db.delete({ id: 'a', rev: first.rev })).toEqual(tombstone)
  expect(await db.delete('a')).toBeUndefined()
  expect(await db.delete('nobody')).toBeUndefined()
  expect(await db.get('a')).toBeUndefined()
  expect(await db.read('a')).toMatchObject({ deleted: true, current: true })
  expect(await db.count()).toBe(0)
  expect((await db.put({ id: 'a', n: 1 })).rev).toMatch(/^3-/)
  expect(await db.count()).toBe(1)
})

test('update retries until it was the first, and REMOVE deletes', async () => {
  await db.put({ id: 'counter', n: 0 })
  await Promise.all(
    Array.from({ length: 20 }, () =>
      db.update<{ n: number }>('counter', (doc) => ({ n: (doc?.n ?? 0) + 1 })),
    ),
  )
  expect(await db.get('counter')).toMatchObject({ n: 20 })
  const made = await db.update<{ n: number }>('fresh', (doc) => ({ n: doc === undefined ? 1 : 2 }))
  expect(made).toMatchObject({ id: 'fresh', n: 1 })
  expect(await db.update('fresh', () => undefined)).toEqual(made)
  expect(await db.update('fresh', () => REMOVE)).toBeUndefined()
  expect(await db.get('fresh')).toBeUndefined()
  await expect(
    db.update<{ n: number }>('counter', (doc) => {
      ;(doc as { n: number }).n = 5
      return doc
    }),
  ).rejects.toThrow(TypeError)
})

test('putMany gives one outcome each, in order, and one refusal does not hinder the rest', async () => {
  const outcomes = await db.putMany([
    { id: 'a', n: 1 },
    { id: '_no', n: 2 },
    { id: 'a', n: 3 },
    { id: 'b', n: Number.NaN },
    { id: 'c', n: 5 },
  ])
  expect(outcomes.map((outcome) => (outcome.ok ? outcome.doc.id : outcome.error.code))).toEqual([
    'a',
    'MYNAH_DOCUMENT_INVALID',
    'MYNAH_CONFLICT',
    'MYNAH_DOCUMENT_INVALID',
    'c',
  ])
  expect(await db.putMany([])).toEqual([])
  expect(await db.getMany(['c', 'none', 'a'])).toMatchObject([{ n: 5 }, undefined, { n: 1 }])
})

test('bad input is a typed error and changes nothing', async () => {
  await expect(db.put({ id: '', n: 1 })).rejects.toThrow(DocumentInvalidError)
  await expect(db.put({ id: '\ud800', n: 1 })).rejects.toThrow(DocumentInvalidError)
  await expect(db.get('')).rejects.toThrow(DocumentInvalidError)
  await expect(all(db.changes({ since: 'nonsense' }))).rejects.toThrow(CursorLostError)
  await expect(all(db.changes({ since: `${'0'.repeat(32)}.7` }))).rejects.toThrow(CursorLostError)
  expect(await db.stats()).toMatchObject({ seq: 0, documents: 0 })
})

test('a member called __proto__ is a member like any other', async () => {
  const given = JSON.parse('{"id":"p","__proto__":{"polluted":1},"constructor":2}')
  await db.put(given)
  await db.seal()
  const back = await db.get('p')
  expect(Object.keys(back!).sort()).toEqual(['__proto__', 'constructor', 'id', 'rev'])
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
})

test('list goes by UTF-8 bytes, in ranges, both ways', async () => {
  const ids = ['a', 'a/1', 'a/2', 'b', 'ä', '\uffee', '😀']
  await db.putMany(ids.toReversed().map((id) => ({ id })))
  await db.seal()
  await db.put({ id: 'a/3' })
  await db.delete('b')
  const listed = async (options?: Parameters<Database['list']>[0]) =>
    (await all(db.list(options))).map((doc) => doc.id)
  expect(await listed()).toEqual(['a', 'a/1', 'a/2', 'a/3', 'ä', '\uffee', '😀'])
  expect(await listed({ reverse: true, limit: 2 })).toEqual(['😀', '\uffee'])
  expect(await listed({ prefix: 'a/' })).toEqual(['a/1', 'a/2', 'a/3'])
  expect(await listed({ gt: 'a/1', lte: 'ä' })).toEqual(['a/2', 'a/3', 'ä'])
  expect(await listed({ gte: 'a/1', lt: 'a/3' })).toEqual(['a/1', 'a/2'])
  expect(await listed({ limit: 0 })).toEqual([])
})

test('changes tells each document once, at its newest change, and goes on from a cursor', async () => {
  const a = await db.put({ id: 'a', n: 1 })
  await db.put({ id: 'b', n: 1 })
  await db.put({ ...a, n: 2 })
  await db.delete('b')
  await db.put({ id: 'c', n: 1 })
  const changes = await all(db.changes({ documents: true }))
  expect(changes.map(({ id, deleted, doc }) => [id, deleted, doc?.n])).toEqual([
    ['a', false, 2],
    ['b', true, undefined],
    ['c', false, 1],
  ])
  expect((await all(db.changes({ since: changes[0]!.cursor }))).map(({ id }) => id)).toEqual(['b', 'c'])
  expect(await all(db.changes({ since: 'now' }))).toEqual([])
  expect((await all(db.changes({ prefix: 'c' }))).length).toBe(1)
  expect((await all(db.changes({ limit: 2 }))).length).toBe(2)
})

test('live changes come as they are committed, end with the signal, and with the database', async () => {
  const seen: string[] = []
  const end = new AbortController()
  const following = (async () => {
    for await (const change of db.changes({ live: true, signal: end.signal })) {
      seen.push(change.id)
      if (change.id === 'c') end.abort(new Error('enough'))
    }
  })()
  await db.put({ id: 'a' })
  await db.put({ id: 'b' })
  const other = (async () => {
    for await (const change of db.changes({ live: true, since: 'now' })) seen.push(`other ${change.id}`)
  })()
  await db.put({ id: 'c' })
  await expect(following).rejects.toThrow('enough')
  await db.close()
  await other
  expect(seen.filter((id) => !id.startsWith('other'))).toEqual(['a', 'b', 'c'])
})

test('a database without a cache opens and reads', async () => {
  const bare = await open(':memory:', { cacheBytes: 0 })
  const stored = await bare.put({ id: 'a', n: 1 })
  await bare.seal()
  expect(await bare.get('a')).toEqual(stored)
  await bare.close()
})

test('after close everything is ClosedError, and close may be called again', async () => {
  await db.close()
  await db.close()
  await expect(db.put({ id: 'a' })).rejects.toThrow(ClosedError)
  await expect(db.get('a')).rejects.toThrow(ClosedError)
  await expect(all(db.list())).rejects.toThrow(ClosedError)
})

test('writes in flight when the database closes are done first', async () => {
  const puts = Array.from({ length: 50 }, (_, i) => db.put({ id: `d${i}` }))
  await db.close()
  expect((await Promise.all(puts)).length).toBe(50)
})
