import { createHash } from 'node:crypto'
import { type Database, open } from '@mynah/core'
import { MemoryDisk } from '@mynah/core/compliance'
import { replicaOf } from '@mynah/core/replica'
import { encodeError, mediaTypes } from '@mynah/replication/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, until } from './manual-env.js'
import { address, type Fault, MemoryMirror, ways } from './memory-mirror.js'
import { count, inboxOf, isLive, isQuiet, known, Rig, recover } from './rig.js'

const SHARDS = 'POST /shards'
const RECORDS = 'POST /records'
let rig: Rig
let db: Database
let mirror: MemoryMirror

beforeEach(async () => {
  rig = new Rig()
  db = await open(':memory:', { shardBytes: 2_000 })
  // Less than it is brought at a time, so that shards stay as they are.
  mirror = await MemoryMirror.with(await open(':memory:', { mode: 'mirror', shardBytes: 100 }))
})

afterEach(async () => {
  await rig[Symbol.asyncDispose]()
  await Promise.all([db.close(), mirror.database.close()])
})

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

async function write(prefix: string, documents = 300): Promise<void> {
  await db.putMany(
    Array.from({ length: documents }, (_, n) => ({ id: `${prefix}${n}`, n, text: hashOf(prefix + n) })),
  )
  await db.seal()
}

async function settled(env = new ManualEnv()) {
  const replication = await rig.replicate(db, mirror, { env })
  await recover(env, replication, () => isLive(replication) && isQuiet(replication))
  return replication
}

async function expectSame(): Promise<void> {
  expect((await mirror.database.stats()).root).toEqual((await db.stats()).root)
  expect(await known(mirror.database)).toEqual(await known(db))
  expect(await mirror.database.stats()).toMatchObject({ notHeld: 0 })
  expect(await mirror.database.verify()).toMatchObject({ ok: true })
}

test('what is sealed is pushed as it lies, and what is not as records', async () => {
  await write('a')
  await db.put({ id: 'hot' })
  const replication = await settled()
  await expectSame()
  expect([count(mirror, SHARDS), count(mirror, RECORDS), count(mirror, 'POST /records/missing')]).toEqual([
    1, 1, 0,
  ])
  expect(replication.status()).toMatchObject({ ahead: 0, behind: 0 })
  const pulls = count(mirror, 'GET /records')
  replication.pause()
  await write('b')
  replication.resume()
  await replication.synced()
  await until(() => isLive(replication) && isQuiet(replication))
  await expectSame()
  expect(count(mirror, SHARDS)).toBe(2)
  // What was pushed is no echo.
  expect(count(mirror, 'GET /records')).toBeLessThanOrEqual(pulls + 1)
  expect(await inboxOf(replication)).toEqual([])
})

test('a mirror with documents of its own, conflicts among them, keeps all of both sides', async () => {
  await mirror.database.putMany(Array.from({ length: 50 }, (_, n) => ({ id: `a${n}`, theirs: n })))
  for (let n = 0; n < 9; n++) await mirror.database.put({ id: `m${n}`, n })
  await write('a')
  await db.delete('a7')
  await db.transaction(async (tx) => {
    for (const id of ['t1', 't2']) await tx.put({ id, text: 'x'.repeat(100) })
  })
  await write('b')
  await settled()
  await expectSame()
  expect(count(mirror, SHARDS)).toBeGreaterThan(0)
  expect((await mirror.database.stats()).conflicts).toBe(49)
})

test('what the mirror refuses ends in the inbox with its reason, and hinders nothing', async () => {
  mirror.refuses = (id) => (id === 'a5' || id === 'a200' ? 'not here' : undefined)
  await write('a')
  await db.put({ id: 'a9', n: 'again' }, { overwrite: true })
  const replication = await settled()
  expect(await inboxOf(replication)).toMatchObject(
    [
      { id: 'a200', code: 'MYNAH_REVISION_REFUSED', reason: 'not here' },
      { id: 'a5', code: 'MYNAH_REVISION_REFUSED', reason: 'not here' },
    ].reverse(),
  )
  expect(await mirror.database.count()).toBe(298)
  await expect(replication.synced()).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
  expect(replication.status().ahead).toBe(0)
  mirror.refuses = () => undefined
  for (const { id } of await inboxOf(replication)) await replication.retry(id)
  await until(() => isQuiet(replication))
  await replication.synced()
  expect(await inboxOf(replication)).toEqual([])
  await expectSame()
})

test('what the mirror cannot attach is sent again with its whole path, as it is by then', async () => {
  await write('a', 200)
  await db.putMany(
    Array.from({ length: 40 }, (_, n) => ({ id: `a${n}`, again: n })),
    { overwrite: true },
  )
  await db.seal()
  mirror.detaches = true
  await settled()
  await expectSame()
  expect(count(mirror, RECORDS)).toBeGreaterThan(0)
})

