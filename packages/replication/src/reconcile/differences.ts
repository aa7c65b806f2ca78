import { type Bounds, compareUtf8, type IdRange, type Replica } from '@mynah/core/replica'
import { MirrorAnswerError } from '../errors.js'
import { wireLimits } from '../protocol/names.js'
import {
  type AskedRange,
  isSamePrint,
  type ToldId,
  type ToldRange,
  type ToldRanges,
  type WireSum,
  wirePrint,
} from '../protocol/ranges.js'

/** How often a range may be told in parts of parts: enough for any database, and an end for a mirror that lies. */
const DEPTH_MAX = 64
/** Ids of our own looked at together, where a mirror tells its own. */
const OWN_IDS = 1_000

/** A document that is not known in the same leaves on both sides. */
export interface Difference {
  readonly id: string
  readonly here: boolean
  readonly there: boolean
}

interface OpenRange extends AskedRange {
  readonly depth: number
}

/** Asks a mirror about ranges of ids. */
export type AskRanges = (asked: readonly AskedRange[]) => Promise<ToldRanges>

/**
 * Finds the documents in which a mirror differs: range-based set reconciliation. A range whose count and sum are not the
 * same on both sides is asked about further, as the mirror cuts it; a small one is told id by id. Both sides may change
 * meanwhile, each range is compared at its own moment: what was known on one side when this began, and is found nowhere,
 * is known to the other.
 *
 * @see Aljoscha Meyer, Range-Based Set Reconciliation (2022), https://arxiv.org/abs/2212.13567
 */
export class Differences {
  readonly #replica: Replica
  readonly #address: string
  readonly #ask: AskRanges
  /** What is still to be asked about, the last first: so few wait at any time. */
  readonly #open: OpenRange[] = []
  /** What the first answers told, to be looked at later. */
  readonly #told: (readonly [OpenRange, ToldRange])[] = []
  /** Ids known here and there, when this began. */
  here = 0
  there = 0
  /** Leaves whose bodies the mirror is to hold and does not. */
  owed = 0

  /** `address` is the mirror's. */
  constructor(replica: Replica, address: string, ask: AskRanges) {
    this.#replica = replica
    this.#address = address
    this.#ask = ask
  }

  /** Compares whole ranges, and counts what is in them; tells whether they are the same. */
  async begin(ranges: readonly Bounds[]): Promise<boolean> {
    const asked: OpenRange[] = []
    for (const range of ranges) {
      const [sum] = await this.#own(range, [])
      this.here += sum!.count
      asked.push({ ...range, sum: sum!, depth: 0 })
    }
    let differs = false
    for (let next = 0; next < asked.length; ) {
      const some = asked.slice(next, next + wireLimits.ranges)
      const { ranges: told, owed } = await this.#ask(some)
      this.owed = owed
      for (const [i, one] of told.entries()) {
        differs ||= one.kind !== 'same'
        this.there += countOf(some[i]!, one)
        this.#told.push([some[i]!, one])
      }
      next += told.length
    }
    return !differs
  }

  /** The documents that differ, some at a time, each once. After `begin`. */
  async *rest(): AsyncGenerator<readonly Difference[]> {
    for (;;) {
      for (const [asked, told] of this.#told.splice(0)) yield* this.#take(asked, told)
      const asked = this.#open.splice(-wireLimits.ranges)
      if (asked.length === 0) return
      const { ranges } = await this.#ask(asked)
      this.#open.push(...asked.slice(ranges.length))
      for (const [i, told] of ranges.entries()) this.#told.push([asked[i]!, told])
    }
  }

  async *#take(asked: OpenRange, told: ToldRange): AsyncGenerator<readonly Difference[]> {
    if (told.kind === 'same') return
    if (told.kind === 'ids') return yield* this.#compareIds(asked, told.ids)
    if (asked.depth >= DEPTH_MAX)
      throw new MirrorAnswerError(this.#address, 200, 'parts of ranges without end')
    const [, ...borders] = told.parts.map(({ from }) => from)
    const sums = await this.#own(asked, borders)
    for (const [i, { from, count, print }] of told.parts.entries()) {
      const to = told.parts[i + 1]?.from ?? asked.to
      const own = sums[i]!
      if (own.count === count && isSamePrint(own.print, print)) continue
      if (count === 0) yield* this.#compareIds({ from, to }, [])
      else this.#open.push({ from, to, depth: asked.depth + 1 })
    }
  }

  /** Compares the mirror's ids of a range, all of them, with our own. */
  async *#compareIds({ from, to }: Bounds, theirs: readonly ToldId[]): AsyncGenerator<readonly Difference[]> {
    let next = 0
    let range = rangeOf({ from, to })
    for (;;) {
      const ours = await this.#replica.prints(range, OWN_IDS)
      const found: Difference[] = []
      for (const { id, print } of ours) {
        while (next < theirs.length && compareUtf8(theirs[next]!.id, id) < 0)
          found.push(onlyThere(theirs[next++]!))
        const same = theirs[next]?.id === id ? theirs[next++] : undefined
        if (same === undefined) found.push({ id, here: true, there: false })
        else if (!isSamePrint(same.print, wirePrint(print))) found.push({ id, here: true, there: true })
      }
      const isEnd = ours.length < OWN_IDS
      if (isEnd) found.push(...theirs.slice(next).map(onlyThere))
      if (found.length > 0) yield found
      if (isEnd) return
      range = { ...range, gt: ours.at(-1)!.id }
    }
  }

  async #own(bounds: Bounds, borders: readonly string[]): Promise<readonly WireSum[]> {
    const sums = await this.#replica.sums(rangeOf(bounds), borders)
    return sums.map(({ count, sum }) => ({ count, print: wirePrint(sum) }))
  }
}

function onlyThere({ id }: ToldId): Difference {
  return { id, here: false, there: true }
}

/** The same ids as a range of the index; without an end where `to` is none. */
export function rangeOf({ from, to }: Bounds): IdRange {
  return { gte: from, ...(to !== undefined && { lt: to }) }
}

function countOf({ sum }: AskedRange, told: ToldRange): number {
  if (told.kind === 'same') return sum?.count ?? 0
  if (told.kind === 'ids') return told.ids.length
  return told.parts.reduce((count, part) => count + part.count, 0)
}
