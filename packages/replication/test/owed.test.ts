import { open as openFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Database, open } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import { expect, test } from 'vitest'
import { deferred } from '../src/timing/deferred.js'
import { ManualEnv, rounds } from './manual-env.js'
import type { MemoryMirror } from './memory-mirror.js'
import { isLive, putMany, Rig } from './rig.js'

const fetches = (mirror: MemoryMirror) =>
  mirror.asked.filter((asked) => asked.endsWith('records/fetch')).length

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  // Disks and LZMA take their own time.
  const end = Date.now() + 20_000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('it does not come to pass')
    await rounds(1)
  }
}

/** Zeros a part of each of the database's segments. */
async function damage(location: string): Promise<void> {
  const names = (await readdir(location)).filter((name) => name.startsWith('segment'))
  for (const name of names) {
    const file = await openFile(join(location, name), 'r+')
    const { size } = await file.stat()
    await file.write(new Uint8Array(Math.floor(size / 3)), 0, Math.floor(size / 3), Math.floor(size / 3))
    await file.close()
  }
}

async function settle(db: Database): Promise<number> {
  await db.verify()
  return (await db.stats()).owed
}

for (const mode of ['peer', 'mirror'] as const)
  test(`bodies that a ${mode} lost are fetched without a read, whether it is found open or at open`, async () => {
    await using rig = new Rig()
    const location = await rig.folder()
    const env = new ManualEnv()
    const mirror = await rig.mirror()
    const db = await open(location, { mode, cacheBytes: 1, shardBytes: 2_000 })
    const replication = await rig.replicate(db, mirror, { env })
    await putMany(db, 'd', 250, 100)
    await replication.synced()
    await until(() => isLive(replication))
    await db.seal()
    await damage(location)
    // The fetches go on meanwhile.
    await settle(db)
    await until(async () => (await db.stats()).owed === 0)
    expect(fetches(mirror)).toBeGreaterThan(0)
    expect(await db.stats()).toMatchObject({ notHeld: 0, documents: 250 })
    expect((await db.stats()).root).toEqual((await mirror.database.stats()).root)
    await replication.close()
    await db.verify({ repair: true })
    expect(await db.verify()).toEqual({ ok: true, findings: [], repaired: [] })
    await db.seal()
    await db.close()

    await damage(location)
    const again = await open(location, { mode })
    expect(await settle(again)).toBeGreaterThan(0)
    const resumed = await rig.replicate(again, mirror, { env: new ManualEnv() })
    await until(async () => isLive(resumed) && (await again.stats()).owed === 0)
    expect((await again.stats()).root).toEqual((await mirror.database.stats()).root)
    expect(await again.stats()).toMatchObject({ notHeld: 0, documents: 250, doubt: false })
    await resumed.close()
    await again.close()
  })

test('what the mirror does not have either stays owed, is asked for again later, and hinders nothing', async () => {
  await using rig = new Rig()
  const location = await rig.folder()
  const env = new ManualEnv()
  const mirror = await rig.mirror()
  const db = await open(location, { cacheBytes: 1, shardBytes: 2_000 })
  await putMany(db, 'd', 100, 100)
  await db.seal()
  // The other one that has them.
  const other = await rig.database('mirror')
  await replicaOf(other).merge((await replicaOf(db).feed({ since: 0, bodies: true })).records)
  await damage(location)
  const owed = await settle(db)
  expect(owed).toBeGreaterThan(0)
  const replication = await rig.replicate(db, mirror, { env })
  await until(() => replication.status().owed === owed)
  expect(isLive(replication)).toBe(true)
  await db.put({ id: 'after' })
  await replication.synced()
  const asked = fetches(mirror)
  await env.advance(1_000)
  await rounds(20)
  expect(fetches(mirror)).toBe(asked)

  const { records } = await replicaOf(other).feed({ since: 0, bodies: true, whole: true })
  await replicaOf(mirror.database).merge(records, { whole: true })
  await until(async () => {
    await env.advance(5_000)
    await rounds(20)
    return (await db.stats()).owed === 0
  })
  await until(() => replication.status().owed === 0)
  await replication.close()
  await db.close()
})

test('what damage takes while others are being fetched is fetched next, not after the pause', async () => {
  await using rig = new Rig()
  const location = await rig.folder()
  const mirror = await rig.mirror()
  const db = await open(location, { cacheBytes: 1, shardBytes: 2_000 })
  const replication = await rig.replicate(db, mirror)
  await putMany(db, 'first', 50, 100)
  await db.seal()
  await replication.synced()
  await until(() => isLive(replication))
  const held = deferred<void>()
  mirror.delay = (asked) => (asked.endsWith('records/fetch') ? held.promise : undefined)
  await damage(location)
  await settle(db)
  await until(() => fetches(mirror) > 0)
  await putMany(db, 'second', 50, 100)
  await db.seal()
  await replication.synced()
  await damage(location)
  await settle(db)
  held.resolve()
  await until(async () => (await db.stats()).owed === 0)
  expect(await db.stats()).toMatchObject({ notHeld: 0, documents: 100 })
  await replication.close()
  await db.close()
})

test('a database that lost records with its index is not current before a whole exchange, and is after', async () => {
  await using rig = new Rig()
  const location = await rig.folder()
  const mirror = await rig.mirror()
  const db = await open(location, { shardBytes: 2_000 })
  const replication = await rig.replicate(db, mirror)
  await putMany(db, 'd', 100, 100)
  await replication.synced()
  await replication.close()
  await db.seal()
  await db.close()
  await damage(location)
  for (const name of await readdir(location))
    if (name.startsWith('index')) await rm(join(location, name), { recursive: true })

  const again = await open(location)
  expect(await again.stats()).toMatchObject({ doubt: true })
  const resumed = await rig.replicate(again, mirror)
  await until(async () => (await again.stats()).doubt === false)
  expect(await again.count()).toBe(100)
  expect(await again.read('d50')).toMatchObject({ current: true })
  expect((await again.stats()).root).toEqual((await mirror.database.stats()).root)
  await resumed.close()
  await again.close()
})

test('a peer that was put back to an older copy gets the bodies of what it had written since', async () => {
  await using rig = new Rig()
  const location = await rig.folder()
  const mirror = await rig.mirror()
  const other = await rig.database()
  const others = await rig.replicate(other, mirror)
  const db = await open(location)
  const replication = await rig.replicate(db, mirror)
  await putMany(db, 'before', 10, 100)
  await replication.synced()
  await replication.close()
  await db.close()
  const copy = await rig.copy(location)
  const later = await open(location)
  const resumed = await rig.replicate(later, mirror)
  await putMany(later, 'since', 20, 100)
  await later.update('before3', (doc) => ({ ...doc, edited: true }))
  await resumed.synced()
  await resumed.close()
  await later.close()
  await putMany(other, 'other', 5, 100)
  await others.synced()

  const back = await open(copy)
  const again = await rig.replicate(back, mirror)
  await until(async () => (await back.count()) === 35)
  await until(async () => (await back.stats()).owed === 0)
  expect((await back.get('since7', { freshness: 'local' }))?.id).toBe('since7')
  expect(await back.get('before3', { freshness: 'local' })).toMatchObject({ edited: true })
  expect(await back.stats()).toMatchObject({ notHeld: 5 })
  await again.close()
  await back.close()
})
