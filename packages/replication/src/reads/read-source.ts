import type { Env } from '@mynah/core'
import type { Replica } from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import { type Mirror, upToDateAt } from '../mirror/mirror.js'
import type { Scheduler } from '../scheduler/scheduler.js'
import { inScope, type Scope } from '../scope/scope.js'
import { MirrorBodies } from './body-source.js'

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
    reach: (signal) => scheduler.sessionForRead(signal),
    mirrors: () => scheduler.mirrors.map(client),
    databaseId: replica.id,
    onGivenUp: () => scheduler.gaveUp(),
    covers: (id) =>
      inScope(scope(), id) && scheduler.mirrors.some(({ progress }) => progress?.covers(id) === true),
    asOf: (id) => upToDateAt(scheduler.mirrors, id),
  })
}
