import type { Database } from '@mynah/core'
import { type LogRecord, type Replica, replicaOf } from '@mynah/core/replica'
import type { TransportAnswer, TransportRequest } from '@mynah/replication'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import type { MemoryMirror } from './memory-mirror.js'
import { count, inboxOf, isLive, isQuiet, known, putMany, Rig, recover } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

/** Gives the other database all that the one knows, as a copy of its files would. */
async function give(from: Database, to: Database): Promise<void> {
  for (let since = 0; ; ) {
    const page = await replicaOf(from).feed({ since, bodies: true, whole: true })
    await replicaOf(to).merge(page.records, { whole: true })
    if (!page.more) return
    since = page.position.seq
  }
}

/** Counts requests and bytes of bodies, both ways. */
function counted(mirror: MemoryMirror) {
  const traffic = { requests: 0, bytes: 0, asked: [] as string[] }
  const transport = {
    request: async (request: TransportRequest): Promise<TransportAnswer> => {
      const answer = await mirror.request(request)
      traffic.requests += 1
      traffic.asked.push(`${request.method} ${new URL(request.url).pathname.split('/').slice(3).join('/')}`)
      traffic.bytes += (request.body?.length ?? 0) + answer.body.length
      return answer
    },
    stream: mirror.stream.bind(mirror),
    close: () => mirror.close(),
  }
  return { traffic, transport }
}

async function expectSame(one: Replica, other: Replica): Promise<void> {
  expect(await one.sum({})).toEqual(await other.sum({}))
}

const longId = 'ÿ'.repeat(512)
const unit = fc.constantFrom('a', 'b', 'ÿ', '\uffee', '😀')
const anyId = fc.oneof(
  { weight: 4, arbitrary: fc.nat(60).map((n) => `d/${n}`) },
  { weight: 2, arbitrary: fc.string({ unit, minLength: 1, maxLength: 5 }) },
  { weight: 1, arbitrary: fc.constantFrom(longId, `${longId.slice(1)}a`, `${longId.slice(2)}😀`) },
)
const foreign = (id: string, n: number): LogRecord => ({
  kind: 'revision',
  id,
  rev: '7-foreign',
  path: [],
  deleted: false,
  at: 1,
  origin: '0'.repeat(32),
  supplies: false,
  continues: false,
  body: { n },
})
const change = fc.record({
  side: fc.constantFrom('here', 'there', 'both'),
  kind: fc.constantFrom('put', 'delete', 'fork', 'stub'),
  id: anyId,
  n: fc.nat(5),
})

async function apply(db: Database, { kind, id, n }: { kind: string; id: string; n: number }): Promise<void> {
  const replica = replicaOf(db)
  if (kind === 'put') await db.put({ id, n }, { overwrite: true })
  else if (kind === 'delete') await db.delete(id)
  // The same rev with several bodies; as a stub what nobody holds.
  else if (kind === 'fork') await replica.merge([foreign(id, n)])
}

