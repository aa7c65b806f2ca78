import type { ReadOptions } from '@mynah/core'
import type { Application } from './application.js'
import type { Process } from './ground.js'
import type { Machine } from './machine.js'
import type { Random } from './random.js'
import type { World } from './world.js'

type Operation = (
  process: Process,
  application: Application,
  random: Random,
  world: World,
) => Promise<unknown>

/** Most edits go to a few documents, so that they meet. */
function anId(world: World, random: Random): string {
  return random.chance(0.5) ? world.ids[random.below(3)]! : random.pick(world.ids)
}

function someIds(world: World, random: Random): readonly string[] {
  return [...new Set(Array.from({ length: random.between(1, 12) }, () => anId(world, random)))]
}

/** More than a mirror tells one by one, where the run has so many. */
function manyIds({ fillers }: World, random: Random): readonly string[] {
  const start = random.below(fillers.length + 1)
  return fillers.slice(start, start + random.between(0, fillers.length))
}

function anyFreshness(random: Random): ReadOptions {
  const freshness = random.pick(['local', 'index', 'index', 'mirror'] as const)
  return { freshness, waitMs: random.pick([200, 2_000]) }
}

/** What an application may do, and how often of all. */
const operations: readonly (readonly [weight: number, name: string, Operation])[] = [
  [30, 'edit', (process, app, random, world) => app.edit(process, anId(world, random), anyFreshness(random))],
  [5, 'put new', (process, app, random, world) => app.put(process, app.draw(anId(world, random)))],
  [6, 'putMany', (process, app, random, world) => app.putMany(process, someIds(world, random))],
  [1, 'putMany of many', (process, app, random, world) => app.putMany(process, manyIds(world, random))],
  [6, 'update', (process, app, random, world) => app.update(process, anId(world, random))],
  [8, 'delete', (process, app, random, world) => app.delete(process, anId(world, random))],
  [
    8,
    'transaction',
    (process, app, random, world) => app.transactor.transact(process, someIds(world, random).slice(0, 5)),
  ],
  [2, 'look at transactions', (process, app) => app.transactor.look(process)],
  [
    5,
    'evict',
    (process, app, random, world) =>
      app.evictor.evict(process, random.chance(0.6) ? world.ids : someIds(world, random)),
  ],
  [2, 'pin', (process, app, random, world) => app.pinner.pin(process, someIds(world, random))],
  [1, 'unpin', (process, app, random, world) => app.pinner.unpin(process, someIds(world, random))],
  [6, 'resolve', (process, app, random, world) => app.resolver.resolveAny(process, anId(world, random))],
  [3, 'settle', (process, app, random, world) => app.resolver.settle(process, anId(world, random))],
  [16, 'read', (process, app, random, world) => app.read(process, anId(world, random), anyFreshness(random))],
  [3, 'getMany', (process, app, random, world) => app.getMany(process, someIds(world, random))],
  [3, 'list', (process, app, random) => app.list(process, random.chance(0.2) ? 'fetch' : 'skip')],
  [4, 'follow', (process, app, random) => app.follower.follow(process, random.chance(0.5))],
  [2, 'seal', ({ db }) => db.seal()],
  [
    2,
    'compact',
    async ({ db }, _app, _random, world) => {
      const { recordsDropped, bodiesDropped } = await db.compact()
      if (recordsDropped + bodiesDropped > 0) world.count('compactions')
    },
  ],
  [1, 'verify', ({ db }) => db.verify()],
  [1, 'stats', ({ db }) => Promise.all([db.stats(), db.count()])],
  [
    2,
    'sync',
    async ({ replication }) => {
      if (replication.mirrors().length > 0) await replication.sync()
    },
  ],
  [2, 'synced', (process, app) => app.synced(process)],
  [
    1,
    'pause for a while',
    async ({ replication, env }, _app, random) => {
      replication.pause()
      env.setTimer(() => replication.resume(), random.around(3_000))
    },
  ],
]

const total = operations.reduce((sum, [weight]) => sum + weight, 0)

/** Has one application do something. */
export function operate(world: World, machine: Machine): void {
  const { random } = world
  let drawn = random.below(total)
  const [, name, operation] = operations.find(([weight]) => {
    drawn -= weight
    return drawn < 0
  })!
  world.run(machine, name, (process, app) => operation(process, app, random.fork(), world))
}
