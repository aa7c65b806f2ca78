/** Lets a number of tasks run at a time; the others wait in order. */
export class Gate {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(places: number) {
    this.#free = places
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      // The place goes from hand to hand: were it freed first, a newcomer could overtake.
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
