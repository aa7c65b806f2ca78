import type { Database } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import type { Transport } from '@mynah/replication'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { rounds, until } from './manual-env.js'
import { address, type MemoryMirror } from './memory-mirror.js'
import { count, isLive, isQuiet, putMany, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

const ids = (documents: number) => Array.from({ length: documents }, (_, n) => `d${n}`)

async function notHeld(db: Database): Promise<number> {
  return (await db.stats()).notHeld
}

/** Mirrors at the addresses of their names. */
function network(mirrors: Readonly<Record<string, MemoryMirror>>): Transport {
  const at = (url: string) => mirrors[new URL(url).pathname.split('/')[2]!]!
  return {
    request: (request) => at(request.url).request(request),
    stream: (request) => at(request.url).stream(request),
    close: async () => undefined,
  }
}

test('bodies that the mirror has are dropped, in few questions, and fetched again by reads', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await putMany(db, 'd', 1_200)
  const replication = await rig.replicate(db, mirror)
  await replication.synced()
  expect(await db.evict(ids(1_200))).toBe(1_200)
  expect(count(mirror, 'POST /records/held')).toBe(3)
  expect(await notHeld(db)).toBe(1_200)
  expect(await db.get('d7')).toEqual(await mirror.database.get('d7'))
  expect(await notHeld(db)).toBe(1_199)
  await until(() => isQuiet(replication))
  expect(await mirror.database.stats()).toMatchObject({ notHeld: 0, seq: 1_200 })
  expect((await db.stats()).root).toEqual((await mirror.database.stats()).root)
})

test('nothing is dropped without a mirror that answers, whatever it did before', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await putMany(db, 'd', 3)
  await expect(db.evict(ids(3))).rejects.toMatchObject({ code: 'MYNAH_UNCONFIRMED' })
  const replication = await rig.replicate(db, mirror)
  await replication.synced()
  replication.pause()
  await expect(db.evict(ids(3))).rejects.toMatchObject({ code: 'MYNAH_UNCONFIRMED' })
  replication.resume()
  for (const fault of ['lose', 'portal', 'empty', 'garble', 'fail', 'flip', 'shorten'] as const) {
    await until(() => isLive(replication))
    mirror.fault = (asked) => (asked === 'POST /records/held' ? fault : undefined)
    await expect(db.evict(ids(3)), fault).rejects.toMatchObject({ code: 'MYNAH_UNCONFIRMED' })
  }
  expect(await notHeld(db)).toBe(0)
})

test('a mirror that answers late drops nothing that was written meanwhile', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await putMany(db, 'd', 2)
  const replication = await rig.replicate(db, mirror)
  await replication.synced()
  let answer = () => {}
  const late = new Promise<void>((resolve) => {
    answer = resolve
  })
  mirror.delay = (asked) => (asked === 'POST /records/held' ? late : undefined)
  const evicted = db.evict(ids(2))
  await until(() => count(mirror, 'POST /records/held') === 1)
  const edited = await db.put({ id: 'd0', n: 2 }, { overwrite: true })
  await rounds()
  answer()
  expect(await evicted).toBe(1)
  expect(await db.get('d0', { freshness: 'local' })).toEqual(edited)
})

test('neither a peer, nor a copy of these very files, nor a mirror without the bodies counts; the next one does', async () => {
  const location = await rig.folder()
  const before = await rig.database('peer', location)
  await putMany(before, 'd', 3)
  await before.close()
  const copy = await rig.database('mirror', await rig.copy(location))
  const db = await rig.database('peer', location)
  const [first, second] = [await rig.mirror(), await rig.mirror()]
  const replication = await rig.replicate(db, first, {
    mirrors: [address('first'), address('second')],
    transport: network({ first, second }),
  })
  await replication.synced()
  expect(await second.database.count()).toBe(0)
  await first.database.setMode('peer')
  expect(await db.evict(ids(3))).toBe(0)
  expect(count(second, 'POST /records/held')).toBe(1)
  const own = second.database
  second.swap(copy)
  expect(await db.evict(ids(3))).toBe(0)
  second.swap(own)
  await replicaOf(own).merge(
    (await replicaOf(db).feed({ since: 0, bodies: true })).records.filter(({ id }) => id !== 'd0'),
  )
  expect(await db.evict(ids(3))).toBe(2)
  expect(await notHeld(db)).toBe(2)
  await own.setMode('peer')
  await first.database.setMode('mirror')
  expect(await db.evict(ids(3))).toBe(1)
})

test('a mirror that was set back to an older state does not name what came after', async () => {
  const location = await rig.folder()
  const old = await rig.database('mirror', location)
  await putMany(old, 'd', 2)
  await old.close()
  const copied = await rig.copy(location)
  const db = await rig.database()
  const mirror = await rig.mirror()
  mirror.replace(await rig.database('mirror', location))
  const replication = await rig.replicate(db, mirror)
  await replication.sync()
  await db.getMany(ids(2))
  await putMany(db, 'e', 2)
  await replication.synced()
  mirror.swap(await rig.database('mirror', copied))
  expect(await db.evict(['d0', 'd1', 'e0', 'e1'])).toBe(2)
  expect(await db.get('e0', { freshness: 'local' })).toBeDefined()
  mirror.cut()
  await until(() => replication.mirrors()[0]?.state === 'backing-off')
  await replication.sync()
  expect(await mirror.database.count()).toBe(4)
  expect(await db.evict(['e0', 'e1'])).toBe(2)
})
