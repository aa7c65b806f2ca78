import { describe, expect, test } from 'vitest'
import type { Log } from '../../src/log/log.js'
import { CrashStorage } from './crash-storage.js'
import { collect, contents, expected, openTestLog, record, TestEnv } from './support.js'

interface Told {
  /** Records whose append resolved. */
  appended: number
  /** The highest seq that was said to be durable. */
  durable: number
}

interface Scenario {
  readonly shardBytes: number
  readonly bodyBytes: number
  run(log: Log, append: (count: number, sync: boolean) => Promise<void>, env: TestEnv): Promise<void>
}

const scenarios: Record<string, Scenario> = {
  'small groups, sealing in the background and on demand': {
    shardBytes: 600,
    bodyBytes: 40,
    async run(log, append, env) {
      await append(1, true)
      await append(3, true)
      await append(2, false)
      await append(12, true)
      await append(1, false)
      await env.pass(1_500)
      await append(9, true)
      await log.seal()
      await append(2, true)
      await append(2, false)
      await log.sync()
      await append(1, false)
    },
  },
  'large groups, one file after another': {
    shardBytes: 64 * 1024 * 1024,
    bodyBytes: 300_000,
    async run(_, append) {
      await append(3, true)
      await append(1, false)
      await append(1, false)
      await append(1, true)
    },
  },
}

async function runUntilDeath(scenario: Scenario, storage: CrashStorage, seed: number): Promise<Told> {
  const told = { appended: 0, durable: 0 }
  try {
    const { log, env } = await openTestLog(storage, {
      env: new TestEnv(seed),
      shardBytes: scenario.shardBytes,
    })
    await scenario.run(
      log,
      async (count, sync) => {
        const records = Array.from({ length: count }, (_, index) =>
          record(told.appended + index + 1, scenario.bodyBytes),
        )
        await log.append(records, { sync })
        told.appended += count
        told.durable = Math.max(told.durable, log.synced)
      },
      env,
    )
    told.durable = Math.max(told.durable, log.synced)
    await log.close()
    told.durable = log.synced
  } catch (error) {
    if (!storage.dead) throw error
    await new TestEnv().yield()
  }
  return told
}

for (const [name, scenario] of Object.entries(scenarios))
  for (const end of ['kill', 'power'] as const)
    describe(`${name}, ended by ${end}`, () => {
      test('after any step, what was acknowledged is there, at its seq, and the log goes on', async () => {
        for (let diesAt = 0, finished = false; !finished; diesAt++) {
          const random = new TestEnv(diesAt + 77)
          const storage = new CrashStorage((bound) => random.random(bound))
          storage.diesAt = diesAt
          const told = await runUntilDeath(scenario, storage, diesAt)
          finished = !storage.dead
          const floor = end === 'kill' ? told.appended : told.durable
          await checkSurvivor(
            storage.survivor(end),
            floor,
            scenario,
            `step ${diesAt}, ${storage.journal.at(-1)}`,
          )
        }
      })
    })

async function checkSurvivor(
  storage: CrashStorage,
  floor: number,
  { bodyBytes }: Scenario,
  context: string,
): Promise<void> {
  // Twice: what the first open does must not harm the second.
  let head = floor
  for (const turn of bodyBytes > 1_000 ? [0] : [0, 1]) {
    const { log } = await openTestLog(storage, { env: new TestEnv(1000 + turn) })
    expect(log.damage, context).toEqual([])
    expect(log.head, context).toBeGreaterThanOrEqual(head)
    expect(log.synced).toBe(log.head)
    expect([...(await contents(log))], context).toEqual(expected(1, log.head, bodyBytes))
    const next = log.head + 1
    expect(await log.append([record(next, bodyBytes)], { sync: true })).toBe(next)
    expect(await collect(log.verify()), context).toEqual([])
    await log.close()
    head = next
  }
}
