import { Faults } from './faults.js'
import { finish } from './finish.js'
import type { Parts } from './ground.js'
import { troubles } from './hosts.js'
import type { Machine } from './machine.js'
import type { NetworkFaults } from './network-faults.js'
import { operate } from './operations.js'
import { type Profile, profiles } from './profile.js'
import { Violation } from './violation.js'
import { addressOf, prefixes, World } from './world.js'

export interface RunOptions {
  readonly seed: number
  /** Default: everything. */
  readonly profile?: Profile
  /** Ends the operations after so many steps. */
  readonly steps?: number
  readonly parts?: Partial<Parts>
  /** Default: everything that an application may do, to documents that mean nothing. */
  readonly usage?: Usage
  readonly print?: (line: string) => void
}

/** What the applications of a fleet do. */
export interface Usage {
  /** Default: as many as are drawn. */
  readonly ids?: readonly string[]
  /** Has an application do something; without waiting for it. */
  step(world: World, machine: Machine): void
  /** Called while the fleet agrees; gives what is still to come to its end. */
  look?(world: World): Promise<string | undefined>
  /** Called when all is over. @throws Violation */
  end?(world: World): Promise<void>
}

/** What one run came to. */
export interface RunReport {
  readonly seed: number
  /** Undefined where every promise was kept. */
  readonly violation: Violation | Error | undefined
  /** The last lines of the trace. */
  readonly lines: readonly string[]
  /** SHA-256 of all that happened. */
  readonly digest: string
  readonly counts: ReadonlyMap<string, number>
  readonly events: number
  readonly virtualMs: number
}

/** One history of a fleet, from its seed. Everything that is not a promise broken is thrown. */
export async function run(options: RunOptions): Promise<RunReport> {
  const { seed, profile = profiles.everything, parts, usage = { step: operate }, print } = options
  const { ids } = usage
  const world = new World({
    seed,
    profile,
    ...(parts && { parts }),
    ...(ids && { ids }),
    ...(print && { print }),
  })
  const violation = await history(world, drive(world, usage, options.steps))
  for (const machine of [...world.machines]) world.remove(machine)
  const { trace, scheduler, counts } = world
  const { events, nowMs } = scheduler
  return { seed, violation, lines: trace.lines, digest: trace.digest(), counts, events, virtualMs: nowMs }
}

/** Lets the time pass until the work is over, or a promise is broken. */
async function history(world: World, driven: Promise<void>): Promise<Violation | Error | undefined> {
  const onRejection = (error: unknown) =>
    world.fail(new Violation('no rejection is unhandled', String(error), { cause: error }))
  process.on('unhandledRejection', onRejection)
  try {
    const work = Promise.race([driven, world.failure])
    await world.scheduler.until(work)
    await work
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  } finally {
    process.off('unhandledRejection', onRejection)
  }
}

async function drive(world: World, usage: Usage, limit: number | undefined): Promise<void> {
  const { random, profile, scheduler } = world
  populate(world)
  for (const machine of world.machines) void machine.start()
  const drawn = random.between(...profile.steps)
  const steps = Math.min(drawn, limit ?? drawn)
  const pauseMs = random.between(...profile.pauseMs)
  const faults = new Faults(world)
  const trouble = troubles(profile.network * random.fraction())
  world.hosts.network.setFaults(trouble)
  const restAt = world.hasHours ? random.below(steps) : undefined
  for (let step = 0; step < steps; step++) {
    await scheduler.sleep(random.around(pauseMs), 'step')
    if (step === restAt) await passHours(world, trouble)
    usage.step(world, random.pick(random.chance(0.85) ? world.peers : world.machines))
    faults.step()
  }
  world.tell('every fault ends')
  faults.heal()
  await finish(world, () => usage.look?.(world) ?? Promise.resolve(undefined))
  await usage.end?.(world)
}

/** Nothing is done, and nothing goes wrong any more, for longer than it takes a quiet pair to compare what it knows. */
async function passHours(world: World, trouble: Partial<NetworkFaults>): Promise<void> {
  const { hosts, random, scheduler } = world
  world.count('hours of rest')
  world.tell('hours pass')
  hosts.network.heal()
  await scheduler.sleep(random.between(70, 200) * 60_000, 'rest')
  for (const { process } of world.machines)
    for (const { mismatches } of process?.replication.mirrors() ?? [])
      for (let i = 0; i < mismatches; i++) world.count('differences found while all was quiet')
  hosts.network.setFaults(trouble)
  world.tell('work goes on')
}

/** Mirrors that all know each other, and peers that know some of them. */
function populate(world: World): void {
  const { random, profile } = world
  const mirrors = random.between(...profile.mirrors)
  const addresses = Array.from({ length: mirrors }, (_, i) => addressOf(`m${i}`))
  for (let i = 0; i < mirrors; i++) {
    const others = addresses.filter((_, index) => index !== i)
    world.add('mirror', {
      mirrors: others,
      scope: undefined,
      hold: 'all',
      live: random.chance(0.8),
      discovers: false,
      bytesPerHour: bytesPerHour(world),
    })
  }
  const peers = random.between(...profile.peers)
  for (let i = 0; i < peers; i++) {
    const known = addresses.filter(() => random.chance(0.6))
    world.add('peer', {
      mirrors: known.length > 0 ? known : [random.pick(addresses)],
      scope: random.chance(profile.scoped)
        ? random.pick([[], [prefixes[0]], [prefixes[1], prefixes[2]]])
        : undefined,
      hold: random.chance(0.7) ? 'used' : 'all',
      live: random.chance(0.8),
      discovers: world.hasNamed && random.chance(0.7),
      bytesPerHour: bytesPerHour(world),
    })
  }
}

/** So many that some work has to wait, and that it comes to its end in an hour. */
function bytesPerHour({ random, profile }: World): number | undefined {
  return random.chance(profile.frugal) ? random.between(1_000_000, 10_000_000) : undefined
}
