import { compareUtf8 } from '../bytes/compare.js'
import { isBorder } from './border.js'
import { newPage, type Page, type Seam } from './page.js'
import { addPrint, addTally, copyTally, emptyTally, type Print, subtractTally, type Tally } from './tally.js'

/** Pages under one sum of the level above. */
const BLOCK_PAGES = 128

/** Consecutive pages and, when it was asked for since they changed, their sum. */
interface Block {
  readonly pages: Page[]
  total: Tally | undefined
}

/**
 * All pages in order, in RAM, some 150 bytes each, with a level of sums above them. Follows every change at once.
 *
 * A page begins at '' and at each id that is a border. An id that arrives at its page's seam cuts it there at once;
 * elsewhere the page stays in one, marked as uncut, until a scan of it finds where the ids lie: what many inserts out
 * of order would pay over and over is paid once, by whoever first needs it.
 */
export class PageTable {
  readonly salt: Uint8Array
  readonly #blocks: Block[] = []
  /** Pages that differ from what was written last. */
  #touched = new Set<Page>()
  /** The page that changed last, its block and its end: the next change is often there. */
  #last: { readonly page: Page; readonly block: Block; readonly end: string | undefined } | undefined

  /** `pages` in order, the first of them beginning at ''; none: a page without ids. */
  constructor(salt: Uint8Array, pages: readonly Page[]) {
    this.salt = salt
    const all = pages.length === 0 ? [newPage('')] : pages
    for (let i = 0; i < all.length; i += BLOCK_PAGES) {
      this.#blocks.push({ pages: all.slice(i, i + BLOCK_PAGES), total: undefined })
    }
  }

  /** Whether there is something to write. */
  get dirty(): boolean {
    return this.#touched.size > 0
  }

  /** The pages that are to be written, which then count as written. */
  takeTouched(): Set<Page> {
    const touched = this.#touched
    this.#touched = new Set()
    return touched
  }

  /** Marks pages as not written, by the ids at which they begin. */
  touch(firsts: Iterable<string>): void {
    for (const first of firsts) this.#touched.add(this.find(first))
  }

  /** The page that an id lies in, or would. */
  find(id: string): Page {
    return this.#locate(id).page
  }

  /** All pages that hold, or would hold, ids from `from` to before `to`, in order; also while they change. */
  *between(from = '', to?: string): Generator<Page> {
    for (let page: Page | undefined = this.find(from); page; page = this.#after(page)) {
      if (to !== undefined && compareUtf8(page.first, to) >= 0) return
      yield page
    }
  }

  /** The first page of ids from `from` to before `to` of which something may have changed after `since`. */
  nextChanged(since: number, from: string, to?: string): Page | undefined {
    const { page, block } = this.#locate(from)
    let at = block.pages.indexOf(page)
    for (let i = this.#blocks.indexOf(block); i < this.#blocks.length; i++, at = 0) {
      const { pages } = this.#blocks[i]!
      if (to !== undefined && compareUtf8(pages[at]!.first, to) >= 0) return undefined
      if (at === 0 && totalOf(this.#blocks[i]!).seq <= since) continue
      for (const one of pages.slice(at)) {
        if (to !== undefined && compareUtf8(one.first, to) >= 0) return undefined
        if (one.seq > since) return one
      }
    }
    return undefined
  }

  /** Where the page ends: before this id; undefined at the end of all. */
  end(page: Page): string | undefined {
    return this.#locate(page.first).end
  }

  /** Takes a change into the page that it concerns. */
  change(print: Print): void {
    const { id } = print
    const { page, block } = this.#locate(id)
    block.total = undefined
    page.late?.push(print)
    this.#touched.add(page)
    addPrint(page, print)
    if (print.before !== undefined) {
      if (page.seam && isBehind(id, page.seam)) addPrint(page.seam.behind, print)
    } else this.#place(page, print)
  }

  /** Puts a new id on its side of the page's seam, or cuts the page there. */
  #place(page: Page, print: Print): void {
    const { id } = print
    const { seam } = page
    const isPageStart = isBorder(this.salt, id)
    const behind = seam !== undefined && isBehind(id, seam)
    const atSeam = seam !== undefined && !behind && compareUtf8(id, seam.at) > 0
    if (isPageStart && atSeam && !page.late) return this.#cutAtSeam(page, print)
    page.uncut ||= isPageStart
    if (behind) addPrint(seam.behind, print)
    else if (atSeam) seam.at = id
  }

  /** A scan of a page ended: puts what it found in its place, then what changed meanwhile. */
  replace(page: Page, parts: readonly Page[]): void {
    const late = page.late ?? []
    const { block } = this.#locate(page.first)
    block.pages.splice(block.pages.indexOf(page), 1)
    this.#touched.delete(page)
    for (const part of parts) this.#insert(block, part)
    this.#settleBlock(block)
    for (const print of late) this.change(print)
  }

  /** What lies in pages that are wholly within `from` to before `to`, `from` coming first. */
  inner(from: string, to: string | undefined): Tally {
    const whole = emptyTally()
    const left = this.#locate(from)
    const start = left.page.first === from ? from : left.end
    if (start !== undefined) this.#addWhole(whole, start, to === undefined ? undefined : this.find(to).first)
    return whole
  }

  /** Adds up the pages from the one that begins at `from` to before the one that begins at `to`. */
  #addWhole(whole: Tally, from: string, to: string | undefined): void {
    const inside = (page: Page) =>
      compareUtf8(page.first, from) >= 0 && (to === undefined || compareUtf8(page.first, to) < 0)
    for (let at = this.#blockAt(from); at < this.#blocks.length; at++) {
      const block = this.#blocks[at]!
      const { pages } = block
      if (to !== undefined && compareUtf8(pages[0]!.first, to) >= 0) return
      if (inside(pages[0]!) && inside(pages.at(-1)!)) addTally(whole, totalOf(block))
      else for (const page of pages) if (inside(page)) addTally(whole, page)
    }
  }