const errors: readonly (readonly [number, string])[] = [
  [404, 'MYNAH_ROUTE_UNKNOWN'],
  [405, 'MYNAH_METHOD_UNKNOWN'],
  [415, 'MYNAH_MEDIA_TYPE_UNKNOWN'],
  [400, 'MYNAH_MESSAGE_INVALID'],
  [413, 'MYNAH_REQUEST_TOO_LARGE'],
]
test.each(errors)('a mirror that answers %i %s gets all of it as records', async (status, code) => {
  await write('a', 2_000)
  const env = new ManualEnv()
  const transport = {
    request: async (request: Parameters<MemoryMirror['request']>[0]) => {
      const answer = await mirror.request(request)
      if (request.method !== 'POST' || !request.url.endsWith('/shards')) return answer
      const body = new TextEncoder().encode(encodeError({ code, message: 'not here' }))
      return { status, headers: { 'content-type': mediaTypes.json }, body }
    },
    stream: (request: Parameters<MemoryMirror['stream']>[0]) => mirror.stream(request),
    close: async () => undefined,
  }
  mirror.plant = { takeShards: () => Promise.reject(new Error('never')) }
  const replication = await rig.replicate(db, mirror, { env, transport })
  await recover(env, replication, () => isLive(replication) && isQuiet(replication))
  await expectSame()
  expect(count(mirror, SHARDS)).toBe(1)
  expect(replication.mirrors()[0]).toMatchObject({ failures: 0 })
})

test('where the token reaches some prefixes, records are pushed, and what is not within is refused', async () => {
  await write('a', 50)
  await write('b', 50)
  mirror.reach = ['a']
  const replication = await settled()
  expect([count(mirror, SHARDS), await mirror.database.count()]).toEqual([0, 50])
  expect(await inboxOf(replication)).toHaveLength(50)
})

test('what was written elsewhere, or is superseded for the most part, goes as records', async () => {
  const other = await rig.database()
  await other.putMany(Array.from({ length: 100 }, (_, n) => ({ id: `o${n}`, n })))
  const { records } = await replicaOf(other).feed({ since: 0, bodies: true })
  await replicaOf(db).merge(records, { whole: true })
  for (let round = 0; round < 9; round++) {
    await db.putMany(
      Array.from({ length: 50 }, (_, n) => ({ id: `a${n}`, n, round })),
      { overwrite: true },
    )
  }
  await db.seal()
  await settled()
  await expectSame()
  // Only the end of the last round lies in a shard of leaves: of the 400 that are superseded few came.
  expect(count(mirror, SHARDS)).toBeLessThanOrEqual(1)
  expect((await mirror.database.stats()).seq).toBeLessThan(150 + 50)
})

/** A leaf of the document that another database wrote, among much else that goes as records. */
async function learn(id: string, others = 30): Promise<void> {
  const other = await rig.database()
  await other.putMany([{ id, theirs: 1 }, ...Array.from({ length: others }, (_, n) => ({ id: `o${n}`, n }))])
  const { records } = await replicaOf(other).feed({ since: 0, bodies: true })
  await replicaOf(db).merge(records, { whole: true })
  await db.seal()
}

async function leavesOf(id: string): Promise<readonly string[]> {
  return (await replicaOf(db).leaves(id)).map(({ rev }) => rev)
}

test('leaves that came before a shard, of a document that changes in it, are pushed too', async () => {
  const mine = await db.put({ id: 'x', mine: 1 })
  const both = await db.put({ id: 'y', mine: 1 })
  await learn('x')
  await learn('y')
  await db.put({ id: 'x', rev: mine.rev, mine: 2 })
  const theirs = (await leavesOf('y')).find((rev) => rev !== both.rev)!
  await db.put({ id: 'y', rev: theirs, merged: 1 })
  await write('a')
  await settled()
  expect(count(mirror, SHARDS)).toBeGreaterThan(0)
  await expectSame()
})

test('a leaf that is refused stays in the inbox when another of its document is taken', async () => {
  const mine = await db.put({ id: 'x', mine: 1 })
  mirror.refuses = (id) => (id === 'x' ? 'not here' : undefined)
  await (await settled()).close()
  mirror.refuses = () => undefined
  await learn('x')
  const theirs = (await leavesOf('x')).find((rev) => rev !== mine.rev)!
  await db.put({ id: 'x', rev: theirs, merged: 1 })
  await write('a')
  await settled()
  await expectSame()
})

