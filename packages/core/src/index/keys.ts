import { ByteWriter } from '../bytes/byte-writer.js'

/**
 * The key space of the derived store. The first byte tells what follows:
 *
 *   0  'root'                      the watermark, counts and sum
 *   1  id                          the document's entry
 *   2  id, 0x00, seq (8 bytes)     a superseded revision and where its body is; ids hold no control characters
 *   3  name                        checkpoints and what is parked beside them
 *   4  id                          the page that begins at the id
 *   5  bucket (8 bytes)            how many bodies at its 4,096 seqs are no leaf's any more; none where that is 0
 *   6  seq (8 bytes)               the newest arrival time of a stretch of records that ends at the seq
 *   7  id                          nothing: the document has several live leaves
 *
 * Every value ends with the CRC-32 of key and value: 4 bytes, big-endian.
 */
const ENTRY = 1
const HISTORY = 2
const NOTE = 3
const PAGE = 4
const DEAD = 5
const MARK = 6
const CONFLICT = 7

export const rootKey: Uint8Array = Uint8Array.of(0, 0x72, 0x6f, 0x6f, 0x74)

export function entryKey(id: string): Uint8Array {
  return textKey(ENTRY, id)
}

export function writeEntryKey(writer: ByteWriter, id: string): void {
  writer.u8(ENTRY)
  writer.utf8(id)
}

export function writeHistoryKey(writer: ByteWriter, id: string, seq: number): void {
  writer.u8(HISTORY)
  writer.utf8(id)
  writer.u8(0)
  writer.u64(seq)
}

export function historyKey(id: string, seq: number): Uint8Array {
  const writer = new ByteWriter()
  writeHistoryKey(writer, id, seq)
  return writer.finish()
}

/** The seq, or the bucket, at the end of a key. */
export function numberAtEnd(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset + key.length - 8, 8)
  return view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4)
}

/** From the first history key of an id to the last; or to the last before a seq. */
export function historyRange(id: string, from = 0, before?: number): { gte: Uint8Array; lt: Uint8Array } {
  const gte = historyKey(id, from)
  if (before !== undefined) return { gte, lt: historyKey(id, before) }
  const lt = gte.slice(0, -8)
  lt[lt.length - 1] = 1
  return { gte, lt }
}

export function deadKey(bucket: number): Uint8Array {
  const writer = new ByteWriter(9)
  writer.u8(DEAD)
  writer.u64(bucket)
  return writer.finish()
}

/** All keys of buckets. */
export const deadBounds = { gte: Uint8Array.of(DEAD), lt: Uint8Array.of(DEAD + 1) } as const

export function noteKey(name: string): Uint8Array {
  return textKey(NOTE, name)
}

export function pageKey(first: string): Uint8Array {
  return textKey(PAGE, first)
}

export function markKey(seq: number): Uint8Array {
  const writer = new ByteWriter(9)
  writer.u8(MARK)
  writer.u64(seq)
  return writer.finish()
}

/** All mark keys. */
export const markBounds = { gte: Uint8Array.of(MARK), lt: Uint8Array.of(MARK + 1) } as const

export function conflictKey(id: string): Uint8Array {
  return textKey(CONFLICT, id)
}

/** All keys of documents with several live leaves. */
export const conflictBounds = { gte: Uint8Array.of(CONFLICT), lt: Uint8Array.of(CONFLICT + 1) } as const

/** All page keys. */
export const pageBounds = { gte: Uint8Array.of(PAGE), lt: Uint8Array.of(PAGE + 1) } as const

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The id of a key that is one but for the first byte. */
export function entryId(key: Uint8Array): string {
  return decoder.decode(key.subarray(1))
}

/** All entry keys. */
export const entryBounds = { gte: Uint8Array.of(ENTRY), lt: Uint8Array.of(ENTRY + 1) } as const

const keyWriter = new ByteWriter()

function textKey(space: number, text: string): Uint8Array {
  keyWriter.clear()
  keyWriter.u8(space)
  keyWriter.utf8(text)
  return keyWriter.finish()
}
