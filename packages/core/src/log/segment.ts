import { ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import { compareBytes } from '../bytes/compare.js'
import { crc32 } from '../bytes/hash.js'
import { fromHex, toHex } from '../bytes/hex.js'
import { FormatUnknownError } from '../errors.js'
import { limits } from '../limits.js'
import { SALT_BYTES } from './group.js'
import { unlessMalformed } from './malformed.js'

/**
 * A segment file, version 1, big-endian: a header, frames with a shard each, and, when closed, a footer with the table
 * of the frames and a trailer that is read from the end. Full format: docs/formats/log.md.
 *
 *   header, 36 bytes                          frame, 44 bytes, then the shard
 *   0   4   magic     "MYSG"                  0   4  magic     "MYFR"
 *   4   2   version   1                       4   8  salt      the file's
 *   6   2   reserved  zero                    12  8  firstSeq
 *   8   16  database  its id                  20  4  span      seqs that it covers
 *   24  8   salt      random                  24  4  count     records in it
 *   32  4   checksum  CRC-32 of 0 to 31       28  4  length    of the shard
 *                                             32  4  rawBytes  of the shard when decoded
 *                                             36  4  shardCrc  CRC-32 of the shard
 *                                             40  4  checksum  CRC-32 of 0 to 39
 *
 *   table, 36 bytes for each frame            trailer, 32 bytes
 *   0   8  offset     of the frame            0   4  magic     "MYSE"
 *   8   28            bytes 12 to 39 of it    4   8  salt      the file's
 *                                             12  8  table     its offset
 *                                             20  4  count     of frames
 *                                             24  4  tableCrc  CRC-32 of the table
 *                                             28  4  checksum  CRC-32 of 0 to 27
 */
export interface Frame {
  readonly firstSeq: number
  /** Seqs covered; the records in the shard may be fewer. */
  readonly span: number
  readonly count: number
  /** Bytes of the shard. */
  readonly length: number
  /** Bytes of the shard when decoded. */
  readonly rawBytes: number
  readonly shardCrc: number
}

/** A frame, and where its header stands in the file; the shard is right behind it. */
export interface PlacedFrame extends Frame {
  readonly offset: number
}

export const SEGMENT_HEADER_BYTES = 36
export const FRAME_HEADER_BYTES = 44
export const TRAILER_BYTES = 32
const ENTRY_BYTES = 36
/** More than any shard's header takes. */
const SHARD_HEADER_BYTES_MAX = 1_024
const VERSION = 1
const HEADER_MAGIC = Uint8Array.of(0x4d, 0x59, 0x53, 0x47)
const FRAME_MAGIC = Uint8Array.of(0x4d, 0x59, 0x46, 0x52)
const TRAILER_MAGIC = Uint8Array.of(0x4d, 0x59, 0x53, 0x45)

export interface SegmentHeader {
  readonly database: string
  readonly salt: Uint8Array
}

export function encodeSegmentHeader({ database, salt }: SegmentHeader): Uint8Array {
  const writer = new ByteWriter(SEGMENT_HEADER_BYTES)
  writer.raw(HEADER_MAGIC)
  writer.u16(VERSION)
  writer.u16(0)
  writer.raw(fromHex(database))
  writer.raw(salt)
  writer.u32(crc32(writer.view()))
  return writer.view()
}

/** Undefined where it is damaged. @throws FormatUnknownError when it is whole, and newer */
export function decodeSegmentHeader(file: string, bytes: Uint8Array): SegmentHeader | undefined {
  const reader = checked(bytes, 0, SEGMENT_HEADER_BYTES, HEADER_MAGIC)
  if (reader === undefined) return undefined
  const version = reader.u16()
  if (version !== VERSION) throw new FormatUnknownError(file, version, VERSION)
  reader.raw(2)
  return { database: toHex(reader.raw(16)), salt: reader.raw(SALT_BYTES).slice() }
}

/** The frame's header and the shard behind it, at the writer's end. */
export function writeFrame(writer: ByteWriter, salt: Uint8Array, frame: Frame, shard: Uint8Array): void {
  const start = writer.length
  writer.raw(FRAME_MAGIC)
  writer.raw(salt)
  writeFields(writer, frame)
  writer.u32(crc32(writer.view().subarray(start)))
  writer.raw(shard)
}

/** The header of a frame; undefined where there is none of this salt (of any, where `salt` is undefined). */
export function decodeFrame(
  bytes: Uint8Array,
  offset: number,
  salt: Uint8Array | undefined,
): Frame | undefined {
  const reader = checked(bytes, offset, FRAME_HEADER_BYTES, FRAME_MAGIC)
  const found = reader?.raw(SALT_BYTES)
  if (reader === undefined || found === undefined) return undefined
  if (salt !== undefined && compareBytes(found, salt) !== 0) return undefined
  return unlessMalformed(() => readFields(reader))
}

export function encodeFooter(salt: Uint8Array, offset: number, frames: readonly PlacedFrame[]): Uint8Array {
  const writer = new ByteWriter(frames.length * ENTRY_BYTES + TRAILER_BYTES)
  for (const frame of frames) {
    writer.u64(frame.offset)
    writeFields(writer, frame)
  }
  const tableCrc = crc32(writer.view())
  const start = writer.length
  writer.raw(TRAILER_MAGIC)
  writer.raw(salt)
  writer.u64(offset)
  writer.u32(frames.length)
  writer.u32(tableCrc)
  writer.u32(crc32(writer.view().subarray(start)))
  return writer.view()
}

export interface Trailer {
  readonly salt: Uint8Array
  /** Offset of the table in the file; it ends where the trailer begins. */
  readonly table: number
  readonly count: number
  readonly tableCrc: number
}

/** @param bytes the last `TRAILER_BYTES` of a file */
export function decodeTrailer(bytes: Uint8Array, fileLength: number): Trailer | undefined {
  const reader = checked(bytes, 0, TRAILER_BYTES, TRAILER_MAGIC)
  if (reader === undefined) return undefined
  return unlessMalformed(() => {
    const salt = reader.raw(SALT_BYTES).slice()
    const trailer = { salt, table: reader.u64(), count: reader.u32(), tableCrc: reader.u32() }
    if (trailer.table + trailer.count * ENTRY_BYTES + TRAILER_BYTES !== fileLength)
      throw new MalformedBytes('a table of another size')
    return trailer
  })
}

/** The table that a trailer describes; undefined where it is damaged. */
export function decodeTable(bytes: Uint8Array, trailer: Trailer): readonly PlacedFrame[] | undefined {
  if (bytes.length !== trailer.count * ENTRY_BYTES || crc32(bytes) !== trailer.tableCrc) return undefined
  return unlessMalformed(() => {
    const reader = new ByteReader(bytes)
    return Array.from({ length: trailer.count }, () => {
      const frame = { offset: reader.u64(), ...readFields(reader) }
      if (frame.offset + FRAME_HEADER_BYTES + frame.length > trailer.table)
        throw new MalformedBytes('a frame outside of the file')
      return frame
    })
  })
}

/** The next offset at or after `from` where a frame may begin; undefined when there is none. */
export function findFrame(bytes: Uint8Array, from: number): number | undefined {
  const first = FRAME_MAGIC[0]!
  for (let offset = bytes.indexOf(first, from); offset >= 0; offset = bytes.indexOf(first, offset + 1))
    if (compareBytes(bytes.subarray(offset, offset + 4), FRAME_MAGIC) === 0) return offset
  return undefined
}

/** The salt that the frame at the offset carries. */
export function frameSaltAt(bytes: Uint8Array, offset: number): Uint8Array {
  return bytes.slice(offset + 4, offset + 4 + SALT_BYTES)
}

function writeFields(writer: ByteWriter, frame: Frame): void {
  writer.u64(frame.firstSeq)
  writer.u32(frame.span)
  writer.u32(frame.count)
  writer.u32(frame.length)
  writer.u32(frame.rawBytes)
  writer.u32(frame.shardCrc)
}

function readFields(reader: ByteReader): Frame {
  const frame = {
    firstSeq: reader.u64(),
    span: reader.u32(),
    count: reader.u32(),
    length: reader.u32(),
    rawBytes: reader.u32(),
    shardCrc: reader.u32(),
  }
  const { firstSeq, span, count } = frame
  if (firstSeq < 1 || span < 1 || count > span || !Number.isSafeInteger(firstSeq + span) || tooLong(frame))
    throw new MalformedBytes('a frame that cannot be')
  return frame
}

function tooLong({ length, rawBytes }: Frame): boolean {
  return length > limits.blockBytes + SHARD_HEADER_BYTES_MAX || rawBytes > limits.blockBytes
}

/** A reader behind the magic, where magic and checksum (the last four bytes) fit. */
function checked(
  bytes: Uint8Array,
  offset: number,
  length: number,
  magic: Uint8Array,
): ByteReader | undefined {
  const part = bytes.subarray(offset, offset + length)
  if (part.length < length || compareBytes(part.subarray(0, magic.length), magic) !== 0) return undefined
  const checksum = new ByteReader(part.subarray(length - 4)).u32()
  if (crc32(part.subarray(0, length - 4)) !== checksum) return undefined
  return new ByteReader(part.subarray(magic.length))
}
