import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Database, open, UnreachableError } from '../../src/index.js'
import { type BodySource, type LogRecord, replicaOf } from '../../src/replica.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mynah-known-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Makes the leaves of one database known at another, without bodies. */
async function tell(from: Database, to: Database): Promise<void> {
  const { records } = await replicaOf(from).feed({ since: 0, bodies: false, whole: true })
  await replicaOf(to).merge(records, { whole: true })
}

async function bodies(from: Database, id: string): Promise<readonly LogRecord[]> {
  return replicaOf(from).leaves(id)
}

/** Derives the index from the log alone, as after any damage to it. */
async function reopenWithoutIndex(db: Database, location: string): Promise<Database> {
  await db.close()
  await rm(join(location, 'index-1'), { recursive: true })
  return open(location)
}

function sourceOf(db: Database, alter = (record: LogRecord) => record): BodySource {
  return {
    fetch: async (leaves) => (await replicaOf(db).bodies(leaves, { whole: true })).map(alter),
    fetchDocument: async (id) => (await replicaOf(db).leaves(id)).map(alter),
    confirm: async (leaves) => leaves.map(() => false),
    covers: () => true,
    asOf: () => new Date(7),
  }
}

test('a body that was supplied for a later generation is there after the index is derived anew', async () => {
  const location = join(folder, 'db')
  let mirror = await open(location, { mode: 'mirror', shardBytes: 100 })
  const peer = await open(':memory:')
  const first = await peer.put({ id: 'a', n: 1 })
  const second = await peer.put({ ...first, n: 2 })
  await tell(peer, mirror)
  const { outcomes } = await replicaOf(mirror).merge(await bodies(peer, 'a'), { from: 'peer' })
  expect(outcomes).toEqual([{ result: 'supplied' }])
  mirror = await reopenWithoutIndex(mirror, location)
  expect(await mirror.get('a')).toEqual(second)
  expect(await replicaOf(mirror).missing([second])).toEqual([false])
  await mirror.seal()
  mirror = await reopenWithoutIndex(mirror, location)
  expect(await mirror.get('a')).toEqual(second)
  await Promise.all([mirror.close(), peer.close()])
})

test('a put of what is known and not held gives it its body', async () => {
  const mirror = await open(':memory:')
  const peer = await open(':memory:')
  const first = await mirror.put({ id: 'a', n: 1 })
  await mirror.put({ id: 'b', n: 1 })
  const second = await mirror.put({ ...first, n: 2 })
  await tell(mirror, peer)
  expect(await peer.put(second)).toEqual(second)
  expect(await peer.put({ id: 'b', n: 1 })).toMatchObject({ n: 1 })
  expect(await peer.get('a')).toEqual(second)
  expect(await peer.stats()).toMatchObject({ notHeld: 0, documents: 2 })
  expect((await peer.stats()).root).toEqual((await mirror.stats()).root)
  await Promise.all([mirror.close(), peer.close()])
})

test('the newest body held is found when a read had fetched it', async () => {
  const mirror = await open(':memory:')
  const peer = await open(':memory:')
  const first = await mirror.put({ id: 'a', n: 1 })
  await tell(mirror, peer)
  replicaOf(peer).useSource(sourceOf(mirror))
  expect(await peer.get('a')).toEqual(first)
  const second = await mirror.put({ ...first, n: 2 })
  await tell(mirror, peer)
  replicaOf(peer).useSource(undefined)
  expect(await peer.read('a')).toMatchObject({ doc: first, current: false })
  expect(await peer.get('a', { rev: first.rev })).toEqual(first)
  expect(await peer.read('a', { rev: first.rev })).toMatchObject({ current: false })
  expect(await peer.getMany(['a'])).toEqual([first])
  await expect(peer.update<{ n: number }>('a', () => ({ n: 3 }))).rejects.toThrow(UnreachableError)
  expect(second.rev).toMatch(/^2-/)
  await Promise.all([mirror.close(), peer.close()])
})

