import type { GatheredKnowledge } from '../changes/ancestry.js'
import { ClosedError, IndexCorruptError } from '../errors.js'
import type { DocumentIndex } from '../index/document-index.js'
import type { IndexCommit } from '../index/index-commit.js'
import { printsOf } from '../index/root.js'
import type { Print } from '../index/tally.js'
import type { Context } from './context.js'
import { remember } from './owed.js'
import { GroupPlan } from './plan.js'

/** One caller's part of a commit group. */
export interface Work<R> {
  readonly ids: readonly string[]
  /** About how many bytes it adds. */
  readonly bytes: number
  /** Not acknowledged before it is fsynced, also where the database is relaxed. */
  readonly sync: boolean
  /** Gathers what the plan needs beyond the entries, in the queue: nothing is written meanwhile. */
  readonly prepare?: (plan: GroupPlan) => Promise<ReadonlyMap<string, GatheredKnowledge>>
  /** Adds to the group's plan; throws to refuse its own part, before it added anything. */
  readonly plan: (plan: GroupPlan, knowledge: ReadonlyMap<string, GatheredKnowledge>) => R
}

interface Waiting {
  readonly work: Work<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Ids and bytes past which a group takes no further request; a larger one goes alone. */
export const GROUP_IDS = 4_096
export const GROUP_BYTES = 4 * 1024 * 1024
/** Entries gathered in the index past which writes wait for its flush. */
export const PENDING_ENTRIES_MAX = 65_536
/** Records from which on their fingerprints are made while the disk writes. */
const MANY_RECORDS = 64
const nothingKnown: ReadonlyMap<string, GatheredKnowledge> = new Map()

/**
 * The one writer. Requests that come while a group is being written form the next group: planned together, appended
 * with one fsync, then told to the index, then acknowledged.
 */
export class CommitQueue {
  readonly #context: Context
  readonly #committed: () => void
  readonly #mended: (index: DocumentIndex) => Promise<void>
  #waiting: Waiting[] = []
  readonly #exclusive: (() => Promise<void>)[] = []
  #running: Promise<void> | undefined
  #closed = false

  /** @param mended resolves when another index has taken the place of one that is damaged */
  constructor(context: Context, committed: () => void, mended: (index: DocumentIndex) => Promise<void>) {
    this.#context = context
    this.#committed = committed
    this.#mended = mended
  }

  /** Where the index turns out damaged before anything is written, the work waits for the next index. */
  async submit<R>(work: Work<R>): Promise<R> {
    const { index } = this.#context
    try {
      return await this.#submit(work)
    } catch (error) {
      if (!(error instanceof IndexCorruptError)) throw error
    }
    await this.#mended(index)
    return this.#submit(work)
  }

  #submit<R>(work: Work<R>): Promise<R> {
    if (this.#closed) return Promise.reject(new ClosedError())
    return new Promise<R>((resolve, reject) => {
      this.#waiting.push({ work, resolve: resolve as (value: unknown) => void, reject })
      this.#running ??= this.#run()
    })
  }

  /** Runs between two groups, when nothing else writes. */
  alone(run: () => Promise<void>): Promise<void> {
    if (this.#closed) return Promise.reject(new ClosedError())
    return new Promise((resolve, reject) => {
      this.#exclusive.push(() => run().then(resolve, reject))
      this.#running ??= this.#run()
    })
  }

  /** As `alone`, for what appends by itself: a damaged index is waited for, and others are told of the commit. */
  async commit(run: () => Promise<void>): Promise<void> {
    const { index } = this.#context
    try {
      await this.alone(run)
    } catch (error) {
      if (!(error instanceof IndexCorruptError)) throw error
      await this.#mended(index)
      await this.alone(run)
    }
    this.#committed()
  }

  /** Refuses new work and resolves when all that was submitted is done. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #run(): Promise<void> {
    // Calls made in the same turn share the first group.
    await Promise.resolve()
    while (this.#waiting.length > 0 || this.#exclusive.length > 0) {
      await this.#exclusive.shift()?.()
      const group = this.#take()
      try {
        if (group.length > 0) await this.#commit(group)
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
      await this.#context.env.yield()
    }
    this.#running = undefined
  }

  #take(): Waiting[] {
    let ids = 0
    let bytes = 0
    let count = 0
    while (count < this.#waiting.length) {
      const { work } = this.#waiting[count]!
      ids += work.ids.length
      bytes += work.bytes
      if (count > 0 && (ids > GROUP_IDS || bytes > GROUP_BYTES)) break
      count += 1
    }
    const group = this.#waiting.slice(0, count)
    this.#waiting = this.#waiting.slice(count)
    return group
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    const { log, index, env, origin, manifest } = this.#context
    if (index.pending > PENDING_ENTRIES_MAX) await index.flush()
    const entries = await index.lookup(group.flatMap(({ work }) => work.ids))
    const plan = new GroupPlan({ origin, at: env.now(), firstSeq: log.head + 1, entries })
    const answers: (() => void)[] = []
    for (const { work, resolve, reject } of group) {
      try {
        const knowledge = work.prepare ? await work.prepare(plan) : nothingKnown
        const value = work.plan(plan, knowledge)
        answers.push(() => resolve(value))
      } catch (error) {
        answers.push(() => reject(error))
      }
    }
    const sync = group.some(({ work }) => work.sync)
    if (plan.owed.length > 0) await remember(manifest, plan.owed)
    if (plan.records.length > 0) {
      const commit = plan.commit()
      const appended = log.append(plan.records, { sync })
      const prints = plan.records.length < MANY_RECORDS ? undefined : this.#beside(appended, commit)
      await appended
      // In the turn in which the log has them: whoever reads the log finds them in the index.
      index.apply(commit, prints?.made)
      this.#context.budget?.applied(commit, plan.records)
    }
    // What a request found done already may have been written without an fsync.
    if (sync && log.synced < log.head) await log.sync()
    for (const answer of answers) answer()
    if (plan.records.length > 0) this.#committed()
  }

  /** Makes fingerprints while the disk writes; those that are not ready then are not waited for. */
  #beside(appended: Promise<unknown>, commit: IndexCommit): { made: readonly Print[] | undefined } {
    const prints: { made: readonly Print[] | undefined } = { made: undefined }
    let writing = true
    const written = () => {
      writing = false
    }
    appended.then(written, written)
    void this.#context.env.yield().then(() => {
      if (writing) prints.made = printsOf(commit.changes)
    })
    return prints
  }
}
