import { littleEndian32 } from './block.js'
import { crc32c, masked } from './crc32c.js'
import type { LevelFile } from './files.js'

/** Records are cut at the borders of blocks of this length. */
const BLOCK_BYTES = 32 * 1024
/** Masked CRC-32C of type and data (4 bytes), length (2 bytes), type (1 byte), little-endian; the data follow. */
const HEADER_BYTES = 7
const FULL = 1
const FIRST = 2
const LAST = 4
/** Blocks read at once. */
const PIECE_BYTES = 8 * BLOCK_BYTES

interface Fragment {
  readonly type: number
  readonly data: Uint8Array
  readonly end: number
}

/** What stands in a log: whole records, and how it ends. */
export interface RecordLog {
  /** Of each record at most the first `keep` bytes. */
  readonly records: readonly Uint8Array[]
  /**
   * Undefined where every record is whole, but perhaps the last, which a crash may have torn: nothing whole begins
   * behind it. Else what is wrong.
   */
  readonly fault: string | undefined
}

/**
 * Reads a log of LevelDB's: of writes, or the manifest's of version edits.
 *
 * @param keep bytes of each record that the caller needs
 * @see https://github.com/google/leveldb/blob/main/doc/log_format.md
 */
export async function readRecordLog(file: LevelFile, keep: number): Promise<RecordLog> {
  const records: Uint8Array[] = []
  let parts: Uint8Array[] | undefined
  let torn = false
  let kept = 0
  for (let start = 0; start < file.length; start += PIECE_BYTES) {
    const piece = await file.read(start, PIECE_BYTES)
    for (let from = 0; from < piece.length; from += BLOCK_BYTES) {
      const block = piece.subarray(from, from + BLOCK_BYTES)
      for (let at = 0; at + HEADER_BYTES <= block.length; ) {
        const fragment = torn ? nextBeginning(block, at) : fragmentAt(block, at)
        if (fragment === undefined) {
          if (torn) break
          // Whatever is wrong: the end of what was written, if nothing that is whole begins behind it.
          torn = true
          at += 1
          continue
        }
        if (torn) return { records, fault: 'a record is damaged, and whole ones follow it' }
        const { type, data } = fragment
        const begins = type === FULL || type === FIRST
        if (begins !== (parts === undefined))
          return { records, fault: 'a record has no beginning, or no end' }
        if (begins) {
          parts = []
          kept = 0
        }
        if (kept < keep) parts!.push(data.slice(0, keep - kept))
        kept += data.length
        if (type === FULL || type === LAST) {
          records.push(joined(parts!))
          parts = undefined
        }
        at = fragment.end
      }
    }
  }
  return { records, fault: undefined }
}

/** The fragment at an offset of a block; undefined where none is whole. */
function fragmentAt(block: Uint8Array, at: number): Fragment | undefined {
  const length = block[at + 4]! | (block[at + 5]! << 8)
  const type = block[at + 6]!
  const end = at + HEADER_BYTES + length
  if (type < FULL || type > LAST || end > block.length) return undefined
  if (littleEndian32(block, at) !== masked(crc32c(block, at + 6, end))) return undefined
  return { type, data: block.subarray(at + HEADER_BYTES, end), end }
}

/** A whole fragment, at or behind an offset, that begins a record: of one that was torn only the rest may be there. */
function nextBeginning(block: Uint8Array, from: number): Fragment | undefined {
  for (let at = from; at + HEADER_BYTES <= block.length; at++) {
    const type = block[at + 6]!
    if (type !== FULL && type !== FIRST) continue
    const fragment = fragmentAt(block, at)
    if (fragment !== undefined) return fragment
  }
  return undefined
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