describe('whatever happens on the way', () => {
  test.each<Fault>(['refuse', 'lose', 'portal', 'empty', 'garble', 'fail', 'flip', 'shorten'])(
    '%s: nothing is lost, nothing stands there twice, and it goes on where it was',
    async (fault) => {
      let asked = 0
      // Little at a time, so that there are many.
      mirror.requestBytes = 6_000
      mirror.fault = (one) => (one === SHARDS && ++asked % 3 === 1 ? fault : undefined)
      await write('a', 800)
      const env = new ManualEnv()
      for (let life = 0; life < 3; life++) {
        const replication = await rig.replicate(db, mirror, { env })
        await recover(env, replication, () => asked > 3 * (life + 1) || isQuiet(replication))
        await replication.close()
      }
      await settled(env)
      await expectSame()
      expect(asked).toBeGreaterThan(8)
      expect((await mirror.database.stats()).seq).toBe(800)
    },
  )

  test('a push that hangs ends with the replication, and the next one goes on', async () => {
    await write('a')
    mirror.fault = (one) => (one === SHARDS ? 'hang' : undefined)
    const replication = await rig.replicate(db, mirror)
    await until(() => count(mirror, SHARDS) > 0)
    await replication.close()
    mirror.fault = () => undefined
    await settled()
    await expectSame()
  })

  test('a mirror that is restored from an old copy between two of them gets back what it lost', async () => {
    const disk = new MemoryDisk()
    const on = () => ({ storage: disk.storage(), level: (at: string) => disk.level(at), shardBytes: 100 })
    const first = await open('db', { ...on(), mode: 'mirror' })
    mirror.requestBytes = 6_000
    mirror.swap(first)
    await write('a', 800)
    let [copied, asked]: [MemoryDisk | undefined, number] = [undefined, 0]
    mirror.delay = (one) => {
      if (one !== SHARDS) return undefined
      asked += 1
      if (asked === 2) copied = disk.copy({})
      if (asked !== 4) return undefined
      copied!.kill()
      const again = { storage: copied!.storage(), level: (at: string) => copied!.level(at), shardBytes: 100 }
      return open('db', again).then((restored) => mirror.swap(restored))
    }
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env, live: false, intervalMs: 1_000 })
    await recover(env, replication, () => asked > 4 && isLive(replication) && isQuiet(replication))
    await expectSame()
    expect(asked).toBe(5)
    await first.close()
  })

  test('compaction, eviction and writes here while they are under way change nothing', async () => {
    mirror.requestBytes = 6_000
    await write('a', 600)
    let turn = 0
    mirror.delay = async (one) => {
      if (one !== SHARDS) return
      turn += 1
      await db.put({ id: `a${turn}`, turn }, { overwrite: true })
      await db.delete(`a${300 + turn}`)
      if (turn % 2 > 0) await db.compact()
    }
    await settled()
    await expectSame()
    expect(turn).toBeGreaterThan(3)
  })

  test('two mirrors at once get all of it', async () => {
    const second = await MemoryMirror.with(await open(':memory:', { mode: 'mirror', shardBytes: 100 }))
    await write('a')
    const env = new ManualEnv()
    const transport = ways({ first: mirror, second })
    const mirrors = [address('first'), address('second')]
    const replication = await rig.replicate(db, mirror, { env, transport, mirrors })
    await replication.synced({ mirrors: 2 })
    await expectSame()
    expect(count(second, SHARDS)).toBe(1)
    expect(await known(second.database)).toEqual(await known(db))
    await replication.close()
    await second.database.close()
  })
})

test('two peers that push the same documents at once make conflicts, and lose none', async () => {
  const other = await open(':memory:', { shardBytes: 2_000 })
  await write('a')
  await other.putMany(Array.from({ length: 300 }, (_, n) => ({ id: `a${n}`, other: n })))
  await other.seal()
  const both = await Promise.all(
    [db, other].map((one) => rig.replicate(one, mirror, { env: new ManualEnv() })),
  )
  await Promise.all(both.map((one) => one.sync()))
  await Promise.all(both.map((one) => one.sync()))
  expect((await mirror.database.stats()).conflicts).toBe(300)
  await expectSame()
  expect(count(mirror, SHARDS)).toBe(2)
  for (const one of both) await one.close()
  await other.close()
})

test('an answer that leaves a place that was not sent is no answer', async () => {
  await write('a', 100)
  mirror.plant = {
    takeShards: async (shards, options) => ({
      ...(await mirror.replica.takeShards(shards, options)),
      left: [100],
    }),
  }
  const env = new ManualEnv()
  const replication = await rig.replicate(db, mirror, { env })
  await until(() => replication.mirrors().some(({ failures }) => failures > 0))
  expect(replication.status().ahead).toBe(100)
  mirror.plant = {}
  await recover(env, replication, () => isLive(replication) && isQuiet(replication))
  await expectSame()
})

test('an older leaf that is told as a record comes too, though the newest travels in a shard', async () => {
  for (const v of [1, 2]) {
    const other = await rig.database()
    await other.put({ id: 'torn', v })
    const { records } = await replicaOf(other).feed({ since: 0, bodies: true })
    await replicaOf(db).merge(records, { whole: true })
  }
  await db.seal()
  await db.update('torn', (doc) => ({ ...doc, text: hashOf('torn') }))
  await write('a')
  await settled()
  expect(count(mirror, SHARDS)).toBe(1)
  expect((await mirror.database.read('torn')).conflicts).toHaveLength(1)
  await expectSame()
})
