import { compareUtf8 } from '../bytes/compare.js'
import type { Page } from './page.js'
import type { PageTable } from './page-table.js'
import type { Bounds } from './range.js'
import { beginCounting, endCounting, printOf, type Scan } from './range-counting.js'
import { addPrint, emptyTally, type Print, type Tally } from './tally.js'

/** Gives the first or the last id, as it is in the turn of the call. */
export type Edge = (bounds: Bounds, reverse?: boolean) => Promise<string | undefined>

/** Count and sum of fingerprints mod 2^256 (32 bytes, big-endian) of all ids in a range. */
export interface RangeSum {
  readonly count: number
  readonly sum: Uint8Array
}

/** One of several parts of a range: the ids from `from` to before where the next part begins, the last to its end. */
export interface RangePart extends RangeSum {
  /** As short as it can be; not always an id. Of the first part where the range begins. */
  readonly from: string
}

/** Into how many parts a range of so many ids is to be cut, one at least. */
export type PartsFor = (ids: number) => number

/** An id and the fingerprint of its leaves, 32 bytes. */
export interface IdPrint {
  readonly id: string
  readonly print: Uint8Array
}

/**
 * A range in parts of about `size` ids that end where pages do, without a look at most of its entries; [] where it has
 * no two such parts.
 */
export async function partsByPages(
  pages: PageTable,
  { scan, edge }: { readonly scan: Scan; readonly edge: Edge },
  { from, to }: Bounds,
  size: number,
): Promise<RangePart[]> {
  const borders = bordersOf(pages, { from, to }, size)
  if (borders.length === 0) return []
  const firsts = borders.map(({ first }) => first)
  const sums = await endCounting(beginCounting(pages, scan, { from, to }, firsts))
  // Ids are only ever added: what lies between such an id and the border now, there was not when it was counted either.
  const texts = await Promise.all(borders.map((border) => separator(edge, border)))
  return sums.map((sum, i) => ({ from: i === 0 ? from : texts[i - 1]!, ...rangeSum(sum) }))
}

export function rangeSum({ ids, sum }: Tally): RangeSum {
  return { count: ids, sum }
}

interface Border {
  readonly first: string
  /** Where the page before it begins, or the range. */
  readonly before: string
}

/** Where pages begin so that there are about `size` ids from each to the next. */
function bordersOf(pages: PageTable, { from, to }: Bounds, size: number): Border[] {
  const borders: Border[] = []
  let before: Page | undefined
  let ids = 0
  for (const page of pages.between(from, to)) {
    if (before !== undefined && ids >= size) {
      const start = compareUtf8(before.first, from) < 0 ? from : before.first
      borders.push({ first: page.first, before: start })
      ids = 0
    }
    ids += page.ids
    before = page
  }
  return borders
}

async function separator(edge: Edge, { first, before }: Border): Promise<string> {
  const last = await edge({ from: before, to: first }, true)
  return last === undefined ? first : separatorOf(last, first)
}

/** A range in at most so many parts of as many ids each, but the last, by a scan of it. */
export async function partsByScan(scan: Scan, bounds: Bounds, partsFor: PartsFor): Promise<RangePart[]> {
  const prints: Print[] = []
  for await (const row of scan(bounds)) prints.push(printOf(row))
  const size = Math.max(1, Math.ceil(prints.length / partsFor(prints.length)))
  const parts: RangePart[] = []
  for (let start = 0; start < prints.length || start === 0; start += size) {
    const tally = emptyTally()
    for (const print of prints.slice(start, start + size)) addPrint(tally, print)
    const from = start === 0 ? bounds.from : separatorOf(prints[start - 1]!.id, prints[start]!.id)
    parts.push({ from, ...rangeSum(tally) })
  }
  return parts
}

/** The shortest text that comes after `before` and begins `id`, which comes after it too. */
export function separatorOf(before: string, id: string): string {
  const others = before[Symbol.iterator]()
  let length = 0
  for (const point of id) {
    length += point.length
    if (others.next().value !== point) break
  }
  return id.slice(0, length)
}
