import type { Env } from '@mynah/core'

/**
 * A moment that has passed, told on the wall clock as it is whenever it is asked for: never in the future, whichever way
 * the clock was put since. Where it was put forward, or the monotonic clock stood still in a sleep, it stays what the
 * wall clock showed: it seems older than it is rather than newer.
 */
export class Moment {
  readonly #env: Pick<Env, 'now' | 'monotonicMs'>
  readonly #wallMs: number
  readonly monotonicMs: number

  /** Now. */
  constructor(env: Pick<Env, 'now' | 'monotonicMs'>) {
    this.#env = env
    this.#wallMs = env.now()
    this.monotonicMs = env.monotonicMs()
  }

  /** Milliseconds since 1970. */
  get wallMs(): number {
    const agoMs = Math.max(0, this.#env.monotonicMs() - this.monotonicMs)
    return Math.min(this.#wallMs, this.#env.now() - agoMs)
  }
}
