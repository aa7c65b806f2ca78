import { ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import { compareBytes } from '../bytes/compare.js'
import { crc32 } from '../bytes/hash.js'
import { limits } from '../limits.js'
import { unlessMalformed } from './malformed.js'

/**
 * A commit group in a hot file, version 1, big-endian. Full format: docs/formats/log.md.
 *
 *   offset  size  field
 *   0       4     magic       "MYGR"
 *   4       8     salt        the file's
 *   12      8     firstSeq    of the first record; in an empty group the seq that comes next
 *   20      4     count       records; 0 in an empty group, which only moves `synced`
 *   24      4     length      of the payload
 *   28      4     payloadCrc  CRC-32 of the payload
 *   32      4     previous    checksum of the previous group's header, or of the file's
 *   36      8     synced      the last seq known to be fsynced when this was written
 *   44      4     checksum    CRC-32 of bytes 0 to 43
 *   48            payload     a block of the records (docs/formats/shard.md)
 */
export interface GroupHeader {
  readonly firstSeq: number
  readonly count: number
  readonly payloadBytes: number
  readonly payloadCrc: number
  readonly previous: number
  readonly synced: number
  readonly checksum: number
}

export const GROUP_HEADER_BYTES = 48
export const SALT_BYTES = 8
const MAGIC = Uint8Array.of(0x4d, 0x59, 0x47, 0x52)
const CHECKSUM_OFFSET = GROUP_HEADER_BYTES - 4

export interface GroupSource {
  readonly salt: Uint8Array
  readonly firstSeq: number
  readonly count: number
  readonly payload: Uint8Array
  readonly previous: number
  readonly synced: number
}

/** Header and payload in one piece, and the header's checksum, to which the next group chains. */
export function encodeGroup(group: GroupSource): { readonly bytes: Uint8Array; readonly checksum: number } {
  const writer = new ByteWriter(GROUP_HEADER_BYTES + group.payload.length)
  writer.raw(MAGIC)
  writer.raw(group.salt)
  writer.u64(group.firstSeq)
  writer.u32(group.count)
  writer.u32(group.payload.length)
  writer.u32(crc32(group.payload))
  writer.u32(group.previous)
  writer.u64(group.synced)
  const checksum = crc32(writer.view())
  writer.u32(checksum)
  writer.raw(group.payload)
  return { bytes: writer.view(), checksum }
}

/** The header at the offset; undefined where there is none of this salt (of any, where `salt` is undefined). */
export function decodeGroupHeader(
  bytes: Uint8Array,
  offset: number,
  salt: Uint8Array | undefined,
): GroupHeader | undefined {
  const header = bytes.subarray(offset, offset + GROUP_HEADER_BYTES)
  if (header.length < GROUP_HEADER_BYTES || compareBytes(header.subarray(0, 4), MAGIC) !== 0) return undefined
  if (salt !== undefined && compareBytes(saltAt(bytes, offset), salt) !== 0) return undefined
  const expected = new ByteReader(header.subarray(CHECKSUM_OFFSET)).u32()
  if (crc32(header.subarray(0, CHECKSUM_OFFSET)) !== expected) return undefined
  return unlessMalformed(() => readHeader(new ByteReader(header)))
}

function readHeader(reader: ByteReader): GroupHeader {
  reader.raw(MAGIC.length + SALT_BYTES)
  const header = {
    firstSeq: reader.u64(),
    count: reader.u32(),
    payloadBytes: reader.u32(),
    payloadCrc: reader.u32(),
    previous: reader.u32(),
    synced: reader.u64(),
    checksum: reader.u32(),
  }
  if (header.count > limits.blockRecords || header.payloadBytes > limits.blockBytes)
    throw new MalformedBytes('a group past the limits')
  return header
}

/** The salt that the group at the offset carries. */
export function saltAt(bytes: Uint8Array, offset: number): Uint8Array {
  return bytes.subarray(offset + 4, offset + 4 + SALT_BYTES)
}

/** The next offset at or after `from` where a group may begin; undefined when there is none. */
export function findGroup(bytes: Uint8Array, from: number): number | undefined {
  for (
    let offset = bytes.indexOf(MAGIC[0]!, from);
    offset >= 0;
    offset = bytes.indexOf(MAGIC[0]!, offset + 1)
  )
    if (compareBytes(bytes.subarray(offset, offset + 4), MAGIC) === 0) return offset
  return undefined
}
