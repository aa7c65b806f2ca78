import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MemoryDisk } from '../../src/compliance.js'
import {
  ClosedError,
  type Database,
  type Document,
  HoldsAllError,
  open,
  ReadOnlyError,
  type Stored,
  UnconfirmedError,
  UnreachableError,
} from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'
import { MirrorSource, tellAll } from './mirror-source.js'

let disk: MemoryDisk
let mirror: Database
let peer: Database
let source: MirrorSource

async function openPeer(options: object = {}): Promise<Database> {
  const db = await open('peer', { storage: disk.storage(), level: (at) => disk.level(at), ...options })
  replicaOf(db).useSource(source)
  return db
}

beforeEach(async () => {
  disk = new MemoryDisk()
  mirror = await open(':memory:', { mode: 'mirror' })
  source = new MirrorSource(mirror)
  peer = await openPeer()
})
afterEach(() => Promise.all([peer.close(), mirror.close()]))

async function putAndPush(...docs: Document[]): Promise<Stored[]> {
  const put: Stored[] = []
  for (const doc of docs) put.push(await peer.put(doc))
  await tellAll(peer, mirror, { bodies: true })
  return put
}

const held = async (doc: { id: string; rev: string }) =>
  (await replicaOf(peer).missing([doc])).every((missing) => !missing)

/** Drops the derived index, as after any damage to it. */
async function rebuildIndex(): Promise<void> {
  await peer.close()
  for (const at of disk.levels()) disk.removeLevel(at)
  peer = await openPeer()
}

describe('what is evicted', () => {
  test('is known as before, takes no place in the feed, and is fetched when it is read', async () => {
    const [a, b] = await putAndPush({ id: 'a', n: 1 }, { id: 'b', n: 2 })
    const before = await peer.stats()
    const cursor = replicaOf(peer).position()
    expect(await peer.evict(['a'])).toBe(1)
    expect(await peer.stats()).toMatchObject({
      documents: 2,
      root: before.root,
      notHeld: 1,
      owed: 0,
    })
    expect(await held(a!)).toBe(false)
    expect((await replicaOf(peer).feed({ since: cursor.seq, bodies: true })).records).toEqual([])
    expect(await peer.get('b', { freshness: 'local' })).toEqual(b)
    expect(await peer.get('a', { freshness: 'local' })).toBeUndefined()
    expect(source.fetched).toBe(0)
    expect(await peer.read('a')).toMatchObject({ doc: a, current: true, from: 'mirror' })
    expect(await peer.read('a')).toMatchObject({ doc: a, current: true, from: 'local' })
    expect(source.fetched).toBe(1)
  })

  test('is told as a stub, though the log still has its bytes', async () => {
    const [a] = await putAndPush({ id: 'a', n: 1 })
    await peer.evict(['a'])
    for (const whole of [false, true]) {
      const { records } = await replicaOf(peer).feed({ since: 0, bodies: true, whole })
      expect(records).toMatchObject([{ kind: 'stub', id: 'a', rev: a!.rev }])
      expect(records[0]).not.toHaveProperty('body')
    }
    expect(await replicaOf(peer).leaves('a')).toMatchObject([{ kind: 'stub' }])
    expect(await replicaOf(peer).bodies([a!])).toEqual([])
    expect((await replicaOf(peer).held([a!])).held).toEqual([false])
    for await (const { doc } of peer.changes({ documents: true })) expect(doc).toBeUndefined()
    for await (const doc of peer.list()) expect(doc).toBeUndefined()
  })

  test('stays so through sealing, a restart, and an index derived anew', async () => {
    const [a, b] = await putAndPush({ id: 'a', n: 1 }, { id: 'b', n: 2 })
    const { root } = await peer.stats()
    await peer.evict(['a', 'b'])
    await peer.get('b')
    await peer.seal()
    for (const again of [rebuildIndex, rebuildIndex]) {
      await again()
      expect(await peer.stats()).toMatchObject({ root, notHeld: 1, owed: 0 })
      expect(await held(a!)).toBe(false)
      expect(await held(b!)).toBe(true)
      expect(await peer.verify()).toMatchObject({ ok: true })
    }
  })

  test('goes back to a mirror that lost it, while the log has it', async () => {
    const [a] = await putAndPush({ id: 'a', n: 1 })
    await peer.evict(['a'])
    const { records } = await replicaOf(peer).heldUnder([a!])
    expect(records).toMatchObject([{ kind: 'revision', rev: a!.rev, body: { n: 1 } }])
  })

  test('is held again when it is put again as it was', async () => {
    const [a] = await putAndPush({ id: 'a', n: 1 })
    await peer.evict(['a'])
    expect(await peer.put({ ...a })).toEqual(a)
    expect(await peer.get('a', { freshness: 'local' })).toEqual(a)
    expect(await peer.evict(['a'])).toBe(1)
  })

  test('is owed from the moment that the peer becomes a mirror', async () => {
    const [a] = await putAndPush({ id: 'a', n: 1 })
    await peer.evict(['a'])
    expect(await replicaOf(peer).owedCount()).toBe(0)
    await peer.setMode('mirror')
    expect(await replicaOf(peer).owed({ limit: 10 })).toEqual({ leaves: [{ id: 'a', rev: a!.rev }] })
  })

  test('can be edited, whoever edits', async () => {
    const [a] = await putAndPush({ id: 'a', n: 1 })
    await peer.evict(['a'])
    const next = await peer.update('a', (doc) => ({ ...doc, n: 2 }))
    expect(next).toMatchObject({ n: 2 })
    expect((await peer.read('a')).conflicts).toEqual([])
    await peer.evict(['a'])
    await mirror.put({ ...a, n: 3 })
    await tellAll(mirror, peer, { bodies: false })
    expect((await peer.read('a')).conflicts).toHaveLength(1)
  })
})

