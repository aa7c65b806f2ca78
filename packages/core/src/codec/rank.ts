import type { DecodeBudget } from './column-format.js'
import type { Integers } from './integers.js'

const STEP = 64

/** For rows of several classes: how many of the chosen classes stand before a row. Costs a claim of all rows. */
export class Rank {
  readonly #classes: Integers
  readonly #chosen: readonly boolean[]
  readonly #marks: Uint32Array

  /** The integers must all be places in `chosen`. */
  constructor(classes: Integers, chosen: readonly boolean[], budget: DecodeBudget) {
    budget.claim(classes.count)
    this.#classes = classes
    this.#chosen = chosen
    this.#marks = new Uint32Array(Math.ceil(classes.count / STEP))
    let rank = 0
    for (let i = 0; i < classes.count; i++) {
      if (i % STEP === 0) this.#marks[i / STEP] = rank
      if (chosen[classes.at(i)]!) rank++
    }
  }

  at(index: number): number {
    const mark = Math.floor(index / STEP)
    let rank = this.#marks[mark]!
    for (let i = mark * STEP; i < index; i++) if (this.#chosen[this.#classes.at(i)]!) rank++
    return rank
  }
}
