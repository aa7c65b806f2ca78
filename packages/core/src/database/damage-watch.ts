import { ClosedError } from '../errors.js'
import type { CommitQueue } from './commit-queue.js'
import type { Context } from './context.js'
import { settleDamage } from './damage.js'

const RETRY_MS = 1_000
const RETRY_MS_MAX = 60_000

/**
 * Settles damage that is found while the database is open, whoever finds it. Where the disk does not let it, it is tried
 * again; the manifest knows, so that the next open does it at the latest.
 */
export class DamageWatch {
  readonly #context: Context
  readonly #queue: CommitQueue
  readonly #settled: () => void
  #running: Promise<void> | undefined
  #retryMs = RETRY_MS

  /** @param settled called each time when damage has been settled */
  constructor(context: Context, queue: CommitQueue, settled: () => void) {
    this.#context = context
    this.#queue = queue
    this.#settled = settled
    context.log.onLost(() => void this.settle().catch((error: unknown) => this.#retry(error)))
  }

  /** Resolves when all that the manifest knows as lost is settled. @throws StorageError, ClosedError */
  async settle(): Promise<void> {
    if (this.#context.readOnly) return
    // What was found while a run was under way may have come too late for it.
    await this.#running?.catch(() => undefined)
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    await this.#running
  }

  async #run(): Promise<void> {
    await settleDamage(this.#context, (run) => this.#queue.alone(run))
    this.#retryMs = RETRY_MS
    this.#settled()
  }

  #retry(error: unknown): void {
    if (error instanceof ClosedError || this.#context.closing) return
    const delayMs = this.#retryMs
    this.#retryMs = Math.min(2 * delayMs, RETRY_MS_MAX)
    this.#context.env.setTimer(
      () => void this.settle().catch((again: unknown) => this.#retry(again)),
      delayMs,
    )
  }
}