describe('what stays', () => {
  test('what was not pushed', async () => {
    await putAndPush({ id: 'a', n: 1 })
    await peer.put({ id: 'b', n: 1 })
    const edited = await peer.put({ id: 'a', n: 2 }, { overwrite: true })
    expect(await peer.evict(['a', 'b', 'unknown'])).toBe(0)
    expect(await held(edited)).toBe(true)
  })

  test('what the mirror does not hold either, and what it went on from', async () => {
    const [a, b] = await putAndPush({ id: 'a', n: 1 }, { id: 'b', n: 1 })
    const other = await open(':memory:', { mode: 'mirror' })
    await tellAll(peer, other, { bodies: false })
    replicaOf(peer).useSource(new MirrorSource(other))
    expect(await peer.evict(['a', 'b'])).toBe(0)
    replicaOf(peer).useSource(source)
    await mirror.put({ ...a, n: 2 })
    expect(await peer.evict(['a', 'b'])).toBe(1)
    expect([await held(a!), await held(b!)]).toEqual([true, false])
    await other.close()
  })

  test('what a peer says to hold', async () => {
    await putAndPush({ id: 'a', n: 1 })
    await mirror.setMode('peer')
    expect(await peer.evict(['a'])).toBe(0)
    await mirror.setMode('mirror')
    expect(await peer.evict(['a'])).toBe(1)
  })

  test('tombstones, and a document with one', async () => {
    await putAndPush({ id: 'a', n: 1 })
    await peer.delete('a')
    await tellAll(peer, mirror, { bodies: true })
    const { notHeld } = await peer.stats()
    expect(await peer.evict(['a'])).toBe(0)
    expect(await peer.stats()).toMatchObject({ notHeld })
  })

  test('of conflicting leaves the one that the mirror does not name', async () => {
    await peer.put({ id: 'a', by: 'peer' })
    await mirror.put({ id: 'a', by: 'mirror' })
    await tellAll(mirror, peer, { bodies: true })
    expect(await peer.evict(['a'])).toBe(1)
    expect(await peer.stats()).toMatchObject({ notHeld: 1, conflicts: 1 })
    await tellAll(peer, mirror, { bodies: true })
    expect(await peer.evict(['a'])).toBe(1)
    expect(await peer.stats()).toMatchObject({ notHeld: 2, conflicts: 1 })
  })

  test('what changed, or became a mirror, after the mirror was asked', async () => {
    const [a] = await putAndPush({ id: 'a', n: 1 }, { id: 'b', n: 1 }, { id: 'c', n: 1 })
    source.meanwhile = async () => {
      source.meanwhile = async () => undefined
      await peer.put({ ...a, n: 2 })
      await peer.evict(['b'])
      await peer.get('b')
    }
    expect(await peer.evict(['a', 'b', 'c'])).toBe(1)
    expect(await peer.get('a', { freshness: 'local' })).toMatchObject({ n: 2 })
    expect(await peer.get('b', { freshness: 'local' })).toMatchObject({ n: 1 })
    source.meanwhile = () => peer.setMode('mirror')
    await expect(peer.evict(['b'])).rejects.toThrow(HoldsAllError)
    expect(await peer.get('b', { freshness: 'local' })).toMatchObject({ n: 1 })
  })
})

describe('errors, before anything is dropped', () => {
  test('on a mirror, and with hold all', async () => {
    await expect(mirror.evict(['a'])).rejects.toThrow(HoldsAllError)
    const replica = replicaOf(peer)
    await replica.setSettings({ ...replica.settings(), hold: 'all' })
    await expect(peer.evict([])).rejects.toThrow(HoldsAllError)
  })

  test('without replication, and when no mirror answers', async () => {
    await putAndPush({ id: 'a', n: 1 })
    replicaOf(peer).useSource(undefined)
    await expect(peer.evict(['a'])).rejects.toThrow(UnconfirmedError)
    replicaOf(peer).useSource(source)
    source.meanwhile = () => Promise.reject(new UnreachableError('a'))
    await expect(peer.evict(['a'])).rejects.toMatchObject({ code: 'MYNAH_UNCONFIRMED', retryable: true })
    expect(await peer.stats()).toMatchObject({ notHeld: 0 })
  })

  test('one that comes later tells how many were dropped before', async () => {
    await putAndPush(...Array.from({ length: 600 }, (_, n) => ({ id: `d${n}` })))
    source.meanwhile = async () => {
      source.meanwhile = () => Promise.reject(new UnreachableError('a'))
    }
    const ids = Array.from({ length: 600 }, (_, n) => `d${n}`)
    await expect(peer.evict(ids)).rejects.toMatchObject({ code: 'MYNAH_UNCONFIRMED', evicted: 500 })
    expect(await peer.stats()).toMatchObject({ notHeld: 500 })
  })

  test('of ids that are none, and of a database that is read-only or closed', async () => {
    await expect(peer.evict(['a', ''])).rejects.toMatchObject({ code: 'MYNAH_DOCUMENT_INVALID' })
    await peer.close()
    await expect(peer.evict(['a'])).rejects.toThrow(ClosedError)
    peer = await openPeer({ readOnly: true })
    await expect(peer.evict(['a'])).rejects.toThrow(ReadOnlyError)
  })
})