  #cutAtSeam(page: Page, print: Print): void {
    const { behind, next } = page.seam!
    const { block } = this.#locate(page.first)
    const cut: Page = {
      ...copyTally(behind),
      first: print.id,
      uncut: page.uncut && behind.ids > 0,
      checked: page.checked,
      seam: { at: print.id, next, behind },
      late: undefined,
    }
    addPrint(cut, print)
    subtractTally(page, cut)
    page.seam = undefined
    this.#insert(block, cut)
    this.#settleBlock(block)
  }

  #insert(block: Block, page: Page): void {
    const { pages } = block
    let at = pages.length
    while (at > 0 && compareUtf8(pages[at - 1]!.first, page.first) > 0) at -= 1
    pages.splice(at, 0, page)
    this.#touched.add(page)
  }

  /** Cuts a block that has grown too long; forgets what was remembered of it. */
  #settleBlock(block: Block): void {
    block.total = undefined
    this.#last = undefined
    while (block.pages.length > 2 * BLOCK_PAGES) {
      const pages = block.pages.splice(-BLOCK_PAGES)
      this.#blocks.splice(this.#blocks.indexOf(block) + 1, 0, { pages, total: undefined })
    }
  }

  #after(page: Page): Page | undefined {
    const end = this.end(page)
    return end === undefined ? undefined : this.find(end)
  }

  #blockAt(id: string): number {
    return lastUpTo(this.#blocks, id, ({ pages }) => pages[0]!.first)
  }

  #locate(id: string): { readonly page: Page; readonly block: Block; readonly end: string | undefined } {
    const last = this.#last
    if (
      last &&
      compareUtf8(last.page.first, id) <= 0 &&
      (last.end === undefined || compareUtf8(id, last.end) < 0)
    )
      return last
    const at = this.#blockAt(id)
    const block = this.#blocks[at]!
    const inBlock = lastUpTo(block.pages, id, (page) => page.first)
    const end = block.pages[inBlock + 1]?.first ?? this.#blocks[at + 1]?.pages[0]?.first
    this.#last = { page: block.pages[inBlock]!, block, end }
    return this.#last
  }
}

function isBehind(id: string, { next }: Seam): boolean {
  return next !== undefined && compareUtf8(id, next) >= 0
}

function totalOf(block: Block): Tally {
  if (block.total === undefined) {
    block.total = emptyTally()
    for (const page of block.pages) addTally(block.total, page)
  }
  return block.total
}

/** The place of the last item whose name is not behind `id`; the first item's never is. */
function lastUpTo<T>(items: readonly T[], id: string, nameOf: (item: T) => string): number {
  let low = 0
  let high = items.length
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (compareUtf8(nameOf(items[middle]!), id) <= 0) low = middle
    else high = middle
  }
  return low
}
