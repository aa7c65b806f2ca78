import { expect, test } from 'vitest'
import { type Database, type OpenOptions, open } from '../../src/index.js'
import { MemoryDisk } from '../../src/storage/memory-disk.js'

// What a program without types gives.
const any = <T>(value: unknown) => value as T

test.each([
  ['mode', 'miror', TypeError],
  ['durability', 'full', TypeError],
  ['cacheBytes', '32MB', RangeError],
  ['cacheBytes', -1, RangeError],
  ['shardBytes', 0, RangeError],
  ['shardBytes', Number.NaN, RangeError],
  ['heldBytes', 1.5, RangeError],
])('%s: %j is no option, and is told by its name', async (name, value, fault) => {
  const opening = open(':memory:', any<OpenOptions>({ [name]: value }))
  await expect(opening).rejects.toThrow(fault)
  await expect(opening).rejects.toThrow(name)
})

test('a mode that there is not changes nothing: the database opens again', async () => {
  const disk = new MemoryDisk()
  const opened = () => open('here', { storage: disk.storage(), level: (location) => disk.level(location) })
  const db = await opened()
  await expect(db.setMode(any('miror'))).rejects.toThrow(TypeError)
  expect(db.mode).toBe('peer')
  await db.close()
  const again = await opened()
  expect(again.mode).toBe('peer')
  await again.close()
})

test.each<[string, (db: Database) => Promise<unknown>]>([
  ['putMany of one document', (db) => db.putMany(any<object[]>({ id: 'a' }))],
  ['putMany of a text', (db) => db.putMany(any<object[]>('abc'))],
  ['getMany of one id', (db) => db.getMany('abc')],
  ['evict of one id', (db) => db.evict('abc')],
  ['pin of one id', (db) => db.pin('abc')],
  ['unpin of nothing', (db) => db.unpin(any(undefined))],
  ['getMany in a transaction', (db) => db.transaction((tx) => tx.getMany('abc'))],
])('%s is no list', async (_, call) => {
  await using db = await open(':memory:')
  await expect(call(db)).rejects.toThrow(/must be an array, or another iterable/)
})

test.each([undefined, {}, 5, Symbol('a')])('what is no id is told as that by a read', async (id) => {
  await using db = await open(':memory:')
  await expect(db.get(any(id))).rejects.toMatchObject({ code: 'MYNAH_DOCUMENT_INVALID', path: 'id' })
  await expect(db.read(any(id))).rejects.toMatchObject({ code: 'MYNAH_DOCUMENT_INVALID', path: 'id' })
})

test('a read of no freshness that there is, or that waits for no time, is none', async () => {
  await using db = await open(':memory:')
  await db.put({ id: 'a' })
  await expect(db.get('a', any({ freshness: 'newest' }))).rejects.toThrow(/freshness/)
  await expect(db.getMany(['a'], any({ freshness: 'newest' }))).rejects.toThrow(/freshness/)
  await expect(db.read('a', { waitMs: Number.NaN })).rejects.toThrow(/waitMs/)
})

const untyped = (db: Database, name: keyof Database) =>
  (db[name] as unknown as (...given: readonly unknown[]) => Promise<unknown>).bind(db)

test('what is to be called is a function', async () => {
  await using db = await open(':memory:')
  for (const run of [undefined, null, 5, {}]) {
    await expect(untyped(db, 'transaction')(run)).rejects.toThrow(/^run must be a function/)
    await expect(untyped(db, 'resolve')('a', run)).rejects.toThrow(/^merge must be a function/)
  }
  await expect(untyped(db, 'transaction')(() => 1, { signal: 5 })).rejects.toThrow(/^signal must be/)
})

test('a moment is a seq or a time', async () => {
  await using db = await open(':memory:')
  await db.put({ id: 'a', n: 1 })
  for (const moment of [
    undefined,
    null,
    5,
    '',
    {},
    [],
    { seq: undefined },
    { seq: '1' },
    { time: 5 },
    { time: new Date(Number.NaN) },
  ])
    await expect(untyped(db, 'at')(moment)).rejects.toThrow(/^at\(\) takes/)
  for (const seq of [-1, 1.5, 99, Number.NaN]) await expect(db.at({ seq })).rejects.toThrow(RangeError)
})

test('a database opens with options that are some, or not at all', async () => {
  const wrong = {
    mode: ['mirrors', 5],
    createIfMissing: ['no', 0],
    readOnly: [1, 'true'],
    durability: ['full', true],
    cacheBytes: [-1, 1.5, '5'],
    shardBytes: [0, -1, '5'],
    heldBytes: [-1, 0.5],
    storage: [5, 'memory'],
    level: [5, {}],
    env: [5],
    onProgress: [5],
  }
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values)
      await expect(open(':memory:', { [name]: value }), name).rejects.toThrow(new RegExp(`^${name} must be`))
  }
  await expect(open(':memory:', null as never)).rejects.toThrow(/^options must be an object/)
})

test('maintenance takes options that are some, or none', async () => {
  await using db = await open(':memory:')
  await db.put({ id: 'a', n: 1 })
  for (const name of ['seal', 'compact', 'verify'] as const) {
    await expect(untyped(db, name)({ signal: 5 }), name).rejects.toThrow(/^signal must be/)
    await expect(untyped(db, name)(5), name).rejects.toThrow(/^options must be/)
  }
  await expect(untyped(db, 'verify')({ repair: 'yes' })).rejects.toThrow(/^repair must be/)
  expect(await db.get('a')).toMatchObject({ n: 1 })
})
