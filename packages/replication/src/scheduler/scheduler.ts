import type { Env } from '@mynah/core'
import { unlessAborted } from '@mynah/core/replica'
import { MirrorUnreachableError, SameMirrorError } from '../errors.js'
import type { Mirror } from '../mirror/mirror.js'
import type { Session } from '../session/session.js'
import { deferred } from '../timing/deferred.js'
import { napping } from '../timing/sleep.js'
import { Attempts } from './attempts.js'
import { type Breadth, chosen } from './choice.js'
import { ReadSessions } from './read-sessions.js'
import { SessionWaiters } from './session-waiters.js'
import { Tries } from './tries.js'

/** When it is looked again whether two addresses still lead to one database. */
const SAME_RETRY_MS = 300_000

/** What the scheduler begins, and who hears of it. */
export interface SchedulerOptions {
  readonly env: Env
  /** A session with the mirror, not begun. */
  readonly session: (mirror: Mirror) => Session
  /** How many there are to be; `review` is to be called when it changes. */
  readonly breadth: () => Breadth
  readonly onStatus: () => void
  /** A mirror began to fail, or fails for another reason than before. */
  readonly onFailure: (mirror: Mirror, error: Error) => void
  /** Two addresses turned out to lead to one database. */
  readonly onSame: () => void
}

/**
 * Keeps as many sessions as are wanted, each with another mirror's database; after a failure a mirror is left alone for
 * its own delay.
 *
 *     for each mirror:
 *            it is ready, and fewer sessions than wanted: attempt      session over
 *     idle ──────────────────────────────────────────────► in session ─────────────► idle
 *      │ ▲                                                      │
 *      └─┘ until its retry, or woken by a new mirror,           └─ ended where others wait for their turn,
 *          resume, sync, a read                                    or fewer are wanted
 */