test('a read goes on to what the mirror has by now', async () => {
  const mirror = await open(':memory:')
  const peer = await open(':memory:')
  const first = await mirror.put({ id: 'a', n: 1 })
  await tell(mirror, peer)
  const second = await mirror.put({ ...first, n: 2 })
  replicaOf(peer).useSource(sourceOf(mirror))
  expect(await peer.get('a')).toEqual(second)
  await Promise.all([mirror.close(), peer.close()])
})

test('a body that does not fit its rev is never returned', async () => {
  const mirror = await open(':memory:')
  const peer = await open(':memory:')
  await mirror.put({ id: 'a', n: 1 })
  await tell(mirror, peer)
  replicaOf(peer).useSource(sourceOf(mirror, (record) => ({ ...record, body: { n: 'forged' } })))
  await expect(peer.get('a')).rejects.toThrow(UnreachableError)
  await Promise.all([mirror.close(), peer.close()])
})

test('a relaxed write that hides a durable one is made durable before the feed passes it', async () => {
  const db = await open(join(folder, 'db'), { durability: 'relaxed' })
  const first = await db.put({ id: 'a', n: 1 })
  await db.seal()
  await db.put({ id: 'b', n: 1 })
  await db.seal()
  await db.put({ ...first, n: 2 })
  const page = await replicaOf(db).feed({ since: 0, bodies: true })
  const next = await replicaOf(db).feed({ since: page.position.seq, bodies: true })
  expect([...page.records, ...next.records].map(({ id, body }) => [id, body])).toContainEqual(['a', { n: 2 }])
  await db.close()
})

test('verify ends while writes go on', async () => {
  const db = await open(':memory:')
  await db.putMany(Array.from({ length: 3_000 }, (_, i) => ({ id: `d${i}`, i })))
  let writing = true
  const writer = (async () => {
    for (let i = 0; writing; i++) await db.put({ id: 'busy', i }, { overwrite: true })
  })()
  expect(await db.verify()).toEqual({ ok: true, findings: [], repaired: [] })
  writing = false
  await writer
  await db.close()
})

test('what was deleted does not come back while its successor is known and not held', async () => {
  const mirror = await open(':memory:')
  const peer = await open(':memory:')
  await mirror.put({ id: 'a', n: 1 })
  await tell(mirror, peer)
  await replicaOf(peer).merge(await bodies(mirror, 'a'))
  const deleted = await peer.delete('a')
  await tell(peer, mirror)
  expect(await mirror.put({ id: 'a', n: 2 })).toMatchObject({ rev: expect.stringMatching(/^3-/) })
  await tell(mirror, peer)
  expect(deleted?.rev).toMatch(/^2-/)
  expect(await peer.read('a', { freshness: 'local' })).not.toHaveProperty('doc')
  await expect(peer.get('a')).rejects.toThrow(UnreachableError)
  await Promise.all([mirror.close(), peer.close()])
})

test('a tombstone behind a live leaf that is not held does not stand for the document', async () => {
  const mirror = await open(':memory:')
  const peer = await open(':memory:')
  const first = await mirror.put({ id: 'a', n: 1 })
  await tell(mirror, peer)
  await replicaOf(peer).merge(await bodies(mirror, 'a'))
  await peer.delete('a')
  await mirror.put({ ...first, n: 2 })
  await tell(mirror, peer)
  expect(await peer.read('a', { freshness: 'local' })).toMatchObject({ current: false, deleted: false })
  expect(await peer.get('a', { freshness: 'local' })).toBeUndefined()
  await expect(peer.get('a')).rejects.toThrow(UnreachableError)
  // Its put on nothing would conflict, again and again.
  await expect(peer.update('a', () => ({ n: 3 }))).rejects.toThrow(UnreachableError)
  await Promise.all([mirror.close(), peer.close()])
})
