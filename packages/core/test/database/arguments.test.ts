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
