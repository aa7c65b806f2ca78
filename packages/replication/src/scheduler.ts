import type { Env } from '@mynah/core'
import { type Deferred, deferred, unlessAborted } from './deferred.js'
import { MirrorUnreachableError } from './errors.js'
import type { Mirror } from './mirror.js'
import type { Session } from './session.js'
import { sleep } from './sleep.js'
import { Tries } from './tries.js'

/** A read does not make a mirror be tried again sooner than this after its last failure. */
const READ_RETRY_MS = 1_000

export interface SchedulerOptions {
  readonly env: Env
  /** A session with the mirror, not begun. */
  readonly session: (mirror: Mirror) => Session
  readonly onStatus: () => void
  /** A mirror began to fail, or fails for another reason than before. */
  readonly onFailure: (mirror: Mirror, error: Error) => void
}

/** A session from its first request to its end. */
interface Attempt {
  readonly session: Session
  readonly abort: AbortController
  readonly begunAtMs: number
  /** Resolves when all that it had begun is over too. */
  readonly over: Deferred<void>
  connected: boolean
  /** A read has waited for it in vain: no other is to. */
  slow: boolean
}

/** Somebody who waits for a session; given up when all mirrors that come into question have failed since. */
interface Waiter {
  readonly read: boolean
  readonly untried: Set<Mirror>
  readonly connected: Deferred<Session>
}

/**
 * Uses one mirror at a time, in order of their list, each left alone for its own delay after a failure.
 *
 *            a mirror is ready: attempt                 session over
 *     idle ─────────────────────────────► in session ─────────────────► idle
 *      │ ▲
 *      └─┘ until the earliest retry, or woken by a new mirror, resume, sync, a read
 */
