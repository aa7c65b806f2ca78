import type { Env } from '@mynah/core'
import type { Position, Replica } from '@mynah/core/replica'
import { encodeLiveLine } from '../protocol/messages.js'
import { wireLimits } from '../protocol/names.js'
import { type Deferred, deferred } from '../timing/deferred.js'
import { follow } from './follow.js'

/** What a live stream tells of, and for how long. */
export interface LiveOptions {
  /** For the heartbeat. */
  readonly env: Pick<Env, 'setTimer'>
  /** As `followed` gives them. Default: all. */
  readonly prefixes?: readonly string[] | undefined
  /** Ends the lines, also while nothing is to be told. */
  readonly signal: AbortSignal
}

/**
 * Lines of the live stream, as bytes: the position at once and after each commit that is followed, and a heartbeat, when
 * all that was committed before is told. Who takes them slowly gets only the newest position.
 */
export async function* liveLines(
  replica: Pick<Replica, 'position' | 'onCommit' | 'feed'>,
  { env, prefixes, signal }: LiveOptions,
): AsyncGenerator<Uint8Array, void> {
  let pending: Position | undefined
  let beating = false
  let bell: Deferred<void> = deferred()
  const beat = () => {
    following.settled(() => {
      beating = true
      bell.resolve()
    })
    heartbeat = env.setTimer(beat, wireLimits.heartbeatMs)
  }
  let heartbeat = env.setTimer(beat, wireLimits.heartbeatMs)
  const tell = (position: Position) => {
    pending = position
    bell.resolve()
  }
  const following = follow(replica, { env, prefixes, tell })
  const end = () => bell.resolve()
  signal.addEventListener('abort', end)
  try {
    while (!signal.aborted) {
      const line = pending !== undefined ? encodeLiveLine(pending) : beating ? '\n' : undefined
      pending = undefined
      beating = false
      if (line === undefined) await bell.promise
      else yield new TextEncoder().encode(line)
      bell = deferred()
    }
  } finally {
    following.stop()
    heartbeat.cancel()
    signal.removeEventListener('abort', end)
  }
}