describe('two replicas without a checkpoint', () => {
  test('know the same afterwards, whatever differed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(400),
        fc.array(change, { minLength: 1, maxLength: 40 }),
        fc.boolean(),
        async (shared, changes, all) => {
          await using own = new Rig()
          const db = await own.database()
          const mirror = await own.mirror()
          await db.putMany(Array.from({ length: shared }, (_, i) => ({ id: `d/${i}`, i })))
          await give(db, mirror.database)
          for (const one of changes) {
            if (one.side !== 'there') await apply(db, one)
            if (one.side !== 'here') await apply(mirror.database, one)
          }
          const replication = await own.replicate(db, mirror, { hold: all ? 'all' : 'used' })
          await replication.sync()
          await replication.sync()
          await expectSame(replicaOf(db), mirror.replica)
          expect(await known(db)).toEqual(await known(mirror.database))
          expect(replication.status()).toMatchObject({ ahead: 0, behind: 0, state: 'idle' })
        },
      ),
      { numRuns: 60 },
    )
  }, 60_000)

  test('that know the same ask once, and replay nothing', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(db, 'd', 3_000)
    await give(db, mirror.database)
    const { traffic, transport } = counted(mirror)
    const replication = await rig.replicate(db, mirror, { transport })
    await replication.sync()
    expect(traffic.asked).toEqual(['GET ', 'GET ', 'POST ranges'])
    expect(traffic.bytes).toBeLessThan(1_000)
    expect(replicaOf(db).position().seq).toBe(3_000)
    const at = replicaOf(db).position()
    const there = mirror.replica.position()
    expect(await replicaOf(db).checkpoint(mirror.replica.id, 'push')).toEqual({ source: at, target: there })
    await replication.close()
    traffic.asked.length = 0
    await (await rig.replicate(db, mirror, { transport })).sync()
    expect(traffic.asked).not.toContain('POST ranges')
  })

  test('of 100,000 documents find 10 differences, wherever they are', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const replica = replicaOf(db)
    const ids = Array.from({ length: 100_000 }, (_, i) => `sensor-${String(i * 7).padStart(7, '0')}`)
    await db.putMany(ids.map((id) => ({ id })))
    await give(db, mirror.database)
    const places = {
      'at random': (i: number) => 9_871 * i + 5,
      'in one place': (i: number) => 50_000 + i,
    }
    for (const [where, place] of Object.entries(places)) {
      for (let i = 0; i < 10; i++) {
        const id = ids[place(i)]!
        if (i < 4) await db.put({ id, where }, { overwrite: true })
        else if (i < 8) await mirror.database.put({ id: `${id}-new`, i })
        else await db.delete(id)
      }
      const nowhere = { incarnation: 'f'.repeat(32), seq: 1 }
      for (const [key, direction] of [
        ['', 'push'],
        [' used *', 'pull'],
      ] as const)
        await replica.setCheckpoint(mirror.replica.id + key, direction, { source: nowhere, target: nowhere })
      const { traffic, transport } = counted(mirror)
      const replication = await rig.replicate(db, mirror, { transport })
      await replication.sync()
      await replication.close()
      await expectSame(replica, mirror.replica)
      const asked = traffic.asked.filter((one) => one !== 'GET ')
      console.info(`100,000 documents, 10 differences ${where}: ${traffic.bytes} bytes, ${asked.join(', ')}`)
      expect(asked.slice(-2)).toEqual(['POST records/fetch', 'POST records'])
      expect(asked.length).toBeLessThanOrEqual(6)
      expect(traffic.bytes).toBeLessThan(32_000)
    }
  }, 60_000)

  test('exchange what only one of them knows, in large numbers too', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(db, 'both', 1_000)
    await give(db, mirror.database)
    await putMany(db, 'here', 2_500)
    await putMany(mirror.database, 'there', 2_500)
    const replication = await rig.replicate(db, mirror)
    await replication.sync()
    await expectSame(replicaOf(db), mirror.replica)
    expect(count(mirror, 'POST /records/missing')).toBe(0)
  })

  test('of which one is as good as empty take the feed', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(mirror.database, 'd', 20)
    await db.put({ id: 'mine' })
    await (await rig.replicate(db, mirror)).sync()
    await expectSame(replicaOf(db), mirror.replica)
    expect(count(mirror, 'POST /records/fetch')).toBe(0)
  })
})

describe('a reconcile', () => {
  test('covers the scope, and offers what is written here outside of it', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(db, 'a/', 30)
    await putMany(db, 'c/', 30)
    await give(db, mirror.database)
    for (const one of ['a/x', 'b/x', 'c/x', 'd/x', '0']) await db.put({ id: one })
    for (const one of ['a/y', 'b/y', 'c/y', 'd/y']) await mirror.database.put({ id: one })
    const replication = await rig.replicate(db, mirror, { scope: { prefixes: ['c/', 'a/', 'a/1'] } })
    await replication.sync()
    const ids = async (one: Database) =>
      [...(await known(one)).keys()].filter((id) => !/\/\d/.test(id)).sort()
    expect(await ids(mirror.database)).toEqual([
      '0',
      ...['a', 'b', 'c', 'd'].flatMap((p) => [`${p}/x`, `${p}/y`]),
    ])
    expect(await ids(db)).toEqual(['0', 'a/x', 'a/y', 'b/x', 'c/x', 'c/y', 'd/x'])
  })

  test('brings a mirror the bodies that it lost', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(db, 'd', 20, 100)
    const stubs = (await replicaOf(db).feed({ since: 0, bodies: false })).records
    await mirror.replica.merge(stubs)
    expect(await mirror.replica.owedCount()).toBe(20)
    await (await rig.replicate(db, mirror)).sync()
    expect(await mirror.replica.owedCount()).toBe(0)
  })

  test('that is ended stores no checkpoint, and the next one finds what is left', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(db, 'd', 500)
    await give(db, mirror.database)
    await putMany(db, 'here', 5)
    await putMany(mirror.database, 'there', 5)
    const places = ['POST /ranges', 'POST /records/fetch', 'POST /records']
    for (const place of places) {
      mirror.fault = (asked) => (asked === place ? 'lose' : undefined)
      const broken = await rig.replicate(db, mirror)
      await until(() => broken.mirrors()[0]?.state === 'backing-off')
      expect(await replicaOf(db).checkpoint(mirror.replica.id, 'push')).toBeUndefined()
      await broken.close()
      await db.put({ id: `more after ${place}` })
    }
    mirror.fault = () => undefined
    await (await rig.replicate(db, mirror)).sync()
    await expectSame(replicaOf(db), mirror.replica)
  })

  test('loses nothing of what is written on both sides while it runs', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(db, 'd', 2_000)
    await give(db, mirror.database)
    await db.put({ id: 'here' })
    await mirror.database.put({ id: 'there' })
    let n = 0
    mirror.delay = async () => {
      n += 1
      await db.put({ id: `d${n}`, n }, { overwrite: true })
      await db.put({ id: `here${n}` })
      await mirror.database.put({ id: `d${n + 1_000}`, n }, { overwrite: true })
      await mirror.database.put({ id: `there${n}` })
    }
    const replication = await rig.replicate(db, mirror)
    await until(() => n > 6)
    mirror.delay = () => undefined
    await until(() => isLive(replication))
    await replication.sync()
    await until(() => isQuiet(replication))
    await expectSame(replicaOf(db), mirror.replica)
  })

  test('ends with a mirror that is restored under it, and the next one mends it', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(db, 'd', 300)
    await give(db, mirror.database)
    await db.put({ id: 'here' })
    await mirror.database.put({ id: 'there' })
    const old = await rig.database('mirror')
    await give(db, old)
    await old.delete('here')
    mirror.delay = (asked) => {
      if (asked === 'POST /records/fetch') mirror.swap(old)
      return undefined
    }
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env, hold: 'all' })
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
    await expectSame(replicaOf(db), replicaOf(old))
  })

  test('has an end, and a bound, with a mirror that lies', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(db, 'd', 1_000)
    await give(db, mirror.database)
    const lie = new Uint8Array(32)
    const lies = {
      // Parts without end.
      parts: (): Partial<Replica> => ({
        sum: async () => ({ count: 1_000, sum: lie }),
        parts: async ({ gte = '' }) => [{ from: gte, count: 1_000, sum: lie }],
      }),
      // All is another than it is: each document is looked at, and found to be the same.
      sums: (replica: Replica): Partial<Replica> => ({
        sum: async (range) => ({ ...(await replica.sum(range)), sum: lie }),
        parts: async (range, partsFor) =>
          (await replica.parts(range, partsFor)).map((part) => ({ ...part, sum: lie })),
      }),
    }
    for (const [name, plant] of Object.entries(lies)) {
      const asked: string[] = []
      const honest = mirror.replica
      const liar = {
        request: async (request: TransportRequest): Promise<TransportAnswer> => {
          asked.push(request.url)
          return mirror.request(request)
        },
        stream: mirror.stream.bind(mirror),
        close: () => mirror.close(),
      }
      mirror.plant = plant(honest)
      const replication = await rig.replicate(db, mirror, { transport: liar })
      if (name === 'sums') await replication.sync()
      else await until(() => replication.mirrors()[0]?.error !== undefined)
      expect(asked.length).toBeLessThan(100)
      await replication.close()
      mirror.plant = {}
    }
  })
})

