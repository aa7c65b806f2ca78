import { compareUtf8 } from '../bytes/compare.js'
import { IndexCorruptError } from '../errors.js'
import { isBorder } from './border.js'
import type { Entry } from './entry.js'
import { newPage, type Page } from './page.js'
import type { PageTable } from './page-table.js'
import type { Bounds } from './range.js'
import { beginCounting, disagreement, endCounting, printOf, type Scan } from './range-counting.js'
import {
  type Edge,
  type IdPrint,
  type PartsFor,
  partsByPages,
  partsByScan,
  type RangePart,
  type RangeSum,
  rangeSum,
} from './range-parts.js'
import { addPrint, addTally, changeSeq, copyTally, emptyTally, sameTally } from './tally.js'

export type { IdPrint, PartsFor, RangePart, RangeSum } from './range-parts.js'

/** One page: the ids from `from` to before `to` (undefined: to the end). */
export interface PageSum extends Bounds, RangeSum {
  /** No document in it changed after this seq. */
  readonly seq: number
}

/** A miss checks pages of up to this many ids at once; larger ones, left by many inserts out of order, when idle. */
const CHECKED_IDS = 8_192
/** Ranges of up to so many ids are cut into parts by a scan, which makes the parts equal: some pages. */
const SCANNED_IDS = 2_304

/** Sums over ranges of ids, and the checks that no entry has vanished: pages against the entries that they stand for. */
export class RangeSums {
  readonly #pages: PageTable
  readonly #scan: Scan
  readonly #edge: Edge
  readonly #running = new Map<Page, Promise<void>>()
  /** What was found when nobody asked. */
  #fault: IndexCorruptError | undefined

  constructor(pages: PageTable, scan: Scan, edge: Edge) {
    this.#pages = pages
    this.#scan = scan
    this.#edge = edge
  }

  /** @throws IndexCorruptError */
  async sum(bounds: Bounds): Promise<RangeSum> {
    const [sum] = await this.sums(bounds, [])
    return sum!
  }

