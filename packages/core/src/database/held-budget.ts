import { ClosedError, HoldsAllError, UnconfirmedError } from '../errors.js'
import type { IndexCommit } from '../index/index-commit.js'
import type { LogRecord, Sequenced } from '../log/record.js'
import type { CommitQueue } from './commit-queue.js'
import type { Context, HeldWatch } from './context.js'
import { EVICT_BATCH, Evictor } from './evict.js'
import { HeldBytes } from './held-bytes.js'
import type { IndexKeeper } from './index-keeper.js'
import { holdsAll } from './owed.js'
import { Recent } from './recent.js'

/** What drops bodies: when it is told to, and by itself where the database has a budget for them. */
export function evictorOf(context: Context, queue: CommitQueue, keeper: IndexKeeper): Evictor {
  const evictor = new Evictor(context, queue, keeper)
  const { heldBytes, readOnly } = context
  if (heldBytes !== undefined && !readOnly)
    context.budget = new HeldBudget(context, evictor, keeper, heldBytes)
  return evictor
}

/** Bodies are dropped until a sixteenth of the budget is free, so that not every write drops one. */
const SLACK = 1 / 16
/** What is spared when the log is gone through again and again: what was read of late, just now, nothing. */
const AGES = [2, 2, 1, 0] as const
/** Until what could not be dropped is tried again; twice as long each time. */
const RETRY_MS = 1_000
const RETRY_MS_MAX = 600_000

/**
 * Keeps the bodies that a peer holds within a budget: those that were recorded first go first, but for what was read not
 * long ago. (What was read last is known in RAM alone: after a restart the order is that of writing and fetching.) In the
 * background: neither reads nor writes wait for it, and what cannot go for now makes it stay above the budget.
 */
class HeldBudget implements HeldWatch {
  readonly #context: Context
  readonly #evictor: Evictor
  readonly #keeper: IndexKeeper
  readonly #budget: number
  readonly #held: HeldBytes
  readonly #recent = new Recent()
  /** Up to where the log was looked through for what may go. */
  #seq = 0
  #running = false
  /** Whether something was left out as it was read not long ago. */
  #spared = false
  #waits = false
  #retryMs = RETRY_MS
  over: 'kept' | 'unreachable' | undefined

  constructor(context: Context, evictor: Evictor, keeper: IndexKeeper, budget: number) {
    this.#context = context
    this.#evictor = evictor
    this.#keeper = keeper
    this.#budget = budget
    this.#held = new HeldBytes(context)
    this.wake()
  }

  get bytes(): number | undefined {
    return this.#held.total
  }

  used(id: string): void {
    this.#recent.add(id)
  }

  applied(commit: IndexCommit, records: readonly LogRecord[]): void {
    this.#held.applied(commit, records)
    if ((this.bytes ?? 0) > this.#budget) this.wake()
  }

  /** Looks whether something is to go, unless it waits to try again. */
  wake(): void {
    if (this.#running || this.#waits || this.#context.closing) return
    this.#running = true
    void this.#run().then((again) => {
      this.#running = false
      if (again && !this.#context.closing) this.#later()
    })
  }

  #later(): void {
    this.#waits = true
    this.#context.env.setTimer(() => {
      this.#waits = false
      this.wake()
    }, this.#retryMs)
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX)
  }

  /** Whether it is to be tried again. */
  async #run(): Promise<boolean> {
    try {
      await this.#context.env.yield()
      if (this.bytes === undefined) await this.#keeper.use(() => this.#held.count())
      this.over = undefined
      if (this.#excess <= 0) return false
      if (holdsAll(this.#context)) throw new HoldsAllError()
      if (!(await this.#free())) this.over = 'kept'
    } catch (error) {
      if (error instanceof ClosedError) return false
      this.over = error instanceof UnconfirmedError ? 'unreachable' : 'kept'
    }
    if (this.over === undefined) this.#retryMs = RETRY_MS
    return this.over !== undefined
  }

  /** How many bytes are to go, once some are. */
  get #excess(): number {
    const bytes = this.bytes ?? 0
    return bytes > this.#budget ? bytes - this.#budget * (1 - SLACK) : 0
  }

  /** Goes through the log until enough is free: on from where it was, then from the start, then sparing less and less. */
  async #free(): Promise<boolean> {
    const goal = this.bytes! - this.#excess
    for (const age of AGES) {
      const begun = this.#seq
      this.#spared = false
      for (let seq: number | undefined = begun; seq !== undefined; seq = await this.#part(age, goal)) {
        this.#seq = seq
        if (this.bytes! <= goal) return true
      }
      this.#seq = 0
      if (this.bytes! <= goal) return true
      if (begun === 0 && !this.#spared) return false
    }
    return false
  }

  /** Drops what may go of the next documents in the log; gives the seq up to which it looked, undefined past the end. */
  async #part(age: number, goal: number): Promise<number | undefined> {
    const { log, env } = this.#context
    let last: number | undefined
    let bytes = 0
    const ids = new Set<string>()
    for await (const batch of log.scan(this.#seq + 1, log.head)) {
      for (const { seq, record } of await this.#keeper.use(() => this.#candidates(batch, age))) {
        ids.add(record.id)
        bytes += this.#held.bytesAt(seq)
        last = seq
        if (ids.size === EVICT_BATCH || this.bytes! - bytes <= goal) break
      }
      if (ids.size === EVICT_BATCH || this.bytes! - bytes <= goal) break
      last = batch.at(-1)!.seq
    }
    if (ids.size > 0) await this.#evictor.batch([...ids])
    await env.yield()
    return last
  }

  #spares(id: string, age: number): boolean {
    const spared = this.#recent.has(id, age)
    this.#spared ||= spared
    return spared
  }

  /** Of records in the log: those that hold the body of a leaf that may go. */
  async #candidates(batch: readonly Sequenced[], age: number): Promise<readonly Sequenced[]> {
    const { index, pins } = this.#context
    const some = batch.filter(
      ({ record: { kind, id, deleted } }) =>
        kind === 'revision' && !deleted && !pins.has(id) && !this.#spares(id, age),
    )
    const entries = await index.lookup([...new Set(some.map(({ record }) => record.id))])
    return some.filter(({ seq, record }) =>
      entries.get(record.id)?.leaves.some((leaf) => leaf.bodySeq === seq),
    )
  }
}
