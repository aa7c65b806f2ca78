import type { Env } from '@mynah/core'
import { MirrorUnreachableError } from '../errors.js'
import type { Mirror } from '../mirror/mirror.js'
import type { Session } from '../session/session.js'
import type { Attempt, Attempts } from './attempts.js'
import { compareMirrors } from './choice.js'
import type { SessionWaiters } from './session-waiters.js'

/** A read does not make a mirror be tried again sooner than this after its last failure. */
const READ_RETRY_MS = 1_000

export interface ReadSessionsOptions {
  readonly env: Env
  readonly mirrors: readonly Mirror[]
  readonly attempts: Attempts
  readonly waiters: SessionWaiters
  /** Whether sessions are wanted at all: not while paused, nor when closed. */
  readonly wanted: () => boolean
  /** Mirrors were made ready to be tried; the next session that connects is waited for. */
  readonly next: (tried: readonly Mirror[], signal: AbortSignal | undefined) => Promise<Session>
}

/** Which mirror a read asks. */
export class ReadSessions {
  readonly #options: ReadSessionsOptions
  readonly #listeners = new Set<() => void>()

  constructor(options: ReadSessionsOptions) {
    this.#options = options
  }

  /** The session of the best that there is, or the next, unless all mirrors have failed just now. */
  async session(signal: AbortSignal | undefined): Promise<Session> {
    const { env, mirrors, attempts, wanted, next } = this.#options
    if (!wanted()) throw new MirrorUnreachableError('', 'the replication is paused')
    await attempts.undying(signal)
    const [best] = attempts.useful
    if (best !== undefined) return best
    const now = env.monotonicMs()
    for (const mirror of mirrors) if (hasRested(mirror, now)) mirror.retryAtMs = 0
    const [first] = attempts.all
    if (first !== undefined && attempts.all.every(({ slow }) => slow)) throw unanswered(first)
    const tried = mirrors.filter((mirror) => mirror.retryAtMs <= now || attempts.uses(mirror))
    if (tried.length === 0)
      throw new MirrorUnreachableError('', 'all mirrors failed', { cause: mirrors[0]?.error })
    return next(tried, signal)
  }

  /** A read has run out of its time: while the same attempts go on, no other waits for them. */
  gaveUp(): void {
    const { env, attempts, waiters } = this.#options
    const { all } = attempts
    const now = env.monotonicMs()
    if (all.some(({ connected }) => connected)) return
    for (const attempt of all) if (now - attempt.begunAtMs >= READ_RETRY_MS) attempt.slow = true
    const [first] = all
    if (first !== undefined && all.every(({ slow }) => slow)) waiters.giveUpReads(unanswered(first))
  }

  /**
   * Mirrors that a read may ask besides the one that it was given, the best first: those of use, and those that no session
   * is with and that have not failed just now.
   */
  get spare(): readonly Mirror[] {
    const { env, mirrors, attempts, wanted } = this.#options
    if (!wanted()) return []
    const now = env.monotonicMs()
    const unused = mirrors.filter((mirror) => !attempts.uses(mirror) && hasRested(mirror, now))
    return [...attempts.useful.map(({ mirror }) => mirror), ...unused.toSorted(compareMirrors)]
  }

  /** Calls when there is a mirror more; returns the way to stop. */
  onAdded(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** To be called when there is one more. */
  add(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** Whether a read may have it tried again. */
function hasRested({ failedAtMs, holdOff }: Mirror, now: number): boolean {
  if (holdOff.leftMs > 0) return false
  return failedAtMs === undefined || now - failedAtMs >= READ_RETRY_MS
}

function unanswered({ session }: Attempt): Error {
  return new MirrorUnreachableError(session.mirror.address, 'it has not answered yet')
}
