import { type Database, limits } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { MemoryMirror } from './memory-mirror.js'
import { count, inboxOf, known, putMany, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

const pushOnly = { scope: { prefixes: [] } }

/** The transactions that the mirror took, as ids. */
async function together(mirror: MemoryMirror, ids: readonly string[]): Promise<string[][]> {
  const leaves = await Promise.all(ids.map((id) => mirror.replica.leaves(id)))
  const transactions = await mirror.replica.together(leaves.flat())
  return transactions.map((members) => members.map(({ id }) => id))
}

async function putAll(db: Database, ids: readonly string[], n: number): Promise<void> {
  await db.transaction(async (tx) => {
    for (const id of ids) await tx.put({ id, n }, { overwrite: true })
  })
}

/** Gives a document at the mirror as many live leaves as it may have for a peer to add one. */
async function crowd({ replica }: MemoryMirror, id: string): Promise<void> {
  const other = await rig.database()
  await other.putMany(Array.from({ length: limits.liveLeaves }, (_, n) => ({ id: `${n}`, crowd: n })))
  const { records } = await replicaOf(other).feed({ since: 0, bodies: true })
  await replica.merge(records.map((record) => ({ ...record, id })))
}

test('a transaction is pushed in one request, whatever the pages of the feed', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await putMany(db, 'noise', 3, 300_000)
  const ids = Array.from({ length: 12 }, (_, n) => `t${n}`)
  await db.transaction(async (tx) => {
    // More than a page of the feed.
    for (const id of ids)
      await tx.put({ id, bytes: crypto.getRandomValues(new Uint8Array(65_536)), more: 'x'.repeat(200_000) })
  })
  await db.put({ id: 'after' })
  const replication = await rig.replicate(db, mirror, pushOnly)
  await replication.synced()
  expect(await known(mirror.database)).toEqual(await known(db))
  expect(await together(mirror, ['t5', 'after', 'noise0'])).toEqual([ids])
})

test('what was written again since goes with its successor, the others together', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await putAll(db, ['a', 'b', 'c'], 1)
  await db.put({ id: 'b', n: 2 }, { overwrite: true })
  const replication = await rig.replicate(db, mirror, pushOnly)
  await replication.synced()
  expect(await known(mirror.database)).toEqual(await known(db))
  expect(await together(mirror, ['a', 'b', 'c'])).toEqual([['a', 'c']])
})

test('one of its documents that the feed tells of later, for another change, is sent with it', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await putAll(db, ['a', 'b'], 1)
  await putMany(db, 'noise', 4, 400_000)
  const other = await rig.database()
  await other.put({ id: 'b', n: 2 })
  await replicaOf(db).merge(await replicaOf(other).leaves('b'), { whole: true })
  const replication = await rig.replicate(db, mirror, pushOnly)
  await replication.synced()
  expect(await known(mirror.database)).toEqual(await known(db))
  expect(await together(mirror, ['a'])).toEqual([['a', 'b']])
})

test('one that cannot be attached is sent again with whole paths, together', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  mirror.detaches = true
  for (const n of [1, 2, 3]) await putAll(db, ['a', 'b'], n)
  const replication = await rig.replicate(db, mirror, pushOnly)
  await replication.synced()
  expect(count(mirror, 'POST /records')).toBe(2)
  expect(await known(mirror.database)).toEqual(await known(db))
  expect(await together(mirror, ['a'])).toEqual([['a', 'b']])
})

test('refused, all of it waits in the inbox and holds nothing up; a retry sends all of it', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await crowd(mirror, 'full')
  const replication = await rig.replicate(db, mirror, pushOnly)
  await putAll(db, ['a', 'full', 'z'], 1)
  await db.put({ id: 'other' })
  await expect(replication.synced()).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
  expect([...(await known(mirror.database)).keys()].sort()).toEqual(['full', 'other'])
  const inbox = await inboxOf(replication)
  expect(inbox.map(({ id }) => id).sort()).toEqual(['a', 'full', 'z'])
  for (const { reason } of inbox) expect(reason).toContain(`${limits.liveLeaves} conflicts`)
  await expect(replication.retry('a')).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
  await mirror.database.resolve('full', ({ leaves }) => leaves[0]!)
  await replication.retry('a')
  expect(await inboxOf(replication)).toEqual([])
  await replication.synced()
  for (const id of ['a', 'z', 'full'])
    expect(await mirror.replica.missing(await replicaOf(db).leaves(id))).toEqual([false])
  expect(await together(mirror, ['a'])).toEqual([['a', 'full', 'z']])
})

test('one that is longer than the mirror takes is refused as a whole', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  mirror.requestBytes = 50_000
  await db.transaction(async (tx) => {
    for (const id of ['a', 'b', 'c'])
      await tx.put({ id, bytes: crypto.getRandomValues(new Uint8Array(30_000)) })
  })
  await putMany(db, 'small', 5, 20_000)
  const replication = await rig.replicate(db, mirror, pushOnly)
  await expect(replication.synced()).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
  const inbox = await inboxOf(replication)
  expect(inbox.map(({ id, code }) => `${id} ${code}`).sort()).toEqual(
    ['a', 'b', 'c'].map((id) => `${id} MYNAH_REQUEST_TOO_LARGE`),
  )
  expect(await mirror.database.count()).toBe(5)
})

test('a conflict resolved in one place is one step in all', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await db.put({ id: 'x', n: 1 })
  await mirror.database.put({ id: 'x', n: 2 })
  const replication = await rig.replicate(db, mirror, { hold: 'all' })
  await replication.sync()
  await db.resolve('x', ({ leaves }) => ({ all: leaves.map(({ n }) => n as number).sort() }))
  await replication.synced()
  expect(await mirror.database.read('x')).toMatchObject({ doc: { all: [1, 2] }, conflicts: [] })
  expect(await known(mirror.database)).toEqual(await known(db))
})
