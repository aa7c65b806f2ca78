import type { Env } from '@mynah/core'
import { sleep } from '../timing/sleep.js'

const HOUR_MS = 3_600_000
/** So much of an hour's bytes may go at once; the rest comes evenly, so that no hour has more than all of them. */
const AT_ONCE = 0.1

/**
 * So many bytes an hour: a bucket that is full at the start, and fills with time on the monotonic clock, so that no jump
 * of the wall clock gives or takes any. What does not wait may leave a debt, of an hour at most; who waits, waits for it.
 *
 * @see https://en.wikipedia.org/wiki/Token_bucket
 */
export class Allowance {
  readonly #env: Env
  readonly #perMs: number
  readonly #full: number
  readonly #debtMax: number
  readonly #onWaiting: () => void
  #left: number
  #asOfMs: number
  #turn: Promise<void> = Promise.resolve()
  /** What the one whose turn it is waits for. */
  #wanted: number | undefined

  /** @param onWaiting when somebody begins or ends to wait */
  constructor(env: Env, bytesPerHour: number, onWaiting: () => void) {
    this.#env = env
    this.#full = AT_ONCE * bytesPerHour
    this.#perMs = ((1 - AT_ONCE) * bytesPerHour) / HOUR_MS
    this.#debtMax = bytesPerHour
    this.#onWaiting = onWaiting
    this.#left = this.#full
    this.#asOfMs = env.monotonicMs()
  }

  /** Bytes that may go at once. */
  get atOnce(): number {
    return this.#full
  }

  /** Until the one who waits goes on, milliseconds; undefined while nobody waits. */
  get waitsMs(): number | undefined {
    return this.#wanted === undefined ? undefined : this.#untilMs(this.#wanted)
  }

  /** Takes bytes, whether they are there or not; gives back, where they are less than none. */
  take(bytes: number): void {
    this.#left = Math.min(this.#full, Math.max(-this.#debtMax, this.#now() - bytes))
  }

  /**
   * Takes bytes when they are there, or, where they are more than ever are, when all are; one after the other. Rejects with
   * the signal's reason, and takes none then.
   */
  async wait(bytes: number, signal: AbortSignal): Promise<void> {
    const turn = this.#turn.then(() => this.#waitInTurn(bytes, signal))
    this.#turn = turn.catch(() => {})
    await turn
  }

  async #waitInTurn(bytes: number, signal: AbortSignal): Promise<void> {
    const wanted = Math.min(bytes, this.#full)
    try {
      for (;;) {
        signal.throwIfAborted()
        const delayMs = this.#untilMs(wanted)
        if (delayMs <= 0) return this.take(bytes)
        if (this.#wanted === undefined) {
          this.#wanted = wanted
          this.#onWaiting()
        }
        await sleep(this.#env, delayMs, signal)
      }
    } finally {
      if (this.#wanted !== undefined) {
        this.#wanted = undefined
        this.#onWaiting()
      }
    }
  }

  #untilMs(wanted: number): number {
    return Math.ceil(Math.max(0, wanted - this.#now()) / this.#perMs)
  }

  #now(): number {
    const nowMs = this.#env.monotonicMs()
    this.#left = Math.min(this.#full, this.#left + this.#perMs * (nowMs - this.#asOfMs))
    this.#asOfMs = nowMs
    return this.#left
  }
}
