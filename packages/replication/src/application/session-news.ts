import type { Replica } from '@mynah/core/replica'
import type { Backlog } from '../mirror/backlog.js'
import type { Mirror } from '../mirror/mirror.js'
import type { Scheduler } from '../scheduler/scheduler.js'
import type { Session } from '../session/session.js'
import type { SessionObserver } from '../session/session-observer.js'
import { conflictsAmong } from './conflicts.js'
import type { Events } from './events.js'
import type { Leaving } from './leaving.js'
import type { Synced } from './synced.js'

/** What is to hear of the work of sessions. */
export interface SessionHearers {
  readonly replica: Replica
  readonly scheduler: Scheduler
  readonly events: Events
  readonly backlog: Backlog
  readonly synced: Synced
  /** Counted since the replication began. */
  readonly documents: { pushed: number; pulled: number }
  /** Something that a status shows has changed. */
  readonly changed: () => void
  readonly remember: () => Promise<void>
  readonly leaving: Pick<Leaving, 'run'>
  readonly isClosed: () => boolean
}

/** What a session with the mirror tells its work to. */
export function sessionNews(
  { address }: Pick<Mirror, 'address'>,
  session: () => Session,
  hearers: SessionHearers,
): SessionObserver {
  const { replica, scheduler, events, backlog, synced, documents, changed, remember, leaving } = hearers
  /** Tells what failed beside the sessions; what fails because all ends is no news. */
  const fault = (thrown: unknown) => {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    if (!hearers.isClosed()) events.emit('error', { mirror: address, error })
  }
  const tellConflicts = async (ids: readonly string[]) => {
    for await (const conflict of conflictsAmong(replica, ids)) events.emit('conflict', conflict)
  }
  return {
    onStatus: changed,
    claim: (databaseId) => scheduler.claim(session(), databaseId),
    onConnected: () => {
      scheduler.connected(session())
      remember().catch(fault)
    },
    onLive: () => {
      const left = leaving.run(session().signal)
      left.then((done) => (done ? remember() : undefined)).catch(fault)
    },
    onPushed: (pushed) => {
      documents.pushed += pushed
      backlog.forget(Math.min(...scheduler.mirrors.map((one) => one.pushed())))
      synced.settle()
      if (pushed > 0) events.emit('change', { direction: 'push', mirror: address, documents: pushed })
      changed()
    },
    onPulled: (report, ids) => {
      documents.pulled += ids.length
      if (report !== undefined) backlog.pulled(report)
      if (ids.length > 0) events.emit('change', { direction: 'pull', mirror: address, ids })
      if (events.wanted('conflict')) tellConflicts(ids).catch(fault)
      changed()
    },
    onRefused: (refused) => {
      for (const rejection of refused) events.emit('rejected', rejection)
    },
    onUnfit: (error) => events.emit('error', { mirror: address, error }),
    onMismatch: () => scheduler.renew(session()),
  }
}
