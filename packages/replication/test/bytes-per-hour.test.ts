import type { Replication, Transport, TransportAnswer, TransportRequest } from '@mynah/replication'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualEnv, rounds } from './manual-env.js'
import type { MemoryMirror } from './memory-mirror.js'
import { isQuiet, known, putMany, Rig } from './rig.js'

const HOUR_MS = 3_600_000

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

interface Went {
  readonly atMs: number
  readonly bytes: number
  /** Whether it waits until it may. */
  readonly waits: boolean
}

/** The way to a mirror; what travels on it, and when. */
function metered(mirror: MemoryMirror, env: ManualEnv) {
  const went: Went[] = []
  const size = ({ headers, body }: TransportRequest | TransportAnswer) =>
    Object.entries(headers).reduce(
      (sum, [name, value]) => sum + name.length + value.length + 4,
      body?.length ?? 0,
    )
  const transport: Transport = {
    request: async (request) => {
      const answer = await mirror.request(request)
      const waits = /[/](shards|ranges|owed|records|missing)([?]|$)/.test(request.url)
      went.push({ atMs: env.now(), bytes: request.url.length + size(request) + size(answer), waits })
      return answer
    },
    stream: (request) => mirror.stream(request),
    close: async () => undefined,
  }
  return { transport, went }
}

function sum(went: readonly Went[]): number {
  return went.reduce((total, { bytes }) => total + bytes, 0)
}

function mostInAnHour(went: readonly Went[]): number {
  const hourFrom = ({ atMs }: Went) => went.filter((one) => one.atMs >= atMs && one.atMs < atMs + HOUR_MS)
  return Math.max(...went.map((one) => sum(hourFrom(one))))
}

/** Lets time pass while it is waited, or nothing goes on: LZMA is not on this clock. */
async function pass(env: ManualEnv, mirror: MemoryMirror, replication: Replication, done: () => boolean) {
  while (!done()) {
    for (let round = 0; round < 60 && replication.status().resumesAt === undefined && !done(); round++)
      await rounds(1)
    const leftMs = (replication.status().resumesAt?.getTime() ?? 0) - env.now()
    await env.advance(Math.min(30_000, Math.max(100, leftMs)))
    mirror.beat()
    // It is heard before more time passes, or the session would end for silence.
    await rounds(2)
  }
}

/**
 * The most in an hour. What waits takes what is there at first, a tenth, and then what comes in an hour, nine tenths; the
 * last that was let go may be longer than what it took, a tenth at most: 0.1 + 0.9 of all, and the longest less 0.1, where
 * the tenths cancel out. Whoever begins anew begins with a tenth, and knows nothing of what the one before took too much:
 * each adds its longest. What does not wait comes on top.
 */
function bound(maxBytesPerHour: number, ...runs: readonly (readonly Went[])[]): number {
  const longest = runs.map((went) => Math.max(...went.map(({ bytes }) => bytes)))
  const unasked = sum(runs.flat().filter(({ waits }) => !waits))
  return longest.reduce((most, bytes) => most + bytes, 0.9 * maxBytesPerHour + unasked)
}

test('a copy takes as many hours as it must, shows that it waits, and goes on where it was', async () => {
  const mirror = await rig.mirror()
  await putMany(mirror.database, 'd', 100, 4_000)
  const env = new ManualEnv()
  const { transport, went } = metered(mirror, env)
  const db = await rig.database()
  const options = { env, transport, hold: 'all', maxBytesPerHour: 160_000 } as const
  const replication = await rig.replicate(db, mirror, options)
  const begunMs = env.now()
  const count = () => replication.mirrors()[0]!.behind
  await pass(env, mirror, replication, () => replication.status().state === 'paused')
  const { resumesAt } = replication.status()
  expect(resumesAt!.getTime()).toBeGreaterThan(env.now())
  expect(resumesAt!.getTime()).toBeLessThan(env.now() + HOUR_MS)

  // Reads do not wait for it.
  expect(await db.get('d99')).toMatchObject({ id: 'd99' })

  await pass(env, mirror, replication, () => count() < 70)
  const before = (await db.stats()).documents
  expect(before).toBeGreaterThan(30)
  await replication.close()
  const first = went.slice()
  const again = await rig.replicate(db, mirror, options)
  await pass(env, mirror, again, () => isQuiet(again))
  expect(await known(db)).toEqual(await known(mirror.database))
  expect(await db.stats()).toMatchObject({ notHeld: 0 })
  expect(again.status().resumesAt).toBeUndefined()
  // 400 kB that do not compress.
  expect(env.now() - begunMs).toBeGreaterThan(2 * HOUR_MS)
  expect(env.now() - begunMs).toBeLessThan(4.5 * HOUR_MS)
  // A shard of 64 KiB comes whole where less than that may.
  const second = went.slice(first.length)
  expect(mostInAnHour(first)).toBeLessThanOrEqual(bound(160_000, first))
  expect(mostInAnHour(second)).toBeLessThanOrEqual(bound(160_000, second))
  expect(mostInAnHour(went)).toBeLessThanOrEqual(bound(160_000, first, second))
  // What the bounds are made of: one shard, and little that does not wait.
  expect(bound(160_000, first)).toBeLessThan(160_000 + 64_000)
  expect(
    mirror.asked.filter((one) => one === 'GET /records' || one === 'GET /shards').length,
  ).toBeGreaterThan(5)
})

test('what is written waits too, and is not held up by anything else', async () => {
  const mirror = await rig.mirror()
  const env = new ManualEnv()
  const { transport, went } = metered(mirror, env)
  const db = await rig.database()
  await putMany(db, 'd', 60, 4_000)
  const replication = await rig.replicate(db, mirror, { env, transport, maxBytesPerHour: 400_000 })
  await pass(env, mirror, replication, () => isQuiet(replication))
  expect(await known(mirror.database)).toEqual(await known(db))
  // One push goes when a tenth is there, and what comes next waits for it.
  expect(mostInAnHour(went)).toBeLessThan(400_000)
  await db.put({ id: 'small' })
  const synced = replication.synced()
  await pass(env, mirror, replication, () => isQuiet(replication))
  await synced
})

test('what is no number of bytes is refused', async () => {
  const mirror = await rig.mirror()
  const db = await rig.database()
  for (const maxBytesPerHour of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
    await expect(rig.replicate(db, mirror, { maxBytesPerHour })).rejects.toThrow(RangeError)
})
