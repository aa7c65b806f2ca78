import { replicaOf } from '@mynah/core/replica'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from './manual-env.js'
import { address } from './memory-mirror.js'
import { count, inboxOf, known, putMany, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

describe('batches', () => {
  test('one that is longer than the mirror takes is halved; a record that is too long alone is refused', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.requestBytes = 50_000
    await putMany(db, 'small', 30, 10_000)
    await putMany(db, 'large', 1, 100_000)
    const replication = await rig.replicate(db, mirror)
    await expect(replication.synced()).rejects.toMatchObject({
      code: 'MYNAH_REJECTED',
      rejections: [{ id: 'large0', code: 'MYNAH_REQUEST_TOO_LARGE' }],
    })
    expect(await mirror.database.count()).toBe(30)
    mirror.requestBytes = 200_000
    replication.pause()
    await replication.retry('large0')
    replication.resume()
    await replication.synced()
    expect(await mirror.database.count()).toBe(31)
  })

  test('a document whose leaves do not fit into one shard is sent in parts, and holds nothing up', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    for (let n = 0; n < 9; n++) {
      const other = await rig.database()
      await other.put({ id: 'large', bytes: new Uint8Array(8_000_000).fill(n) })
      await replicaOf(db).merge(await replicaOf(other).leaves('large'), { whole: true })
    }
    await db.put({ id: 'mine' })
    const replication = await rig.replicate(db, mirror, { scope: { prefixes: [] } })
    await replication.synced()
    expect(await known(mirror.database)).toEqual(await known(db))
    const leaves = await replicaOf(db).leaves('large')
    expect(await mirror.replica.missing(leaves)).toEqual(leaves.map(() => false))
    // It moves 72 MB through several databases: on a busy machine that alone takes half a minute.
  }, 120_000)

  test('a leaf that the mirror cannot attach is sent with its whole path', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.detaches = true
    const first = await db.put({ id: 'a', n: 0 })
    const second = await db.put({ ...first, n: 1 })
    const replication = await rig.replicate(db, mirror)
    await replication.synced()
    expect(count(mirror, 'POST /records')).toBe(2)
    expect(await mirror.database.get('a')).toEqual(second)
  })

  test('a page with a leaf that cannot be attached here is pulled with whole paths', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.trims = true
    let doc = await mirror.database.put({ id: 'a', n: 0 })
    for (let n = 1; n < 5; n++) doc = await mirror.database.put({ ...doc, n })
    const replication = await rig.replicate(db, mirror, { hold: 'all' })
    await replication.sync()
    expect(await db.get('a')).toEqual(doc)
    const [leaf] = await replicaOf(db).leaves('a')
    expect(leaf?.path).toHaveLength(4)
  })

  test('what else is on a page with such a leaf is told, and does not count as written here', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.trims = true
    let doc = await mirror.database.put({ id: 'a', n: 0 })
    for (let n = 1; n < 5; n++) doc = await mirror.database.put({ ...doc, n })
    await putMany(mirror.database, 'b', 3)
    const replication = await rig.replicate(db, mirror)
    const told: string[] = []
    replication.on('change', (change) => {
      if (change.direction === 'pull') told.push(...change.ids)
    })
    mirror.fault = (asked) => (asked === 'POST /records/missing' ? 'hang' : undefined)
    await until(() => told.includes('a'))
    expect(told.sort()).toEqual(['a', 'b0', 'b1', 'b2'])
    expect(replication.status().ahead).toBe(0)
  })
})

