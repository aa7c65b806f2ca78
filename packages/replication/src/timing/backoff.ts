import type { Env } from '@mynah/core'

const BASE_MS = 500
/** Where a live session ended: those of all other peers may have ended with it. */
const SPREAD_BASE_MS = 3_000
const CAP_MS = 16_000

/**
 * How long to leave a failing mirror alone: exponential, with full jitter, so that a thousand peers do not come back
 * at once. At the cap with equal jitter: without short delays, those who come back after a long outage come evenly, and
 * nobody waits for more than the cap.
 *
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export class Backoff {
  readonly #env: Env
  #failures = 0
  #baseMs = BASE_MS

  constructor(env: Env) {
    this.#env = env
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures
  }

  /** Counts a failure and gives the delay until the next attempt, milliseconds. */
  fail(): number {
    const ceilingMs = Math.min(CAP_MS, this.#baseMs * 2 ** Math.min(this.#failures, 16))
    this.#failures += 1
    const leastMs = ceilingMs === CAP_MS ? CAP_MS / 2 : 0
    const [a = 0, b = 0, c = 0] = this.#env.randomBytes(3)
    return leastMs + ((ceilingMs - leastMs) * (a * 0x1_0000 + b * 0x100 + c)) / 0x100_0000
  }

  /** A live session has ended: until the next success it takes longer. */
  spread(): void {
    this.#baseMs = SPREAD_BASE_MS
  }

  succeed(): void {
    this.#failures = 0
    this.#baseMs = BASE_MS
  }
}
