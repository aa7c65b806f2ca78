import { compareUtf8 } from '../bytes/compare.js'

/** A stretch between two neighbouring ids. */
interface Gap {
  /** The last id before it, or any in whose place nothing is known to follow. */
  at: string
  /** The id behind it; undefined: none. */
  readonly next: string | undefined
}

/** Gaps kept: so many streams of rising ids are followed at once. */
const GAPS_MAX = 1_024
/** A gap costs a scan: it must save so many look-ups before the next one is afforded. */
const LEARNING_COST = 32
const CREDIT_MAX = 64 * LEARNING_COST
/** Fewer look-ups at a time cost less than a scan. */
const MANY = 32
/** Gaps looked for after one look-up. */
const SCANS = 16

/**
 * Stretches of ids in which nothing is known. New ids mostly come in rising order, in one stream or in several (a sensor
 * each): they fall into the gap behind the one before, and need no look-up. Told of every id that becomes known, so
 * that a gap is never wrong; forgetting one costs a look-up.
 */
export class Gaps {
  /** In order. No two overlap. */
  #gaps: Gap[] = []
  #credit = CREDIT_MAX

  /** Whether the id lies in a gap. */
  has(id: string): boolean {
    const inGap = this.#find(id) !== undefined
    if (inGap && this.#credit < CREDIT_MAX) this.#credit += 1
    return inGap
  }

  /** The id becomes known: what is left of its gap lies behind it. */
  close(id: string): void {
    const gap = this.#find(id)
    if (gap) gap.at = id
  }

  /**
   * Looks for the gaps behind some of the ids, which were just found absent, where that is worth while. `follower` gives
   * the id that follows one, or undefined where it cannot tell; `unchanged` says whether no id became known meanwhile.
   */
  async learn(
    absent: readonly string[],
    follower: (id: string) => Promise<{ readonly next: string | undefined } | undefined>,
    unchanged: () => boolean,
  ): Promise<void> {
    if (absent.length < MANY) return
    for (const id of absent.slice(0, SCANS)) {
      if (this.#credit < LEARNING_COST) return
      if (this.#find(id)) continue
      this.#credit -= LEARNING_COST
      const found = await follower(id)
      if (!unchanged()) return
      if (found) this.#add(id, found.next)
    }
  }

  #add(at: string, next: string | undefined): void {
    if (this.#gaps.length === GAPS_MAX) this.#gaps = []
    const place = this.#placeOf(at)
    const before = this.#gaps[place - 1]
    const after = this.#gaps[place]
    const overlaps =
      (before && (before.next === undefined || compareUtf8(before.next, at) > 0)) ||
      (after && (next === undefined || compareUtf8(after.at, next) < 0))
    if (!overlaps) this.#gaps.splice(place, 0, { at, next })
  }

  #find(id: string): Gap | undefined {
    const gap = this.#gaps[this.#placeOf(id) - 1]
    return gap && (gap.next === undefined || compareUtf8(id, gap.next) < 0) ? gap : undefined
  }

  /** The place of the first gap that begins at or behind the id. */
  #placeOf(id: string): number {
    let low = 0
    let high = this.#gaps.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareUtf8(this.#gaps[middle]!.at, id) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