  /** A range in parts that begin at these borders, which lie in it and in order. @throws IndexCorruptError */
  async sums(bounds: Bounds, borders: readonly string[]): Promise<RangeSum[]> {
    const { from, to } = bounds
    for (const border of to === undefined ? [from, ...borders] : [from, ...borders, to]) {
      const page = this.#pages.find(border)
      if (page.first !== border && page.uncut) await this.#settle(page)
    }
    // All scans begin in this turn, so that they see just what the whole pages count.
    return (await endCounting(beginCounting(this.#pages, this.#scan, bounds, borders))).map(rangeSum)
  }

  /** A range in about as many parts of about as many ids each, at least one. @throws IndexCorruptError */
  async parts(bounds: Bounds, partsFor: PartsFor): Promise<RangePart[]> {
    const count = this.#about(bounds)
    if (count > SCANNED_IDS) {
      const size = Math.ceil(count / partsFor(count))
      for (const page of this.#pages.between(bounds.from, bounds.to)) {
        if (page.uncut && page.ids > size) await this.#settle(page)
      }
      const parts = await partsByPages(this.#pages, { scan: this.#scan, edge: this.#edge }, bounds, size)
      if (parts.length > 0) return parts
    }
    return partsByScan(this.#scan, bounds, partsFor)
  }

  /** How many ids lie in a range, or up to two pages more. */
  #about({ from, to }: Bounds): number {
    const left = this.#pages.find(from)
    const right = to === undefined ? undefined : this.#pages.find(to)
    let { ids } = this.#pages.inner(from, to)
    if (left.first !== from) ids += left.ids
    if (right !== undefined && right.first !== to && (right !== left || left.first === from)) ids += right.ids
    return ids
  }

  /** The first `most` ids of a range, in order, with their fingerprints. */
  async prints(bounds: Bounds, most: number): Promise<IdPrint[]> {
    const prints: IdPrint[] = []
    if (most <= 0) return prints
    for await (const row of this.#scan(bounds)) {
      const { id, after } = printOf(row)
      prints.push({ id, print: after })
      if (prints.length === most) break
    }
    return prints
  }

  /** The pages that overlap the bounds, in order, each as it is when it is reached. @throws IndexCorruptError */
  async *pages({ from, to }: Bounds): AsyncGenerator<PageSum> {
    for (const page of this.#pages.between(from, to)) {
      if (page.uncut || !page.checked) await this.#settle(page)
      const { first, ids: count, sum, seq } = this.#pages.find(page.first)
      yield { from: first, to: this.#pages.end(page), count, sum: sum.slice(), seq }
    }
  }

  /** Entries of documents that changed after `since`, in order: only pages that changed are read. @throws IndexCorruptError */
  async *changed(since: number, { from, to }: Bounds): AsyncGenerator<readonly [string, Entry]> {
    for (let start: string | undefined = from; start !== undefined && start !== to; ) {
      const run = await this.#nextChanged(since, { from: start, to })
      if (run === undefined) return
      for await (const row of this.#scan(run)) if (changeSeq(row[1].leaves) > since) yield row
      start = run.to
    }
  }

  /** The first run of ids of which one may have changed, a page at most. */
  async #nextChanged(since: number, { from, to }: Bounds): Promise<Bounds | undefined> {
    for (;;) {
      const page = this.#pages.nextChanged(since, from, to)
      if (page === undefined) return undefined
      if (!page.uncut && page.checked) {
        const end = this.#pages.end(page)
        return {
          from: compareUtf8(page.first, from) > 0 ? page.first : from,
          to: end === undefined || (to !== undefined && compareUtf8(to, end) < 0) ? to : end,
        }
      }
      await this.#settle(page)
    }
  }

  /** Before these ids are called absent: checks their pages, each once. @throws IndexCorruptError */
  async checkAbsent(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const page = this.#pages.find(id)
      if (page.checked) continue
      if (this.#fault) throw this.#fault
      if (page.ids <= CHECKED_IDS) await this.#settle(page, id)
    }
  }

  /** The id behind this one in its page, else where that ends (undefined: nowhere); undefined for a page not checked yet. */
  async follower(id: string): Promise<{ readonly next: string | undefined } | undefined> {
    const page = this.#pages.find(id)
    if (!page.checked) return undefined
    const to = this.#pages.end(page)
    return { next: (await this.#edge({ from: `${id}\0`, to })) ?? to }
  }

  /** The rows of a scan, each only after its page was checked, and the end after all were. @throws IndexCorruptError */
  async *checked(
    rows: AsyncIterable<[string, Entry]>,
    { from, to }: Bounds,
    reverse: boolean,
  ): AsyncGenerator<[string, Entry]> {
    // What lies before `low`, or in reverse from `high` on, is checked.
    let low: string | undefined = from
    let high = to
    for await (const row of rows) {
      const [id] = row
      if (reverse && (high === undefined || compareUtf8(id, high) < 0)) {
        await this.#check(id, high)
        high = this.#pages.find(id).first
      } else if (!reverse && low !== undefined && compareUtf8(id, low) >= 0) {
        await this.#check(low, `${id}\0`)
        low = this.#pages.end(this.#pages.find(id))
      }
      yield row
    }
    if (low !== undefined) await this.#check(low, high)
  }

  async #check(from: string, to: string | undefined): Promise<void> {
    for (const page of this.#pages.between(from, to)) if (!page.checked) await this.#settle(page)
  }

  /** Cuts and checks pages that grew large, until none is left or `goOn` says no; tells whether it came to the end. */
  async tidy(goOn: () => boolean): Promise<boolean> {
    for (const page of this.#pages.between()) {
      if (!goOn()) return false
      try {
        if (page.uncut) await this.#settle(page)
      } catch (error) {
        if (!(error instanceof IndexCorruptError)) return true
        this.#fault = error
      }
    }
    return true
  }

  /** Scans a page once for all who ask meanwhile; `near` is where an id may soon be inserted. */
  #settle(page: Page, near?: string): Promise<void> {
    const running = this.#running.get(page)
    if (running) return running
    const scan = this.#scanPage(page, near).finally(() => this.#running.delete(page))
    this.#running.set(page, scan)
    return scan
  }

  async #scanPage(page: Page, near: string | undefined): Promise<void> {
    const kept = copyTally(page)
    page.late = []
    try {
      const bounds = { from: page.first, to: this.#pages.end(page) }
      const parts = await cutPages(this.#scan(bounds), page.first, this.#pages.salt, near)
      const counted = emptyTally()
      for (const part of parts) addTally(counted, part)
      if (!sameTally(kept, counted)) throw disagreement([page.first])
      this.#pages.replace(page, parts)
    } finally {
      page.late = undefined
    }
  }
}

/** Entries in order as pages, the first beginning at `first`; the seam before `near`, or where a page ends before it. */
export async function cutPages(
  rows: AsyncIterable<readonly [string, Entry]>,
  first: string,
  salt: Uint8Array,
  near?: string,
): Promise<Page[]> {
  let page = newPage(first)
  const pages = [page]
  for await (const row of rows) {
    const print = printOf(row)
    if (print.id !== first && isBorder(salt, print.id)) {
      page = newPage(print.id)
      pages.push(page)
    }
    addPrint(page, print)
    const isBehind =
      near !== undefined && compareUtf8(page.first, near) < 0 && compareUtf8(print.id, near) >= 0
    const { at, next = print.id, behind } = page.seam!
    if (isBehind) addPrint(behind, print)
    page.seam = isBehind ? { at, next, behind } : { at: print.id, next: undefined, behind }
  }
  return pages
}
