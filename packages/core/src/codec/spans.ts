import { MalformedBytes } from '../bytes/byte-reader.js'
import type { Integers } from './integers.js'

/** Where the parts of a whole begin and end, by their lengths. */
export class Spans {
  readonly total: number
  readonly #each: number
  readonly #starts: Uint32Array | undefined

  /** @throws MalformedBytes where a length is negative or the total more than `most`, at most 2^32 - 1 */
  constructor(lengths: Integers, most: number) {
    const each = lengths.constant
    this.#each = each ?? 0
    this.#starts = each === undefined ? new Uint32Array(lengths.count + 1) : undefined
    let total = this.#each * lengths.count
    if (this.#starts !== undefined) {
      for (let i = 0; i < lengths.count; i++) {
        const length = lengths.at(i)
        total += length
        if (!(length >= 0 && total <= most)) throw new MalformedBytes('parts longer than the whole')
        this.#starts[i + 1] = total
      }
    }
    if (!(this.#each >= 0 && total <= most)) throw new MalformedBytes('parts longer than the whole')
    this.total = total
  }

  start(index: number): number {
    return this.#starts === undefined ? this.#each * index : this.#starts[index]!
  }
}
