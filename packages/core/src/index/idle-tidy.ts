import type { Env, Timer } from '../env/env.js'
import type { RangeSums } from './range-sums.js'

/** Quiet after which pages that grew large are cut. */
const IDLE_MS = 1_000

/** Cuts pages that grew large when nothing has changed for a while, and stops when something does. */
export class IdleTidy {
  readonly #env: Env
  readonly #sums: RangeSums
  readonly #version: () => number
  #timer: Timer | undefined
  #closed = false

  /** `version` gives another number after each change. */
  constructor(env: Env, sums: RangeSums, version: () => number) {
    this.#env = env
    this.#sums = sums
    this.#version = version
  }

  /** Begins to wait for quiet, anew. */
  soon(): void {
    if (this.#closed) return
    this.#timer?.cancel()
    const before = this.#version()
    this.#timer = this.#env.setTimer(() => {
      const quiet = () => before === this.#version() && !this.#closed
      void this.#sums.tidy(quiet).then((done) => {
        if (!done) this.soon()
      })
    }, IDLE_MS)
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }
}
