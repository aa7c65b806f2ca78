import type { Database } from '@mynah/core'
import { connect } from '@mynah/replication'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, type MemoryMirror, ways } from './memory-mirror.js'
import { count, passes, putMany, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

const hangs = (mirror: MemoryMirror) => {
  mirror.fault = () => 'hang'
}

/** A second mirror that knows what the first does. */
async function second(first: MemoryMirror): Promise<MemoryMirror> {
  const mirror = await rig.mirror()
  const { records } = await first.replica.feed({ since: 0, bodies: true })
  await mirror.replica.merge(records, { whole: true, from: 'mirror' })
  return mirror
}

/** A peer with a live session with the first of two mirrors. */
async function peer(addresses: readonly string[] = ['first', 'second']) {
  const first = await rig.mirror()
  await putMany(first.database, 'd', 20, 100)
  const other = await second(first)
  const env = new ManualEnv()
  const db = await rig.database()
  const transport = ways({ first, second: other })
  const mirrors = addresses.map(address)
  const replication = await rig.replicate(db, first, { env, transport, mirrors })
  await until(() => replication.mirrors()[0]!.state === 'live')
  return { db, env, first, other, replication }
}

const patient = { waitMs: 600_000 } as const
const atMirror = { freshness: 'mirror', ...patient } as const

describe('a mirror that accepts and never answers', () => {
  test('keeps no read from another mirror for longer than a second, and the next read not at all', async () => {
    const { db, env, first, other } = await peer()
    hangs(first)
    const changed = await other.database.put({ id: 'd1', n: 2 }, { overwrite: true })
    const read = db.read('d1', atMirror)
    await until(() => first.asked.at(-1) === 'POST /records/fetch')
    await env.advance(900)
    await rounds()
    expect(count(other, 'POST /records/fetch')).toBe(0)
    await env.advance(100)
    expect(await read).toMatchObject({ doc: changed, current: true, from: 'mirror' })
    expect(await db.read('d2', atMirror)).toMatchObject({ doc: { id: 'd2' }, current: true })
    expect(await db.get('d3', patient)).toMatchObject({ id: 'd3' })
    expect(count(first, 'POST /records/fetch')).toBe(3)
  })

  test('nor many at once', async () => {
    const { db, env, first } = await peer()
    hangs(first)
    const ids = Array.from({ length: 20 }, (_, n) => `d${n}`)
    for (const options of [patient, atMirror]) {
      const docs = db.getMany(ids, options)
      await until(() => first.asked.at(-1) === 'POST /records/fetch')
      await env.advance(1_000)
      expect((await docs).map((doc) => doc?.id)).toEqual(ids)
    }
  })

  test('while it is being connected to: one that is added meanwhile is asked at once', async () => {
    const first = await rig.mirror()
    await putMany(first.database, 'd', 2)
    const other = await second(first)
    hangs(first)
    const env = new ManualEnv()
    const db = await rig.database()
    const transport = ways({ first, second: other })
    const replication = await rig.replicate(db, first, { env, transport, mirrors: [address('first')] })
    await until(() => count(first, 'GET ') === 1)
    const read = db.read('d1', atMirror)
    await rounds()
    await env.advance(5_000)
    await replication.addMirror(address('second'))
    expect(await read).toMatchObject({ doc: { id: 'd1' }, current: true })
    // The read asked it, no session.
    expect(other.streams).toBe(0)
    expect(await db.read('d0', atMirror)).toMatchObject({ doc: { id: 'd0' }, current: true })
  })

  test('and that has been given up by a read: the next one asks another at once', async () => {
    const { db, first, replication, env } = await peer()
    hangs(first)
    await db.read('d1', { freshness: 'mirror', waitMs: 20 }).catch(() => {})
    first.cut()
    await until(() => replication.mirrors()[0]!.state !== 'live')
    expect(await db.read('d1', atMirror)).toMatchObject({ doc: { id: 'd1' }, current: true })
    expect(env.now()).toBe(new ManualEnv().now())
  })

  test('and no other: a read waits no longer than it would, and nobody is asked when nobody waits', async () => {
    const { db, env, first, other, replication } = await peer(['first'])
    hangs(first)
    await expect(db.get('d1', { freshness: 'mirror', waitMs: 20 })).rejects.toMatchObject({
      code: 'MYNAH_UNREACHABLE',
    })
    await replication.addMirror(address('second'))
    for (let n = 0; n < 5; n++) await env.advance(1_000)
    await rounds()
    expect(count(other, 'POST /records/fetch')).toBe(0)
  })
})

describe('another mirror', () => {
  test('is asked at once when the one in use fails', async () => {
    const { db, first, other } = await peer()
    first.fault = (asked) => (asked === 'POST /records/fetch' ? 'lose' : undefined)
    expect(await db.get('d4', patient)).toMatchObject({ id: 'd4' })
    expect(await db.read('d5', atMirror)).toMatchObject({ doc: { id: 'd5' }, current: true })
    expect(count(other, 'POST /records/fetch')).toBe(2)
  })

  test('that is this very database says nothing of it', async () => {
    const db = await rig.database()
    const { first, env } = await withItself(db)
    const changed = await first.database.put({ id: 'd1', n: 2 }, { overwrite: true })
    let answer = () => {}
    const late = new Promise<void>((resolve) => {
      answer = resolve
    })
    first.delay = (asked) => (asked === 'POST /records/fetch' ? late : undefined)
    const read = db.read('d1', atMirror)
    await until(() => first.asked.at(-1) === 'POST /records/fetch')
    await passes(env, [first], () => env.now() > new ManualEnv().now() + 5_000)
    answer()
    expect(await read).toMatchObject({ doc: changed, current: true })
  })

  test('is not asked while bytes come, however slowly', async () => {
    const first = await rig.mirror()
    await putMany(first.database, 'd', 2)
    const other = await second(first)
    const env = new ManualEnv()
    const db = await rig.database()
    const way = ways({ first, second: other })
    const transport: typeof way = {
      ...way,
      request: async (request) => {
        if (request.url.includes('/records/fetch'))
          for (let step = 0; step < 20; step++) {
            await new Promise<void>((resolve) => env.setTimer(resolve, 500))
            request.onBytes?.(10)
          }
        return way.request(request)
      },
    }
    const mirrors = ['first', 'second'].map(address)
    const replication = await rig.replicate(db, first, { env, transport, mirrors })
    await until(() => replication.mirrors()[0]!.state === 'live')
    let doc: unknown
    const read = db.get('d1', patient).then((got) => {
      doc = got
    })
    await passes(env, [first, other], () => doc !== undefined)
    await read
    expect(other.asked).toEqual([])
  })

  test('is not asked while the replication is paused', async () => {
    const { db, env, first, other, replication } = await peer()
    hangs(first)
    const read = db.read('d1', atMirror).catch((error) => error.code)
    await until(() => first.asked.at(-1) === 'POST /records/fetch')
    replication.pause()
    await env.advance(3_000)
    expect(await read).toBe('MYNAH_UNREACHABLE')
    expect(other.asked).toEqual([])
  })
})

/** A peer with a live session with one mirror, and another address that leads to the peer's own database. */
async function withItself(db: Database) {
  const first = await rig.mirror()
  await putMany(first.database, 'd', 2)
  const itself = await rig.mirror()
  itself.swap(db)
  const env = new ManualEnv()
  const transport = ways({ first, second: itself })
  const mirrors = ['first', 'second'].map(address)
  const replication = await rig.replicate(db, first, { env, transport, mirrors })
  await until(() => replication.mirrors()[0]!.state === 'live')
  return { first, itself, env, replication }
}

test('a read that ends leaves no timer behind', async () => {
  const { db, env } = await peer()
  await rounds()
  const before = env.timers
  await db.get('d1')
  await db.get('d2', { freshness: 'mirror' })
  await rounds()
  expect(env.timers).toBe(before)
})

test('a read of what `connect` gives waits for two seconds, unless it says otherwise', async () => {
  const mirror = await rig.mirror()
  const env = new ManualEnv()
  const documents = await connect(address(), { transport: mirror, env })
  hangs(mirror)
  const asked = mirror.asked.length
  for (const [options, waitMs] of [
    [{}, 2_000],
    [{ waitMs: 5_000 }, 5_000],
  ] as const)
    for (const read of [() => documents.get('a', options), () => documents.getMany(['a', 'b'], options)]) {
      const reading = read()
      let over = false
      const told = reading.catch((error) => {
        over = true
        return error.code
      })
      await until(() => mirror.asked.length > asked)
      await env.advance(waitMs - 1)
      await rounds()
      expect(over).toBe(false)
      await env.advance(1)
      expect(await told).toBe('MYNAH_UNREACHABLE')
    }
  await documents.close()
})
