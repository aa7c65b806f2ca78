/**
 * Numbers that follow from a seed: xoshiro128**, its state filled by splitmix32.
 *
 * @see https://prng.di.unimi.it/
 */
export class Random {
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number) {
    let state = seed >>> 0
    const next = () => {
      state = (state + 0x9e3779b9) >>> 0
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
      return (mixed ^ (mixed >>> 15)) >>> 0
    }
    this.#a = next()
    this.#b = next()
    this.#c = next()
    this.#d = next() | 1
  }

  /** Of 32 bits. */
  integer(): number {
    const turned = Math.imul(this.#b, 5)
    const result = Math.imul((turned << 7) | (turned >>> 25), 9) >>> 0
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result
  }

  /** From 0 to below 1. */
  fraction(): number {
    return this.integer() / 2 ** 32
  }

  /** An integer from 0 to below `bound`. */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound)
  }

  /** An integer, both ends included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** A duration around `mean`: most are shorter, some much longer. */
  around(mean: number): number {
    return -Math.log(1 - this.fraction()) * mean
  }

  /** @throws RangeError for an empty list */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new RangeError('nothing to pick from')
    return items[this.below(items.length)] as T
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.integer() >>> 24)
  }

  /** Another source, whose numbers do not depend on how many were drawn here since. */
  fork(): Random {
    return new Random(this.integer())
  }
}
