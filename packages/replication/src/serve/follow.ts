import type { Env, Timer } from '@mynah/core'
import type { Position, Replica } from '@mynah/core/replica'
import { MessageInvalidError } from '../errors.js'
import { wireLimits } from '../protocol/names.js'
import type { Query } from '../protocol/query.js'
import { queryFlag, queryTexts } from './query.js'

/** How soon after one look at what changed the next may follow: others may write all the time. */
const REST_MS = 200

/** What a live stream is to tell of, and how. */
export interface Following {
  readonly env: Pick<Env, 'setTimer'>
  /** As `followed` gives them. */
  readonly prefixes: readonly string[] | undefined
  readonly tell: (position: Position) => void
}

/** What a live stream is asked to follow: ids of these prefixes; [] none; undefined all. @throws MessageInvalidError */
export function followed(query: Query): readonly string[] | undefined {
  const prefixes = queryTexts(query, 'prefix', wireLimits.prefixes)
  if (!queryFlag(query, 'none')) return prefixes.length === 0 ? undefined : prefixes
  if (prefixes.length > 0) throw new MessageInvalidError('query', 'none and prefixes exclude each other')
  return []
}

/**
 * Tells the newest position now, and after commits that changed ids that are followed, or that made the history another.
 * Returns the way to stop.
 */
export function follow(
  replica: Pick<Replica, 'position' | 'onCommit' | 'feed'>,
  { env, prefixes, tell }: Following,
): () => void {
  let last = replica.position()
  tell(last)
  if (prefixes === undefined) return replica.onCommit(tell)
  let over = false
  let looking = false
  let pending = false
  const look = async () => {
    const now = replica.position()
    const isRenamed = last.seq > 0 && now.incarnation !== last.incarnation
    if (isRenamed || now.seq < last.seq) {
      last = now
      tell(now)
    } else if (prefixes.length > 0) {
      const { records, position } = await replica.feed({ since: last.seq, bodies: false, prefixes, bytes: 1 })
      last = position
      if (records.length > 0 && !over) tell(position)
    } else last = now
  }
  let timer: Timer | undefined
  const rest = () => {
    if (over) return
    timer = env.setTimer(() => {
      looking = false
      if (pending) wake()
    }, REST_MS)
  }
  const wake = () => {
    pending = looking
    if (looking || over) return
    looking = true
    // Who cannot be told finds out with the next request.
    look().then(rest, () => over || tell(replica.position()))
  }
  const stop = replica.onCommit(wake)
  return () => {
    over = true
    timer?.cancel()
    stop()
  }
}