export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #closed = new AbortController()
  readonly #waiters = new SessionWaiters()
  readonly #mirrors: Mirror[] = []
  readonly #attempts = new Attempts()
  #bell = deferred<void>()
  #over: Promise<void> = Promise.resolve()
  #paused = false
  #rounds = 0

  /** What reads ask. */
  readonly reads: ReadSessions

  constructor(options: SchedulerOptions) {
    this.#options = options
    this.reads = new ReadSessions({
      env: options.env,
      mirrors: this.#mirrors,
      attempts: this.#attempts,
      waiters: this.#waiters,
      wanted: () => this.#wanted && !this.#closed.signal.aborted,
      next: (tried, signal) => {
        this.#bell.resolve()
        return this.#next(tried, { read: true, signal })
      },
    })
  }

  get mirrors(): readonly Mirror[] {
    return this.#mirrors
  }

  get paused(): boolean {
    return this.#paused
  }

  /** The session that is asked first; where none is of use yet, one that is under way. */
  get session(): Session | undefined {
    return this.#attempts.useful[0] ?? this.#attempts.all[0]?.session
  }

  /** Those that are of use, the one with the best mirror first. */
  get sessions(): readonly Session[] {
    return this.#attempts.useful
  }

  begin(): void {
    this.#over = this.#run()
  }

  add(mirror: Mirror): void {
    this.#mirrors.push(mirror)
    this.#bell.resolve()
    this.reads.add()
  }

  remove(mirror: Mirror): void {
    const index = this.#mirrors.indexOf(mirror)
    if (index !== -1) this.#mirrors.splice(index, 1)
    const removed = new MirrorUnreachableError(mirror.address, 'it was removed')
    this.#attempts.abort(removed, ({ session }) => session.mirror === mirror)
    this.#waiters.failed(mirror, removed)
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

  /** Ends the sessions under way, or the one, and begins others: what sessions are to do has changed. */
  renew(session?: Session): void {
    for (const attempt of this.#attempts.all) {
      if (session === undefined || attempt.session === session)
        this.#attempts.renew(attempt, 'the session was ended for another')
    }
  }

  /** The same, of those with this mirror: what is sent to it has changed. */
  renewWith(mirror: Mirror): void {
    for (const { session } of this.#attempts.all) if (session.mirror === mirror) this.renew(session)
  }

  /** Ends the sessions that are more than wanted, and begins those that are fewer. */
  review(): void {
    this.#attempts.keep(this.#options.breadth().sessions)
    this.#bell.resolve()
  }

  /** Lets mirrors be tried at once: all, but for some. */
  wake(but: ReadonlySet<Mirror> = new Set()): void {
    for (const mirror of this.#mirrors) if (!but.has(mirror)) mirror.retryAtMs = 0
    this.#bell.resolve()
  }

  /** Whether the session may go on with this database: it is the only one with it. */
  claim(session: Session, databaseId: string): boolean {
    return this.#attempts.claim(session, databaseId)
  }

  /** The session is of use: its checkpoints are checked. */
  connected(session: Session): void {
    const attempt = this.#attempts.of(session)
    if (attempt !== undefined) attempt.connected = true
    this.#waiters.connected(session)
  }

  /** The mirror could not be asked, or what it said is of no use. */
  failed(mirror: Mirror, thrown: unknown): void {
    const { env, onFailure, onSame } = this.#options
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    if (error instanceof SameMirrorError) {
      mirror.state = 'waiting'
      mirror.leadsTo(error.database)
      mirror.retryAtMs = env.monotonicMs() + SAME_RETRY_MS
      onSame()
    } else {
      const before = mirror.error
      mirror.failed(error, env.monotonicMs())
      if (before?.name !== error.name || before.message !== error.message) onFailure(mirror, error)
    }
    this.#waiters.failed(mirror, error)
  }

  /** Leaves this mirror for the best, unless it is at work. */
  prefer(over: Mirror): void {
    const attempt = this.#attempts.all.find(({ session }) => session.mirror === over)
    if (attempt !== undefined && !attempt.session.busy)
      this.#attempts.renew(attempt, 'another mirror is better')
  }

  /** Runs with a session, also while paused; with another mirror when one fails, until all have. */
  async round<R>(run: (session: Session) => Promise<R>, signal: AbortSignal | undefined): Promise<R> {
    this.#rounds += 1
    try {
      const tries = new Tries()
      for (;;) {
        await this.#attempts.undying(signal)
        // Those that have not failed come first.
        this.wake(tries.failed)
        const untried = this.#attempts.useful.find(({ mirror }) => !tries.failed.has(mirror))
        const session = untried ?? (await this.#next(this.#mirrors, { read: false, signal }))
        try {
          return await unlessAborted(run(session), signal)
        } catch (error) {
          signal?.throwIfAborted()
          if (this.#closed.signal.aborted) throw error
          if (this.#attempts.wasRenewed(session)) continue
          if (tries.isLast(session.mirror, error, this.#mirrors)) throw error
        }
      }
    } finally {
      this.#rounds -= 1
      this.#stopUnwanted()
    }
  }

  /** Ends the sessions and waits for what they have begun. */
  async close(reason: Error): Promise<void> {
    this.#closed.abort(reason)
    this.#attempts.abort(reason)
    this.#waiters.giveUpAll(reason)
    await this.#over
    await this.#attempts.over()
  }

  get #wanted(): boolean {
    return !this.#paused || this.#rounds > 0
  }

  #stopUnwanted(): void {
    if (this.#wanted) return
    const paused = new MirrorUnreachableError('', 'the replication is paused')
    this.#attempts.abort(paused)
    this.#waiters.giveUpAll(paused)
  }

  async #next(
    untried: readonly Mirror[],
    options: { readonly read: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<Session> {
    this.#closed.signal.throwIfAborted()
    const [best] = this.#attempts.useful
    if (best !== undefined) return best
    if (this.#mirrors.length === 0) throw new MirrorUnreachableError('', 'there is none')
    return this.#waiters.next(untried, options)
  }

  async #run(): Promise<void> {
    const { signal } = this.#closed
    while (!signal.aborted) {
      const now = this.#options.env.monotonicMs()
      const breadth = this.#options.breadth()
      const unused = this.#wanted ? this.#mirrors.filter((one) => !this.#attempts.uses(one)) : []
      const ready = unused.filter(({ retryAtMs }) => retryAtMs <= now)
      const mirror = this.#attempts.size < breadth.sessions ? chosen(ready, breadth) : undefined
      if (mirror !== undefined) void this.#use(mirror)
      else {
        const pauseMs = this.#pauseMs(now, breadth, unused)
        await napping(this.#options.env, pauseMs, this.#bell.promise, signal)
        this.#bell = deferred()
      }
    }
  }

  /** Until something may be begun by itself, or ended for another's turn. Ends what has had its turn. */
  #pauseMs(now: number, { sessions, turns }: Breadth, unused: readonly Mirror[]): number {
    const retryMs = Math.min(...unused.map(({ retryAtMs }) => Math.max(0, retryAtMs - now)))
    if (this.#attempts.size < sessions) return retryMs
    if (!turns) return Number.POSITIVE_INFINITY
    return retryMs > 0 ? retryMs : this.#attempts.takeTurns(now)
  }

  async #use(mirror: Mirror): Promise<void> {
    const { env, session: begin, onStatus } = this.#options
    const session = begin(mirror)
    const attempt = this.#attempts.begin(session, env.monotonicMs())
    const { signal } = attempt.abort
    try {
      await session.run(signal)
    } catch (thrown) {
      if (signal.aborted) mirror.state = 'waiting'
      else this.failed(mirror, thrown)
    } finally {
      mirror.usedAtMs = env.monotonicMs()
      this.#attempts.end(attempt)
      this.#bell.resolve()
      onStatus()
    }
  }
}
