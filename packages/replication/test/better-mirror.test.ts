import type { Replication, Transport } from '@mynah/replication'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, type MemoryMirror } from './memory-mirror.js'
import { isQuiet, known, Rig } from './rig.js'

let rig: Rig
/** Whose hearts beat. */
let served: readonly MemoryMirror[]
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

/** Mirrors by the names of their databases, each as far away as is said. */
function roads(
  env: ManualEnv,
  mirrors: Readonly<Record<string, MemoryMirror>>,
  latencyMs: Readonly<Record<string, number>>,
): Transport {
  const nameOf = (url: string) => new URL(url).pathname.split('/')[2]!
  return {
    request: async (request) => {
      const name = nameOf(request.url)
      const arrived = new Promise<void>((resolve) => env.setTimer(resolve, latencyMs[name] ?? 0))
      const answer = await mirrors[name]!.request(request)
      await arrived
      return answer
    },
    stream: (request) => mirrors[nameOf(request.url)]!.stream(request),
    close: async () => undefined,
  }
}

function used(replication: Replication): string | undefined {
  const live = replication.mirrors().filter(({ state }) => state === 'live')
  return live.length === 1 ? live[0]!.url : undefined
}

/** Lets time pass in small steps, in which all that is under way goes on, until the condition holds; how much. */
async function passes(env: ManualEnv, condition: () => boolean): Promise<number> {
  const begunMs = env.now()
  while (!condition()) {
    await env.advance(100)
    await rounds(2)
    if (env.now() % 10_000 === 0) for (const mirror of served) mirror.beat()
  }
  return env.now() - begunMs
}

async function pass(env: ManualEnv, ms: number): Promise<void> {
  const endMs = env.now() + ms
  await passes(env, () => env.now() >= endMs)
}

test('a peer fails over without loss, and returns to the better mirror when that has been well for a while', async () => {
  const env = new ManualEnv()
  const [near, far] = [await rig.mirror(), await rig.mirror()]
  served = [near, far]
  const db = await rig.database()
  const transport = roads(env, { near, far }, { near: 10, far: 200 })
  const mirrors = [address('far'), address('near')]
  const replication = await rig.replicate(db, near, { env, transport, mirrors })
  await passes(env, () => used(replication) === address('far'))
  // The other is measured, found better, and used once it has been well for a minute.
  await passes(env, () => used(replication) === address('near'))
  expect(env.now() - 1_700_000_000_000).toBeGreaterThan(60_000)
  await db.put({ id: 'a' })
  await passes(env, () => isQuiet(replication))
  expect(await near.database.get('a')).toMatchObject({ id: 'a' })

  near.fault = () => 'refuse'
  near.cut()
  await db.put({ id: 'b' })
  await passes(env, () => used(replication) === address('far') && isQuiet(replication))
  expect(await known(far.database)).toEqual(await known(db))
  // Refused at once is not quick.
  await pass(env, 600_000)
  expect(used(replication)).toBe(address('far'))
  expect(replication.mirrors()[1]).toMatchObject({ state: 'backing-off' })
  expect(replication.mirrors()[1]!.failures).toBeGreaterThan(3)

  near.fault = () => undefined
  const backMs = await passes(env, () => used(replication) === address('near'))
  expect(backMs).toBeGreaterThan(60_000)
  expect(backMs).toBeLessThan(400_000)
  await passes(env, () => isQuiet(replication))
  expect(await known(near.database)).toEqual(await known(db))
})

test('a mirror that answers when it is asked how it is, and fails in use, is tried less and less often', async () => {
  const env = new ManualEnv()
  const [near, far] = [await rig.mirror(), await rig.mirror()]
  served = [near, far]
  const db = await rig.database()
  const transport = roads(env, { near, far }, { near: 10, far: 200 })
  const mirrors = [address('far'), address('near')]
  const replication = await rig.replicate(db, near, { env, transport, mirrors })
  const changesMs: number[] = []
  for (let times = 0; times < 4; times++) {
    const begunMs = env.now()
    await passes(env, () => used(replication) === address('near'))
    changesMs.push(env.now() - begunMs)
    near.fault = (asked) => (asked === 'GET ' ? undefined : 'refuse')
    near.cut()
    await passes(env, () => used(replication) === address('far'))
    near.fault = () => undefined
  }
  expect(changesMs[3]).toBeGreaterThan(2 * changesMs[0]!)
})

test('mirrors that are about as far away are not changed, and are seldom asked', async () => {
  const env = new ManualEnv()
  const [one, other] = [await rig.mirror(), await rig.mirror()]
  served = [one, other]
  const db = await rig.database()
  const transport = roads(env, { one, other }, { one: 40, other: 25 })
  const mirrors = [address('one'), address('other')]
  const replication = await rig.replicate(db, one, { env, transport, mirrors })
  await passes(env, () => used(replication) === address('one'))
  await pass(env, 3_600_000)
  expect(used(replication)).toBe(address('one'))
  expect(one.asked.filter((asked) => asked === 'GET /records/live')).toHaveLength(1)
  expect(other.asked.filter((asked) => asked !== 'GET ')).toEqual([])
  expect(other.asked.length).toBeGreaterThan(3)
  expect(other.asked.length).toBeLessThan(10)
  await until(() => replication.mirrors()[1]!.latencyMs !== undefined)
  expect(replication.mirrors().map(({ latencyMs }) => Math.round(latencyMs!))).toEqual([40, 25])
})
