import { ByteReader } from '../bytes/byte-reader.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import { compareBytes } from '../bytes/compare.js'
import { crc32 } from '../bytes/hash.js'
import { fromHex, toHex } from '../bytes/hex.js'
import { FormatUnknownError } from '../errors.js'
import { openBlock } from './block.js'
import type { Suspect } from './finding.js'
import {
  decodeGroupHeader,
  findGroup,
  GROUP_HEADER_BYTES,
  type GroupHeader,
  SALT_BYTES,
  saltAt,
} from './group.js'
import { unlessMalformed } from './malformed.js'
import type { LogRecord } from './record.js'

/**
 * Header of a hot file, version 1, big-endian; commit groups follow. Full format: docs/formats/log.md.
 *
 *   offset  size  field
 *   0       4     magic                 "MYHF"
 *   4       2     version               1
 *   6       2     reserved              zero
 *   8       16    database              its id
 *   24      16    incarnation           the open that wrote this file
 *   40      8     salt                  random; carried by each group
 *   48      8     firstSeq              records of earlier files at or past it do not count
 *   56      8     predecessor           number of the file before; 0 for none
 *   64      8     predecessorLength     how much of it counts
 *   72      4     predecessorChecksum   of the last header in that part
 *   76      4     checksum              CRC-32 of bytes 0 to 75
 */
export interface HotHeader {
  readonly database: string
  readonly incarnation: string
  readonly salt: Uint8Array
  readonly firstSeq: number
  readonly predecessor: HotEnd | undefined
}

/** How far a hot file counts, and the checksum of the last header up to there. */
export interface HotEnd {
  readonly number: number
  readonly length: number
  readonly checksum: number
}

/** A hot file that is no longer written. */
export interface PastHotFile {
  readonly name: string
  /** The last seq in it that counts; below its first seq when there is none. */
  readonly lastSeq: number
  /** How much of it counts. */
  readonly counted: number
  /** With what does not count. */
  readonly length: number
}

export const HOT_HEADER_BYTES = 80
const MAGIC = Uint8Array.of(0x4d, 0x59, 0x48, 0x46)
const VERSION = 1
const CHECKSUM_OFFSET = HOT_HEADER_BYTES - 4

export function encodeHotHeader(header: HotHeader): {
  readonly bytes: Uint8Array
  readonly checksum: number
} {
  const writer = new ByteWriter(HOT_HEADER_BYTES)
  writer.raw(MAGIC)
  writer.u16(VERSION)
  writer.u16(0)
  writer.raw(fromHex(header.database))
  writer.raw(fromHex(header.incarnation))
  writer.raw(header.salt)
  writer.u64(header.firstSeq)
  writer.u64(header.predecessor?.number ?? 0)
  writer.u64(header.predecessor?.length ?? 0)
  writer.u32(header.predecessor?.checksum ?? 0)
  const checksum = crc32(writer.view())
  writer.u32(checksum)
  return { bytes: writer.view(), checksum }
}

/** Undefined where it is damaged. @throws FormatUnknownError when it is whole, and newer */
export function decodeHotHeader(
  file: string,
  bytes: Uint8Array,
): (HotHeader & { readonly checksum: number }) | undefined {
  const header = bytes.subarray(0, HOT_HEADER_BYTES)
  if (header.length < HOT_HEADER_BYTES || compareBytes(header.subarray(0, 4), MAGIC) !== 0) return undefined
  const checksum = crc32(header.subarray(0, CHECKSUM_OFFSET))
  if (new ByteReader(header.subarray(CHECKSUM_OFFSET)).u32() !== checksum) return undefined
  const reader = new ByteReader(header.subarray(4))
  const version = reader.u16()
  if (version !== VERSION) throw new FormatUnknownError(file, version, VERSION)
  return unlessMalformed(() => {
    reader.raw(2)
    const database = toHex(reader.raw(16))
    const incarnation = toHex(reader.raw(16))
    const salt = reader.raw(SALT_BYTES).slice()
    const firstSeq = reader.u64()
    const end = { number: reader.u64(), length: reader.u64(), checksum: reader.u32() }
    return {
      database,
      incarnation,
      salt,
      firstSeq,
      predecessor: end.number === 0 ? undefined : end,
      checksum,
    }
  })
}

