import { type Position, positionAt } from '../changes/positions.js'
import type { Context } from './context.js'

/** How long a relaxed write may wait for its fsync. */
const RELAXED_SYNC_MS = 200

/** After each commit: tells who waits for durable ones, and has done what falls due. */
export class CommitNews {
  readonly listeners = new Set<(position: Position) => void>()
  readonly #context: Context
  readonly #flush: () => void
  #told: number
  #syncing = false

  /** @param flush called when so much has gathered in the index that it is to be written */
  constructor(context: Context, flush: () => void) {
    this.#context = context
    this.#flush = flush
    this.#told = context.log.synced
  }

  committed(): void {
    const { log, index, env } = this.#context
    if (log.synced < log.head && !this.#syncing) {
      this.#syncing = true
      env.setTimer(() => void this.#syncRelaxed(), RELAXED_SYNC_MS)
    }
    if (index.flushDue) this.#flush()
    if (log.synced > this.#told) {
      this.#told = log.synced
      this.tell()
    }
  }

  tell(): void {
    const { log } = this.#context
    const position = positionAt(log.incarnations, log.synced)
    for (const listener of this.listeners) listener(position)
  }

  async #syncRelaxed(): Promise<void> {
    try {
      await this.#context.log.sync()
    } catch {
      // The log has moved to a new file, or will with the next write, which then reports what is wrong.
    }
    this.#syncing = false
    if (!this.#context.closing) this.committed()
  }
}
