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

/** A stream that follows. */
export interface Follow {
  /**
   * Calls when all is looked at, and told, that was committed before: at once, or a look later. A sign of life that came
   * before would call current who lacks it. Never after the stop.
   */
  settled(run: () => void): void
  stop(): void
}

/** Tells the newest position now, and after commits that changed ids that are followed, or that made the history another. */
export function follow(
  replica: Pick<Replica, 'position' | 'onCommit' | 'feed'>,
  following: Following,
): Follow {
  const { prefixes, tell } = following
  if (prefixes !== undefined) return followPart(replica, { ...following, prefixes })
  tell(replica.position())
  return { settled: (run) => run(), stop: replica.onCommit(tell) }
}

/**
 *              commit                     over                 rest over, nothing committed since
 *     idle ──────────────► looking ─────────────────► resting ───────────────────────────────────► idle
 *                           ▲    ▲  over, asked for     │
 *                           │    └── since: again       │ rest over, committed since; or asked for
 *                           └───────────────────────────┘
 */
function followPart(
  replica: Pick<Replica, 'position' | 'onCommit' | 'feed'>,
  { env, prefixes, tell }: Following & { readonly prefixes: readonly string[] },
): Follow {
  let last = replica.position()
  let over = false
  let looking = false
  let resting: Timer | undefined
  /** Whether something was committed since the last look began. */
  let pending = false
  /** Who waits for the look that is under way, and for the next one. */
  let waiting: (() => void)[] = []
  let later: (() => void)[] = []
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
  const looked = () => {
    looking = false
    if (over) return
    for (const run of waiting.splice(0)) run()
    if (later.length > 0) return begin()
    resting = env.setTimer(() => {
      resting = undefined
      if (pending) begin()
    }, REST_MS)
  }
  const begin = () => {
    resting?.cancel()
    resting = undefined
    looking = true
    pending = false
    waiting = later
    later = []
    // Who cannot be told finds out with the next request.
    look()
      .catch(() => over || tell(replica.position()))
      .then(looked)
  }
  const stop = replica.onCommit(() => {
    pending = true
    if (!looking && resting === undefined && !over) begin()
  })
  tell(last)
  return {
    settled: (run) => {
      if (over) return
      if (!pending) return looking ? void waiting.push(run) : run()
      later.push(run)
      if (!looking) begin()
    },
    stop: () => {
      over = true
      resting?.cancel()
      stop()
    },
  }
}
