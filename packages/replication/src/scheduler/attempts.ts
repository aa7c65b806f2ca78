import { unlessAborted } from '@mynah/core/replica'
import { MirrorUnreachableError } from '../errors.js'
import type { Mirror } from '../mirror/mirror.js'
import type { Session } from '../session/session.js'
import { type Deferred, deferred } from '../timing/deferred.js'
import { compareMirrors } from './choice.js'

/** How long a session goes on where others wait for their turn; while it works, so many times as long. */
const TURN_MS = 30_000
const TURNS_OF_WORK = 20

/** A session from its first request to its end. */
export interface Attempt {
  readonly session: Session
  readonly abort: AbortController
  readonly begunAtMs: number
  /** Resolves when all that it had begun is over too. */
  readonly over: Deferred<void>
  /** The database there, once it is known: no other session is with it. */
  databaseId: string | undefined
  /** Its checkpoints are checked. */
  connected: boolean
  /** A read has waited for it in vain: no other is to. */
  slow: boolean
}

/** The sessions that are under way, each with another mirror. */
export class Attempts {
  readonly #attempts = new Set<Attempt>()
  /** Sessions that were ended for one that does it in another way, or with another mirror. */
  readonly #renewed = new WeakSet<Session>()

  get size(): number {
    return this.#attempts.size
  }

  get all(): readonly Attempt[] {
    return [...this.#attempts]
  }

  /** Those that are of use, the one with the best mirror first. */
  get useful(): readonly Session[] {
    return this.all
      .filter(isUseful)
      .map(({ session }) => session)
      .toSorted((a, b) => compareMirrors(a.mirror, b.mirror))
  }

  begin(session: Session, begunAtMs: number): Attempt {
    const attempt: Attempt = {
      session,
      abort: new AbortController(),
      begunAtMs,
      over: deferred(),
      databaseId: undefined,
      connected: false,
      slow: false,
    }
    this.#attempts.add(attempt)
    return attempt
  }

  end(attempt: Attempt): void {
    this.#attempts.delete(attempt)
    attempt.over.resolve()
  }

  uses(mirror: Mirror): boolean {
    return this.all.some(({ session }) => session.mirror === mirror)
  }

  of(session: Session): Attempt | undefined {
    return this.all.find((attempt) => attempt.session === session)
  }

  /** Whether the session is the only one with this database, from now on. */
  claim(session: Session, databaseId: string): boolean {
    const own = this.of(session)
    if (this.all.some((other) => other !== own && other.databaseId === databaseId)) return false
    if (own !== undefined) own.databaseId = databaseId
    return true
  }

  abort(reason: Error, which: (attempt: Attempt) => boolean = () => true): void {
    for (const attempt of this.all) if (which(attempt)) attempt.abort.abort(reason)
  }

  /** Ends it for another session: whoever works with it goes on with that. */
  renew({ session, abort }: Attempt, why: string): void {
    this.#renewed.add(session)
    abort.abort(new MirrorUnreachableError(session.mirror.address, why))
  }

  wasRenewed(session: Session): boolean {
    return this.#renewed.has(session)
  }

  /** Ends the worst of those that are more than wanted. */
  keep(wanted: number): void {
    const rank = ({ connected }: Attempt) => (connected ? 0 : 1)
    const ordered = this.all.toSorted(
      (a, b) => rank(a) - rank(b) || compareMirrors(a.session.mirror, b.session.mirror),
    )
    for (const attempt of ordered.slice(wanted)) this.renew(attempt, 'it is not needed any more')
  }

  /** Ends the one that has had its turn for the longest; how long until it is to be looked again, milliseconds. */
  takeTurns(nowMs: number): number {
    const [next] = this.all
      .filter(isUseful)
      .map((attempt) => {
        const turnMs = TURN_MS * (attempt.session.busy ? TURNS_OF_WORK : 1)
        return { attempt, leftMs: attempt.begunAtMs + turnMs - nowMs }
      })
      .toSorted((a, b) => a.leftMs - b.leftMs)
    if (next === undefined) return TURN_MS
    if (next.leftMs > 0) return Math.min(next.leftMs, TURN_MS)
    this.renew(next.attempt, 'others have their turn')
    return TURN_MS
  }

  /**
   * Resolves when a session is of use, or none is dying: one that has failed and waits for what it had begun is of no use.
   */
  async undying(signal: AbortSignal | undefined): Promise<void> {
    while (this.useful.length === 0) {
      const dying = this.all.find(({ session }) => session.signal.aborted)
      if (dying === undefined) return
      await unlessAborted(dying.over.promise, signal)
    }
  }

  /** Resolves when none is under way. */
  async over(): Promise<void> {
    await Promise.all(this.all.map(({ over }) => over.promise))
  }
}

function isUseful({ connected, session }: Attempt): boolean {
  return connected && !session.signal.aborted
}
