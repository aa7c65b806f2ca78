import type { Env, Timer } from '@mynah/core'

/** A number that follows another: up at once, down only a while later, as what fell may soon rise again. */
export class SlowFall {
  readonly #env: Env
  readonly #fallMs: number
  readonly #followed: () => number
  readonly #onChange: () => void
  #value = 0
  #timer: Timer | undefined

  constructor(
    env: Env,
    options: { readonly fallMs: number; readonly followed: () => number; readonly onChange: () => void },
  ) {
    this.#env = env
    this.#fallMs = options.fallMs
    this.#followed = options.followed
    this.#onChange = options.onChange
  }

  get value(): number {
    return this.#value
  }

  /** To be called when what it follows has changed. */
  look(): void {
    const followed = this.#followed()
    if (followed >= this.#value) this.end()
    else this.#timer ??= this.#env.setTimer(() => this.#take(this.#followed()), this.#fallMs)
    if (followed > this.#value) this.#take(followed)
  }

  end(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #take(value: number): void {
    this.end()
    this.#value = value
    this.#onChange()
  }
}
