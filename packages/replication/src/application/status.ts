import type { Replica } from '@mynah/core/replica'
import type { Traffic } from '../client/traffic.js'
import { MirrorUnreachableError } from '../errors.js'
import type { Backlog } from '../mirror/backlog.js'
import type { Mirror } from '../mirror/mirror.js'
import type { Scheduler } from '../scheduler/scheduler.js'
import type { Scope } from '../scope/scope.js'
import { pushesOnly } from '../scope/scope.js'
import type { MirrorStatus, ReplicationStatus } from './replication.js'

/** What a status is made of. */
export interface StatusSources {
  readonly replica: Replica
  readonly scheduler: Scheduler
  readonly backlog: Backlog
  readonly scope: Scope
  readonly traffic: Pick<Traffic, 'bytesUp' | 'bytesDown' | 'lastContactMs' | 'resumesAt'>
}

/** How one mirror stands. */
export function mirrorStatus({ replica, backlog, scope }: StatusSources, mirror: Mirror): MirrorStatus {
  return {
    url: mirror.address,
    namedBy: mirror.namers?.[0]?.address,
    state: mirror.state,
    latencyMs: mirror.latencyMs,
    failures: mirror.backoff.failures,
    ahead: backlog.ahead(mirror.pushed(), replica.position().seq),
    behind: pushesOnly(scope) ? 0 : mirror.behind(),
    rejected: mirror.progress?.parked.length ?? 0,
    mismatches: mirror.mismatches,
    error: mirror.error,
  }
}

/** How all of them stand, told by the one that counts. */
export function replicationStatus(sources: StatusSources): ReplicationStatus {
  const { scheduler, traffic } = sources
  const { bytesUp, bytesDown, lastContactMs, resumesAt } = traffic
  const statuses = scheduler.mirrors.map((mirror) => mirrorStatus(sources, mirror))
  const used = scheduler.session?.mirror.address
  const shown =
    statuses.find(({ url }) => url === used) ?? statuses.toSorted((a, b) => a.ahead - b.ahead).at(0)
  return {
    state: resumesAt !== undefined && scheduler.sessions.length > 0 ? 'paused' : stateOf(scheduler),
    mirror: used,
    ahead: shown?.ahead ?? aheadOfNobody(sources),
    behind: shown?.behind ?? 0,
    progress: (scheduler.session?.mirror ?? scheduler.mirrors.find(({ copy }) => copy))?.copied(),
    owed: (scheduler.session?.mirror ?? scheduler.mirrors.find((mirror) => mirror.owed !== undefined))?.owed,
    bytesUp,
    bytesDown,
    resumesAt,
    lastContact: lastContactMs === undefined ? undefined : new Date(lastContactMs),
  }
}

/** Without a mirror nobody has any of it, unless this is one. */
function aheadOfNobody({ replica, backlog }: StatusSources): number {
  return replica.mode === 'mirror' ? 0 : backlog.ahead(0, replica.position().seq)
}

function stateOf({ sessions, paused, mirrors }: Scheduler): ReplicationStatus['state'] {
  if (sessions.length > 0) return sessions.some(({ busy }) => busy) ? 'active' : 'idle'
  if (paused) return 'paused'
  if (mirrors.length === 0) return 'idle'
  const errors = mirrors.flatMap(({ error }) => (error === undefined ? [] : [error]))
  if (errors.length === 0) return 'active'
  return errors.every((error) => error instanceof MirrorUnreachableError) ? 'offline' : 'error'
}
