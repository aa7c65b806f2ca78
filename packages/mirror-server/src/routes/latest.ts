import type { Env, Timer } from '@mynah/core'

/** Two values are at least so far apart, milliseconds. */
const REST_MS = 500

/** The newest of values that come faster than anybody wants to hear them. */
export class Latest<T> {
  #value: T | undefined
  #ended = false
  #wake: () => void = () => undefined

  tell(value: T): void {
    this.#value = value
    this.#wake()
  }

  /** No value comes any more; one that was not heard is left out. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  async *values(env: Env, signal: AbortSignal): AsyncGenerator<T> {
    let rest: Timer | undefined
    const wake = () => this.#wake()
    signal.addEventListener('abort', wake)
    let resting = false
    try {
      while (!this.#ended && !signal.aborted) {
        const value = this.#value
        if (value === undefined || resting) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
          continue
        }
        this.#value = undefined
        resting = true
        rest = env.setTimer(() => {
          resting = false
          this.#wake()
        }, REST_MS)
        yield value
      }
    } finally {
      rest?.cancel()
      signal.removeEventListener('abort', wake)
    }
  }
}
