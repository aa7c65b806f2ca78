import type { RandomSource } from '../../src/storage/memory-disk.js'
import { seeded } from '../storage/seeded.js'

/** All chance of one history. */
export class Chance {
  readonly source: RandomSource

  constructor(seed: number) {
    this.source = seeded(seed)
  }

  /** An integer from 0 to below `bound`. */
  below(bound: number): number {
    return Math.floor(this.source() * bound)
  }

  /** An integer from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  is(chance: number): boolean {
    return this.source() < chance
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  /** Some of them, none twice, in any order. */
  some<T>(items: readonly T[], count: number): T[] {
    const left = [...items]
    return Array.from(
      { length: Math.min(count, items.length) },
      () => left.splice(this.below(left.length), 1)[0]!,
    )
  }
}
