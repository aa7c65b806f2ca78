import type { Env } from '../env/env.js'

/** How often something was done, and how long it took together, milliseconds. What failed does not count. */
export class Stopwatch {
  readonly #env: Pick<Env, 'monotonicMs'>
  #count = 0
  #ms = 0

  constructor(env: Pick<Env, 'monotonicMs'>) {
    this.#env = env
  }

  get count(): number {
    return this.#count
  }

  get ms(): number {
    return this.#ms
  }

  async time<T>(work: Promise<T>): Promise<T> {
    const beganMs = this.#env.monotonicMs()
    const result = await work
    this.#count += 1
    this.#ms += this.#env.monotonicMs() - beganMs
    return result
  }
}
