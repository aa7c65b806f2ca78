import { compareUtf8 } from '../bytes/compare.js'
import type { Entry } from './entry.js'
import { fingerprint } from './fingerprint.js'
import type { Page } from './page.js'
import type { PageTable } from './page-table.js'
import type { Bounds } from './range.js'
import { addPrint, addTally, changeSeq, emptyTally, type Print, type Tally } from './tally.js'

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

/** An id and the fingerprint of its leaves, 32 bytes. */
export interface IdPrint {
  readonly id: string
  readonly print: Uint8Array
}

/** Opens a scan of entries in order, as they are in the turn of the call. */
export type Scan = (bounds: Bounds, reverse?: boolean) => AsyncIterable<readonly [string, Entry]>

/** The same as `PageTable.cover` gives, with the scans of its parts begun. */
export interface Counting {
  readonly whole: Tally
  readonly scans: readonly AsyncIterable<readonly [string, Entry]>[]
}

/** Takes what a range is made of, as it is in this turn. */
export function beginCounting(pages: PageTable, scan: Scan, { from, to }: Bounds): Counting {
  const { whole, parts } = pages.cover(from, to)
  return { whole, scans: parts.map((bounds) => scan(bounds)) }
}

export async function endCounting({ whole, scans }: Counting): Promise<RangeSum> {
  for (const part of await Promise.all(scans.map(tallyOf))) addTally(whole, part)
  return { count: whole.ids, sum: whole.sum }
}

async function tallyOf(rows: AsyncIterable<readonly [string, Entry]>): Promise<Tally> {
  const tally = emptyTally()
  for await (const row of rows) addPrint(tally, printOf(row))
  return tally
}

export function printOf([id, { leaves }]: readonly [string, Entry]): Print {
  return { id, before: undefined, after: fingerprint(id, leaves), seq: changeSeq(leaves) }
}

/**
 * A range in parts of about `size` ids that end where pages do, without a look at most of its entries; [] where it has
 * no two such parts.
 */
export async function partsByPages(
  pages: PageTable,
  scan: Scan,
  { from, to }: Bounds,
  size: number,
): Promise<RangePart[]> {
  const borders = bordersOf(pages, { from, to }, size)
  if (borders.length === 0) return []
  // All in this turn, so that the parts are those of one moment.
  const firsts = [from, ...borders.map(({ first }) => first)]
  const counting = firsts.map((first, i) =>
    beginCounting(pages, scan, { from: first, to: i + 1 < firsts.length ? firsts[i + 1] : to }),
  )
  const sums = await Promise.all(counting.map(endCounting))
  // Ids are only ever added: what lies between such an id and the border now, there was not when it was counted either.
  const texts = await Promise.all(borders.map((border) => separator(scan, border)))
  return sums.map((sum, i) => ({ from: i === 0 ? from : texts[i - 1]!, ...sum }))
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

async function separator(scan: Scan, { first, before }: Border): Promise<string> {
  for await (const [id] of scan({ from: before, to: first }, true)) return separatorOf(id, first)
  return first
}

/** A range in parts of `size` ids, the last of fewer, by a scan of it. */
export async function partsByScan(scan: Scan, bounds: Bounds, size: number): Promise<RangePart[]> {
  let tally = emptyTally()
  let last: string | undefined
  let from = bounds.from
  const parts: RangePart[] = []
  const end = () => parts.push({ from, count: tally.ids, sum: tally.sum })
  for await (const row of scan(bounds)) {
    const [id] = row
    if (tally.ids >= size && last !== undefined) {
      end()
      tally = emptyTally()
      from = separatorOf(last, id)
    }
    addPrint(tally, printOf(row))
    last = id
  }
  end()
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