/** A group that is whole. `end` is the offset behind it. */
export interface HotGroup {
  readonly firstSeq: number
  readonly records: readonly LogRecord[]
  readonly payload: Uint8Array
  readonly end: number
  readonly checksum: number
}

export interface HotContent {
  /** Undefined where it is damaged; the groups are found all the same. */
  readonly header: ReturnType<typeof decodeHotHeader>
  /** In order, with no seq twice. */
  readonly groups: readonly HotGroup[]
  /** Highest `synced` of any header found, also of groups whose payload is damaged. */
  readonly synced: number
  /** Where groups are damaged or missing: what a crash tears looks the same, so the seqs decide. */
  readonly suspects: readonly Suspect[]
}

/**
 * Reads all groups of a hot file that are whole, past any that are not.
 * @param bytes the file, up to where it counts
 */
export function readHotFile(file: string, bytes: Uint8Array): HotContent {
  const header = decodeHotHeader(file, bytes)
  const groups: HotGroup[] = []
  const suspects: Suspect[] = []
  let salt = header?.salt
  let synced = 0
  let next = header?.firstSeq ?? 0
  let previous = header?.checksum
  let fault: string | undefined
  let offset: number | undefined = header === undefined ? findGroup(bytes, 0) : HOT_HEADER_BYTES
  while (offset !== undefined && offset < bytes.length) {
    const head = decodeGroupHeader(bytes, offset, salt)
    const group = head === undefined || head.firstSeq < next ? undefined : readGroup(bytes, offset, head)
    if (head !== undefined) {
      salt ??= saltAt(bytes, offset).slice()
      synced = Math.max(synced, head.synced)
    }
    if (head === undefined || group === undefined) {
      fault ??= `the group at offset ${offset} is damaged`
      // A whole header is to be believed about its length, unless that leads out of the file.
      const end: number = head === undefined ? 0 : offset + GROUP_HEADER_BYTES + head.payloadBytes
      offset = end > bytes.length || end === 0 ? findGroup(bytes, offset + 1) : end
      continue
    }
    if (
      fault === undefined &&
      previous !== undefined &&
      (head.previous !== previous || head.firstSeq !== next)
    )
      fault = `groups are missing before offset ${offset}`
    if (fault !== undefined) suspects.push({ file, fault, firstSeq: next, lastSeq: head.firstSeq - 1 })
    groups.push(group)
    fault = undefined
    previous = head.checksum
    next = head.firstSeq + head.count
    offset = group.end
  }
  const unread = offset === undefined && fault === undefined && bytes.length > 0 ? 'it holds no group' : fault
  if (unread !== undefined)
    suspects.push({ file, fault: unread, firstSeq: next, lastSeq: Number.MAX_SAFE_INTEGER })
  return { header, groups, synced, suspects }
}

function readGroup(bytes: Uint8Array, offset: number, head: GroupHeader): HotGroup | undefined {
  const start = offset + GROUP_HEADER_BYTES
  const end = start + head.payloadBytes
  if (end > bytes.length) return undefined
  const payload = bytes.subarray(start, end)
  if (crc32(payload) !== head.payloadCrc) return undefined
  const records = head.count === 0 ? [] : unlessMalformed(() => readRecords(payload, head.count))
  if (records === undefined) return undefined
  return { firstSeq: head.firstSeq, records, payload, end, checksum: head.checksum }
}

function readRecords(payload: Uint8Array, count: number): readonly LogRecord[] | undefined {
  const block = openBlock(payload)
  if (block.count !== count || block.offsetAt(count - 1) !== count - 1) return undefined
  return Array.from({ length: count }, (_, index) => block.record(index))
}