describe('a quiet pair', () => {
  async function quiet() {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(db, 'd', 50)
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env, live: false, intervalMs: 100_000_000 })
    await replication.sync()
    await until(() => isLive(replication) && isQuiet(replication))
    mirror.asked.length = 0
    return { db, mirror, env, replication }
  }
  const HOUR = 3_600_000

  test('compares sums once an hour, in one request', async () => {
    const { mirror, env, replication } = await quiet()
    for (let hour = 1; hour <= 3; hour++) {
      await env.advance(HOUR)
      await until(() => count(mirror, 'POST /ranges') === hour)
      await rounds()
    }
    // Besides it is asked now and then whether it lacks bodies.
    expect(new Set(mirror.asked)).toEqual(new Set(['GET ', 'POST /ranges']))
    expect(replication.mirrors()[0]?.mismatches).toBe(0)
  })

  test('finds and mends what no feed tells, and counts it', async () => {
    const { db, mirror, env, replication } = await quiet()
    const honest = mirror.replica
    const before = mirror.replica.position()
    // A mirror that has taken something, and says that nothing has happened.
    await mirror.database.put({ id: 'untold' })
    mirror.plant = {
      position: () => before,
      feed: async (o) => ({
        ...(await honest.feed({ ...o, since: before.seq })),
        records: [],
        position: before,
        more: false,
      }),
    }
    await env.advance(HOUR)
    await until(() => replication.mirrors()[0]?.mismatches === 1)
    await until(() => isLive(replication) && isQuiet(replication))
    mirror.plant = {}
    expect((await known(db)).has('untold')).toBe(true)
    await expectSame(replicaOf(db), honest)
  })

  test('leaves what cannot be resolved as it is, until something changes', async () => {
    const { db, mirror, env, replication } = await quiet()
    mirror.refuses = (id) => (id.startsWith('bad') ? 'not here' : undefined)
    await db.put({ id: 'bad' })
    await replication.sync()
    expect(await inboxOf(replication)).toMatchObject([{ id: 'bad' }])
    for (let hour = 0; hour < 4; hour++) {
      await env.advance(HOUR)
      await until(() => isLive(replication) && isQuiet(replication))
      await rounds(200)
    }
    expect(replication.mirrors()[0]?.mismatches).toBe(1)
    expect(await inboxOf(replication)).toMatchObject([{ id: 'bad' }])
    await db.put({ id: 'bad2' })
    await replication.sync()
    for (let hour = 0; hour < 2; hour++) {
      await env.advance(HOUR)
      await until(() => isLive(replication) && isQuiet(replication))
      await rounds(200)
    }
    expect(replication.mirrors()[0]?.mismatches).toBe(2)
  })
})
