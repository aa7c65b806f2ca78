import { open } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import type { TransportRequest } from '@mynah/replication'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, type Fault, MemoryMirror } from './memory-mirror.js'
import { count, isLive, isQuiet, known, putMany, Rig, recover } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

/** Goes wrong once. */
function once(asked: string, fault: Fault): (one: string) => Fault | undefined {
  let due = true
  return (one) => {
    if (!due || one !== asked) return undefined
    due = false
    return fault
  }
}

describe('an answer that was damaged on the way', () => {
  const cases: readonly (readonly [string, Fault, number])[] = [
    ['GET ', 'flip', 0],
    ['POST /ranges', 'flip', 0],
    ['POST /ranges', 'skip', 0],
    ['POST /records/fetch', 'flip', 0],
    ['POST /records/fetch', 'skip', 0],
    // Documents are asked about one by one only where the mirror has nearly none.
    ['POST /records/missing', 'flip', 7],
    ['POST /records', 'flip', 0],
    ['GET /records', 'flip', 7],
    ['GET /records', 'skip', 7],
    ['GET ', 'shorten', 0],
    ['POST /ranges', 'shorten', 0],
    ['POST /records/fetch', 'shorten', 0],
    ['POST /records/missing', 'shorten', 7],
    ['POST /records', 'shorten', 0],
    ['GET /records', 'shorten', 7],
  ]
  test.each(cases)('%s, %s: is no answer, and nothing is lost', async (asked, fault, others) => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await db.put({ id: 'here' })
    await putMany(db, 'other', others)
    await mirror.database.put({ id: 'there' })
    mirror.fault = once(asked, fault)
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env })
    const codes: string[] = []
    replication.on('error', ({ error }) => codes.push((error as { code?: string }).code ?? ''))
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
    expect(codes).toEqual(['MYNAH_MIRROR_ANSWER'])
    expect((await known(db)).size).toBe(2 + others)
    expect(await known(db)).toEqual(await known(mirror.database))
  })

  test.each(['flip', 'shorten', 'empty', 'portal'] as const)('%s: is not read as a body', async (fault) => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const there = await mirror.database.put({ id: 'there', n: 1 })
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env })
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
    mirror.fault = once('POST /records/fetch', fault)
    await expect(db.get('there')).rejects.toMatchObject({ code: 'MYNAH_UNREACHABLE' })
    expect(await db.get('there')).toEqual(there)
    mirror.fault = once('POST /records/fetch', fault)
    const fresh = db.read('there', { freshness: 'mirror' })
    expect(await fresh).toMatchObject({ doc: there, current: false })
  })
})

describe('a question that was damaged on the way', () => {
  test('is not answered, whichever bit it is', async () => {
    const mirror = await rig.mirror()
    const { rev } = await mirror.database.put({ id: 'a' })
    let asked: TransportRequest | undefined
    const db = await rig.database()
    mirror.fault = (one, request) => {
      if (one === 'POST /records/fetch') asked = request
      return undefined
    }
    await (await rig.replicate(db, mirror)).sync()
    expect(await db.get('a')).toMatchObject({ rev })
    const { body } = asked!
    await fc.assert(
      fc.asyncProperty(fc.nat(body!.length * 8 - 1), async (bit) => {
        const flipped = body!.slice()
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        const { signal } = new AbortController()
        expect((await mirror.request({ ...asked!, body: flipped, signal })).status).toBe(400)
      }),
    )
  })
})

describe('a captive portal', () => {
  const places = [
    'GET ',
    'PUT ',
    'POST /records',
    'GET /records',
    'POST /records/missing',
    'GET /records/live',
  ]
  test.each(places.flatMap((place) => [[place, 'portal'] as const, [place, 'empty'] as const]))(
    'at %s, %s: is no mirror',
    async (asked, fault) => {
      const db = await rig.database()
      const mirror = await rig.mirror()
      if (asked === 'PUT ') mirror.replace(undefined)
      // One that is empty is asked for nothing, and one that knows about as much is reconciled with.
      const others = asked === 'POST /records/missing' ? 8 : 0
      if (others > 0) await putMany(mirror.database, 'other', others)
      await db.put({ id: 'here' })
      mirror.fault = once(asked, fault)
      const env = new ManualEnv()
      const replication = await rig.replicate(db, mirror, { env })
      const codes: string[] = []
      replication.on('error', ({ error }) => codes.push((error as { code?: string }).code ?? ''))
      await recover(env, replication, () => isLive(replication) && isQuiet(replication))
      const lost = asked === 'GET /records/live' && fault === 'empty'
      expect(codes).toEqual([lost ? 'MYNAH_MIRROR_UNREACHABLE' : 'MYNAH_MIRROR_ANSWER'])
      expect(await known(db)).toEqual(await known(mirror.database))
      expect((await known(db)).size).toBe(1 + others)
    },
  )
})

