import { compareUtf8 } from '../bytes/compare.js'
import { IndexCorruptError } from '../errors.js'
import type { Entry } from './entry.js'
import { fingerprint } from './fingerprint.js'
import type { Page } from './page.js'
import type { PageTable } from './page-table.js'
import { type Bounds, firstFrom } from './range.js'
import {
  addPrint,
  addTally,
  changeSeq,
  copyTally,
  emptyTally,
  type Print,
  sameTally,
  subtractTally,
  type Tally,
} from './tally.js'

/** Opens a scan of entries in order, as they are in the turn of the call. */
export type Scan = (bounds: Bounds, reverse?: boolean) => AsyncIterable<readonly [string, Entry]>

/** A page that a border lies in, with the scan of it begun. */
interface CutPage {
  readonly page: Page
  readonly rows: AsyncIterable<readonly [string, Entry]>
  /** What the page came to when the scan began. */
  readonly total: Tally
  /** Whether the scan is of the whole page, which is checked by it. */
  readonly isWhole: boolean
  /** The part to which belongs what lies behind the scan; undefined where nothing of it is counted. */
  readonly rest: number | undefined
}

/** Neighbouring parts of a range, while they are counted. */
export interface Counting {
  readonly bounds: Bounds
  /** Where each begins. */
  readonly starts: readonly string[]
  readonly tallies: readonly Tally[]
  readonly cut: readonly CutPage[]
}

/**
 * Begins to count a range in parts, the first from where it begins, the others from these borders, which lie in it and in
 * order. All are as they are in this turn. Whole pages are added up; pages that borders lie in are scanned, each once.
 */
export function beginCounting(
  pages: PageTable,
  scan: Scan,
  bounds: Bounds,
  borders: readonly string[] = [],
): Counting {
  const { from, to } = bounds
  const starts = [from, ...borders]
  if (to !== undefined && compareUtf8(from, to) >= 0)
    return { bounds, starts, tallies: starts.map(emptyTally), cut: [] }
  const tallies = starts.map((start, i) => pages.inner(start, starts[i + 1] ?? to))
  const inside = new Map<Page, string[]>()
  for (const border of to === undefined ? starts : [...starts, to]) {
    const page = pages.find(border)
    if (page.first === border) continue
    const others = inside.get(page)
    if (others === undefined) inside.set(page, [border])
    else others.push(border)
  }
  const cut = Array.from(inside, ([page, at]) => beginPage(pages, scan, { bounds, starts, page, at }))
  return { bounds, starts, tallies, cut }
}

/** Scans what is wanted of a page: all of a checked one that the range begins in is behind that, and less may do. */
function beginPage(
  pages: PageTable,
  scan: Scan,
  options: {
    readonly bounds: Bounds
    readonly starts: readonly string[]
    readonly page: Page
    /** The borders in it, in order. */
    readonly at: readonly string[]
  },
): CutPage {
  const { bounds, starts, page, at } = options
  const isWhole = !page.checked
  const last = at.at(-1)!
  const endsHere = last === bounds.to
  const from = !isWhole && at[0] === bounds.from ? bounds.from : page.first
  const isRestKnown = !isWhole && from === page.first && !endsHere
  const to = !isWhole && (endsHere || isRestKnown) ? last : pages.end(page)
  return {
    page,
    rows: scan({ from, to }),
    total: copyTally(page),
    isWhole,
    rest: isRestKnown ? firstFrom(starts, last) : undefined,
  }
}

/** What each part comes to. @throws IndexCorruptError */
export async function endCounting(counting: Counting): Promise<readonly Tally[]> {
  await Promise.all(counting.cut.map((page) => endPage(counting, page)))
  return counting.tallies
}

async function endPage(
  { bounds: { from, to }, starts, tallies }: Counting,
  { page, rows, total, isWhole, rest }: CutPage,
): Promise<void> {
  const counted = emptyTally()
  let part: number | undefined
  for await (const row of rows) {
    const print = printOf(row)
    const { id } = print
    addPrint(counted, print)
    if (compareUtf8(id, from) < 0 || (to !== undefined && compareUtf8(id, to) >= 0)) continue
    part ??= Math.max(0, firstFrom(starts, id) - 1)
    while (part + 1 < starts.length && compareUtf8(id, starts[part + 1]!) >= 0) part += 1
    addPrint(tallies[part]!, print)
  }
  if (isWhole && !sameTally(total, counted)) throw disagreement([page.first])
  if (isWhole) page.checked = true
  if (rest === undefined) return
  subtractTally(total, counted)
  addTally(tallies[rest]!, total)
}

export function printOf([id, { leaves }]: readonly [string, Entry]): Print {
  return { id, before: undefined, after: fingerprint(id, leaves), seq: changeSeq(leaves) }
}

/** What tells that pages are not what their entries add up to. */
export function disagreement(firsts: readonly string[]): IndexCorruptError {
  const some = firsts.slice(0, 3).map((first) => (first === '' ? 'the start' : JSON.stringify(first)))
  const more = firsts.length > some.length ? ` and ${firsts.length - some.length} more` : ''
  return new IndexCorruptError(
    `entries do not agree with count and sum of the page from ${some.join(', ')}${more}`,
  )
}
