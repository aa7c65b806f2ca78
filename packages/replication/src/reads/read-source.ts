import type { Env } from '@mynah/core'
import type { Replica } from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import { type Mirror, upToDateAt } from '../mirror/mirror.js'
import type { Scheduler } from '../scheduler/scheduler.js'
import { inScope, type Scope } from '../scope/scope.js'
import { MirrorBodies } from './body-source.js'

/** No mirror is late before. */
const LATE_MS_MIN = 1_000
const LATE_MS_MAX = 10_000
/** Nor before it has had so many times the time that a greeting takes. */
const LATE_GREETINGS = 4

function lateMs(latencyMs: number): number {
  return Math.min(LATE_MS_MAX, Math.max(LATE_MS_MIN, LATE_GREETINGS * latencyMs))
}

/** Where reads get what is not held here: the mirrors that the scheduler has. */
export function readSource(
  replica: Replica,
  options: {
    readonly env: Env
    readonly scheduler: Scheduler
    readonly scope: () => Scope
    readonly client: (mirror: Mirror) => MirrorClient
  },
): MirrorBodies {
  const { env, scheduler, scope, client } = options
  return new MirrorBodies({
    env,
    reach: (signal) => scheduler.reads.session(signal),
    mirrors: () => scheduler.mirrors.map(client),
    spare: () => scheduler.reads.spare.map(client),
    onAdded: (listener) => scheduler.reads.onAdded(listener),
    lateMs: () => lateMs(scheduler.session?.mirror.latencyMs ?? 0),
    databaseId: replica.id,
    onGivenUp: () => scheduler.reads.gaveUp(),
    covers: (id) =>
      inScope(scope(), id) && scheduler.mirrors.some(({ progress }) => progress?.covers(id) === true),
    asOf: (id) => upToDateAt(scheduler.mirrors, id),
  })
}
