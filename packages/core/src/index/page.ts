import { ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import { emptyTally, type Print, type Tally } from './tally.js'

/**
 * A run of ids with their count and sum, from `first` to the next page's. In the store, under `04` and `first`:
 *
 *   size    field
 *   1       flags: 1 holds ids at which pages begin, not cut there yet; others are refused
 *   varint  ids
 *   varint  highest seq of a change, or more
 *   32      sum of the fingerprints mod 2^256, big-endian
 */
export interface Page extends Tally {
  /** The id at which it begins; '' for the first page. */
  readonly first: string
  /** Whether it holds ids at which pages begin and was not cut there yet. */
  uncut: boolean
  /** Whether its entries were found to agree with count and sum, or it was made, since the index was opened. */
  checked: boolean
  seam: Seam | undefined
  /** Changes since a scan of it began, which will replace it; undefined when there is none. */
  late: Print[] | undefined
}

/**
 * A place between two neighbouring ids of a page with the tally of all that lies behind it. Ids that arrive in order,
 * each stream of them at its own place, arrive at a seam: a page that begins there is cut off without a scan.
 */
export interface Seam {
  /** The id before it. */
  at: string
  /** The id behind it; undefined at the end of the page. */
  readonly next: string | undefined
  readonly behind: Tally
}

const UNCUT = 1

export function newPage(first: string): Page {
  const seam = { at: first, next: undefined, behind: emptyTally() }
  return { ...emptyTally(), first, uncut: false, checked: true, seam, late: undefined }
}

const writer = new ByteWriter()

/** The bytes of a page, as in its table. */
export function encodePage(page: Page): Uint8Array {
  writer.clear()
  writer.u8(page.uncut ? UNCUT : 0)
  writer.varint(page.ids)
  writer.varint(page.seq)
  writer.raw(page.sum)
  return writer.finish()
}

/** @throws MalformedBytes */
export function decodePage(first: string, bytes: Uint8Array): Page {
  const reader = new ByteReader(bytes)
  const flags = reader.u8()
  if ((flags & ~UNCUT) !== 0) throw new MalformedBytes(`page flags ${flags}`)
  const page: Page = {
    first,
    uncut: flags === UNCUT,
    ids: reader.varint(),
    seq: reader.varint(),
    sum: reader.raw(32).slice(),
    checked: false,
    seam: undefined,
    late: undefined,
  }
  reader.end()
  return page
}