describe('a push that a proxy sends again', () => {
  /** Keeps the pushes, to be sent again. */
  async function pushing() {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const pushes: TransportRequest[] = []
    mirror.fault = (asked, request) => {
      if (asked === 'POST /records') pushes.push({ ...request, body: request.body!.slice() })
      return undefined
    }
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env })
    const again = async (push: TransportRequest | undefined) => {
      const { signal } = new AbortController()
      expect((await mirror.request({ ...push!, signal })).status).toBe(200)
    }
    return { db, mirror, env, replication, pushes, again }
  }

  test('at once takes no second place', async () => {
    const { db, mirror, replication, pushes, again } = await pushing()
    await db.put({ id: 'a', n: 1 })
    await replication.synced()
    const { seq } = mirror.replica.position()
    await again(pushes[0])
    expect(mirror.replica.position().seq).toBe(seq)
  })

  test('after newer edits, a delete and a new beginning changes nothing', async () => {
    const { db, mirror, replication, pushes, again } = await pushing()
    let doc = await db.put({ id: 'a', n: 1 })
    await replication.synced()
    const step = async (change: () => Promise<unknown>) => {
      await change()
      await replication.synced()
      const before = [await known(mirror.database), mirror.replica.position().seq]
      for (const push of [...pushes]) await again(push)
      pushes.splice(pushes.length / 2)
      expect([await known(mirror.database), mirror.replica.position().seq]).toEqual(before)
    }
    await step(async () => {
      doc = await db.put({ ...doc, n: 2 })
    })
    await step(() => db.delete(doc))
    await step(() => db.put({ id: 'a', n: 3 }))
    expect(await mirror.database.get('a')).toMatchObject({ n: 3 })
    await replication.sync()
    expect(await known(db)).toEqual(await known(mirror.database))
  })

  test('to a mirror that lost its database gives way to what came after it', async () => {
    const { db, mirror, env, replication, pushes, again } = await pushing()
    const doc = await db.put({ id: 'a', n: 1 })
    await replication.synced()
    await db.put({ ...doc, n: 2 })
    await replication.synced()
    mirror.replace(await rig.database('mirror'))
    await again(pushes[0])
    await until(() => replication.mirrors()[0]?.state === 'backing-off')
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
    expect(await mirror.database.get('a')).toMatchObject({ n: 2 })
    expect(await known(db)).toEqual(await known(mirror.database))
  })
})

describe('a session that ends under', () => {
  /** A session whose next request of this kind hangs until the session is over. */
  async function hanging(asked: string) {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await mirror.database.put({ id: 'there' })
    const replication = await rig.replicate(db, mirror)
    await until(() => isLive(replication) && isQuiet(replication))
    mirror.fault = (one) => (one === asked ? 'hang' : undefined)
    const hung = () => until(() => mirror.asked.at(-1) === asked)
    return { db, mirror, replication, hung }
  }
  const ends = [
    ['a cut stream', 'the live stream ended'],
    ['a mirror that is removed', 'it was removed'],
  ] as const

  test.each(ends)('a sync, by %s: rejects with the reason', async (end, reason) => {
    const { mirror, replication, hung } = await hanging('GET /records')
    const syncing = replication.sync()
    syncing.catch(() => {})
    await hung()
    if (end === 'a cut stream') mirror.cut()
    else await replication.removeMirror(address())
    await expect(syncing).rejects.toMatchObject({ code: 'MYNAH_MIRROR_UNREACHABLE', detail: reason })
  })

  test('many reads, by a pause: leaves no warning of too many listeners', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    const { db, mirror, replication } = await hanging('POST /records/fetch')
    await putMany(mirror.database, 'd', 20)
    await until(() => replicaOf(db).position().seq === 21)
    const reads = []
    for (let n = 0; n < 20; n++) {
      reads.push(db.read(`d${n}`, { waitMs: 600_000 }))
      await rounds(2)
    }
    replication.pause()
    for (const { status } of await Promise.allSettled(reads)) expect(status).toBe('rejected')
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })

  test('a read, by a pause: rejects as unreachable', async () => {
    const { db, replication, hung } = await hanging('POST /records/fetch')
    const reading = db.read('there', { waitMs: 600_000 })
    reading.catch(() => {})
    await hung()
    replication.pause()
    await expect(reading).rejects.toMatchObject({ code: 'MYNAH_UNREACHABLE' })
  })
})

test('a live stream that never begins is given up like one that fell silent', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  mirror.fault = once('GET /records/live', 'hang')
  const env = new ManualEnv()
  const replication = await rig.replicate(db, mirror, { env })
  await until(() => isLive(replication))
  await rounds()
  await env.advance(44_000)
  expect(count(mirror, 'GET /records/live')).toBe(1)
  await env.advance(1_000)
  await until(() => replication.mirrors()[0]?.state === 'backing-off')
  await recover(env, replication, () => isLive(replication))
  expect(count(mirror, 'GET /records/live')).toBe(2)
})

test('what is pushed into another history is not taken as pulled up to there', async () => {
  const db = await rig.database()
  const folder = await rig.folder()
  await (await open(folder, { mode: 'mirror' })).close()
  const copy = await rig.copy(folder)
  const mirror = await MemoryMirror.with(await rig.database('mirror', folder))
  const env = new ManualEnv()
  const replication = await rig.replicate(db, mirror, { env })
  await until(() => isLive(replication))
  await putMany(mirror.database, 'first', 3)
  await until(() => replicaOf(db).position().seq === 3)
  const other = await rig.database('mirror', copy)
  await putMany(other, 'other', 3)
  // Restored from a copy, with the same id, as many documents and the same open stream: only the history is another.
  const streams = mirror.streams
  mirror.swap(other)
  expect(mirror.streams).toBe(streams)
  await db.put({ id: 'here' })
  await rounds()
  mirror.cut()
  await recover(env, replication, () => isLive(replication) && isQuiet(replication))
  expect([...(await known(other)).keys()]).toContain('here')
  expect([...(await known(db)).keys()].filter((id) => id.startsWith('other'))).toHaveLength(3)
})
