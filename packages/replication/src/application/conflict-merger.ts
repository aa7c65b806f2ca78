import {
  type Conflict,
  type Database,
  type Document,
  type Env,
  type Input,
  MynahError,
  type REMOVE,
  type Timer,
} from '@mynah/core'
import { unlessAborted } from '@mynah/core/replica'
import { linkedSignal } from '../timing/linked-signal.js'
import { sleep } from '../timing/sleep.js'

type Maybe<T> = T | Promise<T>

/** Merges what several places made of a document; undefined leaves the conflict as it is. */
export type OnConflict = (conflict: Conflict) => Maybe<Input<Document> | typeof REMOVE | undefined>

/** Whose conflicts are merged, and how. */
export interface ConflictMergerOptions {
  readonly db: Database
  readonly env: Env
  readonly onConflict: OnConflict
  /** Hears what `onConflict` threw, or the database. */
  readonly onError: (id: string, error: Error) => void
}

/** Until what could not be read, or written, is tried again. */
const RETRY_MS = 30_000

/** Thrown through `resolve` to leave a conflict alone. */
const leftAlone = Symbol('left alone')

/**
 * Resolves conflicts by the application's function, one after another: those that are there at the start, and those that
 * come, by whichever way. One that the function left alone, or threw at, is taken up again when its document changes.
 */
export class ConflictMerger {
  readonly #options: ConflictMergerOptions
  readonly #closed = new AbortController()
  readonly #due = new Set<string>()
  /** What was tried in vain. */
  readonly #later = new Set<string>()
  #working: Promise<void> | undefined
  #following: Promise<void> | undefined
  #retry: Timer | undefined

  constructor(options: ConflictMergerOptions) {
    this.#options = options
  }

  start(): void {
    this.#following = this.#follow()
  }

  async close(): Promise<void> {
    this.#closed.abort()
    this.#retry?.cancel()
    await this.#following
    await this.#working
  }

  /** Begins anew where the database fails: what came meanwhile is in the list. */
  async #follow(): Promise<void> {
    const { env } = this.#options
    const { signal } = this.#closed
    while (!(await this.#untilClosed('', () => this.#round())))
      await sleep(env, RETRY_MS, signal).catch(() => undefined)
  }

  async #round(): Promise<void> {
    const over = new AbortController()
    const { signal, release } = linkedSignal(over.signal, this.#closed.signal)
    // From before the list, so that none falls between.
    const tasks = [this.#changes(signal), this.#list(signal)]
    try {
      await Promise.all(tasks)
    } finally {
      over.abort()
      await Promise.allSettled(tasks)
      release()
    }
  }

  async #changes(signal: AbortSignal): Promise<void> {
    for await (const { id, conflicts } of this.#options.db.changes({ live: true, since: 'now', signal }))
      if (conflicts.length > 0) this.#take(id)
  }

  async #list(signal: AbortSignal): Promise<void> {
    for await (const { id } of this.#options.db.conflicts()) {
      if (signal.aborted) return
      this.#take(id)
    }
  }

  #take(id: string): void {
    if (this.#closed.signal.aborted) return
    this.#due.add(id)
    this.#working ??= this.#work()
  }

  async #work(): Promise<void> {
    for (const id of this.#due) {
      if (this.#closed.signal.aborted) return
      this.#due.delete(id)
      await this.#untilClosed(id, () => this.#resolve(id))
    }
    // In the turn in which nothing was due any more: what comes next begins anew.
    this.#working = undefined
  }

  async #resolve(id: string): Promise<void> {
    const { db, onConflict } = this.#options
    try {
      const merge = async (conflict: Conflict) => {
        // Who asks a person may wait for ever.
        const asked = Promise.resolve(onConflict(conflict))
        const merged = await unlessAborted(asked, this.#closed.signal)
        if (merged === undefined) throw leftAlone
        return merged
      }
      await db.resolve(id, merge, { signal: this.#closed.signal })
    } catch (error) {
      if (error === leftAlone) return
      if (!(error instanceof MynahError && error.retryable)) throw error
      this.#tryLater(id)
    }
  }

  #tryLater(id: string): void {
    if (this.#closed.signal.aborted) return
    this.#later.add(id)
    this.#retry ??= this.#options.env.setTimer(() => this.#again(), RETRY_MS)
  }

  #again(): void {
    this.#retry = undefined
    const ids = [...this.#later]
    this.#later.clear()
    for (const id of ids) this.#take(id)
  }

  /** False where it failed, and that was told. */
  async #untilClosed(id: string, run: () => Promise<void>): Promise<boolean> {
    try {
      await run()
      return true
    } catch (error) {
      const isEnd = error instanceof MynahError && error.code === 'MYNAH_CLOSED'
      if (this.#closed.signal.aborted || isEnd) return true
      this.#options.onError(id, error instanceof Error ? error : new Error(String(error)))
      return false
    }
  }
}
