import type { Env } from '@mynah/core'

/** An `Env` whose time passes when it is told to. */
export class ManualEnv implements Env {
  #time = 0
  #timers: { readonly at: number; readonly callback: () => void }[] = []

  now(): number {
    return this.#time
  }

  monotonicMs(): number {
    return this.#time
  }

  randomBytes(length: number): Uint8Array {
    return crypto.getRandomValues(new Uint8Array(length))
  }

  setTimer(callback: () => void, delayMs: number): { cancel(): void } {
    const timer = { at: this.#time + delayMs, callback }
    this.#timers.push(timer)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer)
      },
    }
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  offload<T>(work: () => Promise<T>): Promise<T> {
    return work()
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.length
  }

  /** Lets time pass, calling what falls due, in order. */
  advance(ms: number): void {
    const end = this.#time + ms
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#time = next.at
      next.callback()
    }
    this.#time = end
  }
}