describe('what a mirror refuses', () => {
  test('is parked, hinders nothing, and can be retried or dropped', async () => {
    const folder = await rig.folder()
    const db = await rig.database('peer', folder)
    const mirror = await rig.mirror()
    mirror.refuses = (id) => (id.startsWith('bad') ? 'not here' : undefined)
    const replication = await rig.replicate(db, mirror)
    const told: string[] = []
    replication.on('rejected', ({ id }) => told.push(id))
    const bad = await db.put({ id: 'bad1' })
    await db.put({ id: 'bad2' })
    await db.put({ id: 'good' })
    await expect(replication.synced()).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
    expect(await mirror.database.count()).toBe(1)
    expect(told.sort()).toEqual(['bad1', 'bad2'])
    expect(replication.mirrors()[0]).toMatchObject({ rejected: 2, ahead: 0 })
    await expect(replication.retry('bad1')).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
    await db.close()

    const reopened = await rig.database('peer', folder)
    const again = await rig.replicate(reopened, mirror)
    const inbox = await inboxOf(again)
    expect(inbox).toContainEqual({
      id: 'bad1',
      rev: bad.rev,
      code: 'MYNAH_REVISION_REFUSED',
      reason: 'not here',
      mirror: address(),
    })
    mirror.refuses = () => undefined
    await again.retry('bad1')
    await again.drop('bad2')
    expect(await inboxOf(again)).toEqual([])
    await again.synced()
    expect(await mirror.database.count()).toBe(2)
  })

  test('is told once of a document, in its newest revision', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.refuses = () => 'not here'
    const replication = await rig.replicate(db, mirror)
    for (let n = 0; n < 5; n++) {
      await db.put({ id: 'a', n }, { overwrite: true })
      await expect(replication.synced()).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
    }
    const { rev } = (await db.delete('a'))!
    await expect(replication.synced()).rejects.toMatchObject({ rejections: [{ id: 'a', rev }] })
    expect(await inboxOf(replication)).toMatchObject([{ id: 'a', rev }])
    expect(await replication.explain('a')).toMatchObject({ state: 'refused', mirrors: [{ rev }] })
  })

  test('does not cost each later push what all that was refused is long', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.refuses = (id) => (id.startsWith('bad') ? 'not here' : undefined)
    const replication = await rig.replicate(db, mirror)
    await putMany(db, 'bad', 200)
    await expect(replication.synced()).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
    const replica = replicaOf(db)
    const { id } = replicaOf(mirror.database)
    const stored = await replica.checkpoint(id, 'push')
    for (let n = 0; n < 20; n++) {
      await db.put({ id: `good${n}` })
      await replication.synced().catch(() => {})
    }
    expect(await mirror.database.count()).toBe(20)
    expect(await replica.checkpoint(id, 'push')).toEqual(stored)
    await replication.close()
    expect(await replica.parked(id)).toHaveLength(200)
    expect((await replica.checkpoint(id, 'push'))?.source).toEqual(replica.position())
  })

  test('leaves the inbox when a newer revision is accepted', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.refuses = () => 'not yet'
    const replication = await rig.replicate(db, mirror)
    const doc = await db.put({ id: 'a', n: 1 })
    await expect(replication.synced()).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
    mirror.refuses = () => undefined
    await db.put({ ...doc, n: 2 })
    await replication.synced()
    expect(await known(mirror.database)).toEqual(await known(db))
  })
})

test('a mirror that begins empty is not asked what it lacks', async () => {
  const mirror = await rig.mirror()
  const db = await rig.database()
  await putMany(db, 'here', 20)
  await (await rig.replicate(db, mirror)).sync()
  expect(await known(mirror.database)).toEqual(await known(db))
  expect(count(mirror, 'POST /records/missing')).toBe(0)
})

test('what a mirror gave with its bodies is not offered back to it', async () => {
  const mirror = await rig.mirror()
  await putMany(mirror.database, 'there', 20)
  const db = await rig.database()
  const replication = await rig.replicate(db, mirror, { hold: 'all' })
  await replication.sync()
  await mirror.database.put({ id: 'there1', changed: true }, { overwrite: true })
  await replication.sync()
  expect(await known(db)).toEqual(await known(mirror.database))
  expect(count(mirror, 'POST /records/missing')).toBe(0)
  expect(count(mirror, 'POST /records')).toBe(0)
})
