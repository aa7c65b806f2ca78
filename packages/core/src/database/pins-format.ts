import { ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import { compareUtf8 } from '../bytes/compare.js'
import { crc32 } from '../bytes/hash.js'
import { fromHex, toHex } from '../bytes/hex.js'
import { FormatUnknownError } from '../errors.js'

/**
 * A file of pinned ids, format 1, big-endian. Full format: docs/formats/pins.md.
 *
 *   offset  size  field
 *   0       4     magic     "MYPN"
 *   4       1     format    1
 *   5       1     number    which of the files this is, 0 to 63: the low bits of the CRC-32 of the ids in it
 *   6       16    database  its id
 *   22      4     count     of ids
 *   26      ...   ids       length (varint) and UTF-8 of each, in order of their bytes
 *   end     4     CRC-32 of all bytes before
 */
const MAGIC = 0x4d59_504e
const FORMAT = 1
const CHECKSUM_BYTES = 4
const FORMAT_OFFSET = 4
const NAME = /^pins-([0-9]{2})$/

/** In so many files the pins of a database are kept, so that one more does not write all of them again. */
export const PIN_FILES = 64

export function pinsFileName(number: number): string {
  return `pins-${String(number).padStart(2, '0')}`
}

/** The number of a file of pins; undefined for any other name. */
export function pinsFileNumber(name: string): number | undefined {
  const number = Number(NAME.exec(name)?.[1])
  return number < PIN_FILES ? number : undefined
}

const encoder = new TextEncoder()

/** Which file an id belongs into. */
export function pinsFileOf(id: string): number {
  return crc32(encoder.encode(id)) % PIN_FILES
}

export function encodePins(database: string, number: number, ids: Iterable<string>): Uint8Array {
  const sorted = [...ids].sort(compareUtf8)
  const writer = new ByteWriter(1_024)
  writer.u32(MAGIC)
  writer.u8(FORMAT)
  writer.u8(number)
  writer.raw(fromHex(database))
  writer.u32(sorted.length)
  for (const id of sorted) writer.text(id)
  const bytes = writer.finish()
  const whole = new Uint8Array(bytes.length + CHECKSUM_BYTES)
  whole.set(bytes)
  new DataView(whole.buffer).setUint32(bytes.length, crc32(bytes))
  return whole
}

/**
 * The ids in a file; undefined when it is damaged, or is not this file of this database.
 * @throws FormatUnknownError when it is whole, and newer
 */
export function decodePins(bytes: Uint8Array, database: string, number: number): string[] | undefined {
  const end = bytes.length - CHECKSUM_BYTES
  if (end <= FORMAT_OFFSET) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.getUint32(end) !== crc32(bytes.subarray(0, end)) || view.getUint32(0) !== MAGIC) return undefined
  const format = view.getUint8(FORMAT_OFFSET)
  if (format > FORMAT) throw new FormatUnknownError(pinsFileName(number), format, FORMAT)
  try {
    const reader = new ByteReader(bytes.subarray(0, end))
    reader.raw(FORMAT_OFFSET + 1)
    if (reader.u8() !== number || toHex(reader.raw(16)) !== database) return undefined
    const ids: string[] = []
    for (let left = reader.u32(); left > 0; left--) ids.push(reader.text())
    reader.end()
    return ids
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined
    throw error
  }
}