export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #closed = new AbortController()
  readonly #waiters = new Set<Waiter>()
  readonly #mirrors: Mirror[] = []
  #bell = deferred<void>()
  #over: Promise<void> = Promise.resolve()
  #paused = false
  #rounds = 0
  #attempt: Attempt | undefined
  /** Sessions that were ended for one that does it in another way. */
  readonly #renewed = new WeakSet<Session>()

  constructor(options: SchedulerOptions) {
    this.#options = options
  }

  get mirrors(): readonly Mirror[] {
    return this.#mirrors
  }

  get paused(): boolean {
    return this.#paused
  }

  /** The session that is under way, from its first request. */
  get session(): Session | undefined {
    return this.#attempt?.session
  }

  begin(): void {
    this.#over = this.#run()
  }

  add(mirror: Mirror): void {
    this.#mirrors.push(mirror)
    this.wake()
  }

  remove(mirror: Mirror): void {
    const index = this.#mirrors.indexOf(mirror)
    if (index !== -1) this.#mirrors.splice(index, 1)
    const removed = new MirrorUnreachableError(mirror.address, 'it was removed')
    if (this.#attempt?.session.mirror === mirror) this.#attempt.abort.abort(removed)
    this.#failed(mirror, removed)
  }

  pause(): void {
    this.#paused = true
    this.#stopUnwanted()
    this.#options.onStatus()
  }

  resume(): void {
    this.#paused = false
    this.wake()
    this.#options.onStatus()
  }

  /** Ends the session under way, and begins another: what sessions are to do has changed. */
  renew(): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    this.#renewed.add(attempt.session)
    const { address } = attempt.session.mirror
    attempt.abort.abort(new MirrorUnreachableError(address, 'the session was ended for another'))
  }

  /** Lets mirrors be tried at once: all, but for some. */
  wake(but: ReadonlySet<Mirror> = new Set()): void {
    for (const mirror of this.#mirrors) if (!but.has(mirror)) mirror.retryAtMs = 0
    this.#bell.resolve()
  }

  /** The session under way is of use: its checkpoints are checked. */
  connected(session: Session): void {
    if (this.#attempt?.session === session) this.#attempt.connected = true
    for (const waiter of this.#waiters) waiter.connected.resolve(session)
    this.#waiters.clear()
  }

  /** A session for a read: the one there is, or the next, unless all mirrors have failed just now. */
  async sessionForRead(signal: AbortSignal | undefined): Promise<Session> {
    if (this.#paused && this.#rounds === 0) throw new MirrorUnreachableError('', 'the replication is paused')
    await this.#undying(signal)
    const now = this.#options.env.monotonicMs()
    for (const mirror of this.#mirrors) {
      if (mirror.failedAtMs === undefined || now - mirror.failedAtMs >= READ_RETRY_MS) mirror.retryAtMs = 0
    }
    const attempt = this.#attempt
    if (attempt?.slow === true && !attempt.connected) {
      throw unanswered(attempt)
    }
    const tried = this.#mirrors.filter(
      (mirror) => mirror.retryAtMs <= now || mirror === attempt?.session.mirror,
    )
    if (tried.length === 0) {
      throw new MirrorUnreachableError('', 'all mirrors failed', { cause: this.#mirrors[0]?.error })
    }
    this.#bell.resolve()
    return this.#next(signal, tried, true)
  }

  /** A read has run out of its time: while the same attempt goes on, no other waits for it. */
  gaveUp(): void {
    const attempt = this.#attempt
    if (attempt === undefined || attempt.connected) return
    if (this.#options.env.monotonicMs() - attempt.begunAtMs < READ_RETRY_MS) return
    attempt.slow = true
    this.#giveUp(({ read }) => read, unanswered(attempt))
  }

  /** Runs with a session, also while paused; with another mirror when one fails, until all have. */
  async round<R>(run: (session: Session) => Promise<R>, signal: AbortSignal | undefined): Promise<R> {
    this.#rounds += 1
    try {
      const tries = new Tries()
      for (;;) {
        await this.#undying(signal)
        // Those that have not failed come first.
        this.wake(tries.failed)
        const session = await this.#next(signal, this.#mirrors)
        try {
          return await unlessAborted(run(session), signal)
        } catch (error) {
          signal?.throwIfAborted()
          if (this.#closed.signal.aborted) throw error
          if (this.#renewed.has(session)) continue
          if (tries.isLast(session.mirror, error, this.#mirrors)) throw error
        }
      }
    } finally {
      this.#rounds -= 1
      this.#stopUnwanted()
    }
  }

  /** Ends the session and waits for what it has begun. */
  async close(reason: Error): Promise<void> {
    this.#closed.abort(reason)
    this.#attempt?.abort.abort(reason)
    this.#giveUp(() => true, reason)
    await this.#over
  }

  get #wanted(): boolean {
    return !this.#paused || this.#rounds > 0
  }

  #stopUnwanted(): void {
    if (this.#wanted) return
    const paused = new MirrorUnreachableError('', 'the replication is paused')
    this.#attempt?.abort.abort(paused)
    this.#giveUp(() => true, paused)
  }

  #giveUp(which: (waiter: Waiter) => boolean, reason: Error): void {
    for (const waiter of [...this.#waiters].filter(which)) {
      this.#waiters.delete(waiter)
      waiter.connected.reject(reason)
    }
  }

  async #next(signal: AbortSignal | undefined, untried: readonly Mirror[], read = false): Promise<Session> {
    this.#closed.signal.throwIfAborted()
    if (this.#attempt?.connected === true && !this.#attempt.session.signal.aborted)
      return this.#attempt.session
    if (this.#mirrors.length === 0) throw new MirrorUnreachableError('', 'there is none')
    const waiter: Waiter = { read, untried: new Set(untried), connected: deferred() }
    this.#waiters.add(waiter)
    try {
      return await unlessAborted(waiter.connected.promise, signal)
    } finally {
      this.#waiters.delete(waiter)
    }
  }

  /** Resolves when no session is dying: one that has failed and waits for what it had begun is of no use. */
  async #undying(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const attempt = this.#attempt
      if (attempt?.session.signal.aborted !== true) return
      await unlessAborted(attempt.over.promise, signal)
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#closed
    while (!signal.aborted) {
      const now = this.#options.env.monotonicMs()
      const mirror = this.#wanted ? this.#mirrors.find(({ retryAtMs }) => retryAtMs <= now) : undefined
      if (mirror !== undefined) await this.#use(mirror)
      else await this.#idle(now)
    }
  }

  async #idle(now: number): Promise<void> {
    const { env } = this.#options
    const woken = new AbortController()
    void this.#bell.promise.then(() => woken.abort())
    const stop = () => woken.abort()
    this.#closed.signal.addEventListener('abort', stop, { once: true })
    const retryMs = this.#wanted
      ? Math.min(...this.#mirrors.map(({ retryAtMs }) => retryAtMs - now))
      : Number.POSITIVE_INFINITY
    try {
      if (retryMs === Number.POSITIVE_INFINITY) await unlessAborted(new Promise(() => {}), woken.signal)
      else await sleep(env, retryMs, woken.signal)
    } catch {
      // Woken.
    } finally {
      this.#closed.signal.removeEventListener('abort', stop)
      this.#bell = deferred()
    }
  }

  async #use(mirror: Mirror): Promise<void> {
    const { env, session: begin, onStatus, onFailure } = this.#options
    const abort = new AbortController()
    const session = begin(mirror)
    const over = deferred<void>()
    this.#attempt = { session, abort, begunAtMs: env.monotonicMs(), over, connected: false, slow: false }
    try {
      await session.run(abort.signal)
    } catch (thrown) {
      mirror.state = 'waiting'
      if (abort.signal.aborted) return
      const error = thrown instanceof Error ? thrown : new Error(String(thrown))
      const before = mirror.error
      mirror.error = error
      mirror.state = 'backing-off'
      mirror.failedAtMs = env.monotonicMs()
      mirror.retryAtMs = mirror.failedAtMs + mirror.backoff.fail()
      if (before?.name !== error.name || before.message !== error.message) onFailure(mirror, error)
      this.#failed(mirror, error)
    } finally {
      this.#attempt = undefined
      over.resolve()
      onStatus()
    }
  }

  #failed(mirror: Mirror, error: Error): void {
    for (const { untried } of this.#waiters) untried.delete(mirror)
    this.#giveUp(({ untried }) => untried.size === 0, error)
  }
}

function unanswered({ session }: Attempt): Error {
  return new MirrorUnreachableError(session.mirror.address, 'it has not answered yet')
}
