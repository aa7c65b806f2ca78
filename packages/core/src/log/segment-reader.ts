import { crc32 } from '../bytes/hash.js'
import type { Storage, StoredFile } from '../storage/storage.js'
import type { Finding, Suspect } from './finding.js'
import { UNKNOWN_SPAN } from './found-files.js'
import { readPatiently } from './patient-read.js'
import {
  decodeFrame,
  decodeSegmentHeader,
  decodeTable,
  decodeTrailer,
  FRAME_HEADER_BYTES,
  findFrame,
  frameSaltAt,
  type PlacedFrame,
  SEGMENT_HEADER_BYTES,
  TRAILER_BYTES,
} from './segment.js'

export interface SegmentContent {
  readonly name: string
  /** Of the file. */
  readonly length: number
  readonly salt: Uint8Array | undefined
  /** Of another database: nothing of it counts, and it is left alone. */
  readonly foreign: boolean
  /** In order of their place in the file. */
  readonly frames: readonly PlacedFrame[]
  /** The file ends with its last frame: more may be appended. */
  readonly clean: boolean
  readonly findings: readonly Finding[]
  readonly suspects: readonly Suspect[]
}

/**
 * Finds the frames of a segment: of a closed one by its footer, else by reading the file and checking each shard.
 * @throws FormatUnknownError, StorageError
 */
export async function readSegment(
  storage: Storage,
  file: StoredFile,
  options: { readonly closed: boolean; readonly database: string },
): Promise<SegmentContent> {
  const { name, length } = file
  const start = { name, offset: 0, length: Math.min(length, SEGMENT_HEADER_BYTES) }
  const header = await readPatiently(storage, start, (bytes) => decodeSegmentHeader(name, bytes), isThere)
  if (header !== undefined && header.database !== options.database)
    return foreign(file, `it belongs to the database ${header.database}`)
  const findings: Finding[] = header === undefined ? [{ file: name, fault: 'its header is damaged' }] : []
  if (options.closed) {
    const frames = await readFooter(storage, file)
    if (frames !== undefined)
      return {
        name,
        length,
        salt: header?.salt,
        foreign: false,
        frames,
        clean: false,
        findings,
        suspects: [],
      }
    findings.push({ file: name, fault: 'its footer is damaged' })
  }
  const scanned = await readPatiently(
    storage,
    { name, offset: 0, length },
    (bytes) => scanFrames(name, bytes, header?.salt),
    ({ clean }) => clean,
  )
  return { name, length, foreign: false, ...scanned, findings }
}

function foreign({ name, length }: StoredFile, fault: string): SegmentContent {
  const suspects = [{ file: name, fault, ...UNKNOWN_SPAN }]
  const findings = [{ file: name, fault }]
  return { name, length, salt: undefined, foreign: true, frames: [], clean: false, findings, suspects }
}

async function readFooter(storage: Storage, file: StoredFile): Promise<readonly PlacedFrame[] | undefined> {
  const { name } = file
  const start = file.length - TRAILER_BYTES
  if (start < 0) return undefined
  const end = { name, offset: start, length: TRAILER_BYTES }
  const trailer = await readPatiently(storage, end, (bytes) => decodeTrailer(bytes, file.length), isThere)
  if (trailer === undefined) return undefined
  const table = { name, offset: trailer.table, length: start - trailer.table }
  return readPatiently(storage, table, (bytes) => decodeTable(bytes, trailer), isThere)
}

function isThere(decoded: object | undefined): boolean {
  return decoded !== undefined
}

function scanFrames(
  file: string,
  bytes: Uint8Array,
  knownSalt: Uint8Array | undefined,
): Pick<SegmentContent, 'salt' | 'frames' | 'clean' | 'suspects'> {
  const frames: PlacedFrame[] = []
  const suspects: Suspect[] = []
  let salt = knownSalt
  let fault: string | undefined
  let offset: number | undefined = salt === undefined ? findFrame(bytes, 0) : SEGMENT_HEADER_BYTES
  while (offset !== undefined && offset < bytes.length) {
    const frame = decodeFrame(bytes, offset, salt)
    if (frame === undefined) {
      fault ??= `the frame at offset ${offset} is damaged`
      offset = findFrame(bytes, offset + 1)
      continue
    }
    salt ??= frameSaltAt(bytes, offset)
    const start: number = offset + FRAME_HEADER_BYTES
    const shard = bytes.subarray(start, start + frame.length)
    const lastSeq = frame.firstSeq + frame.span - 1
    if (shard.length === frame.length && crc32(shard) === frame.shardCrc) {
      frames.push({ ...frame, offset })
      offset = start + frame.length
    } else {
      const detail = `the shard at offset ${start} is damaged`
      suspects.push({ file, fault: detail, firstSeq: frame.firstSeq, lastSeq })
      // A whole header is to be believed about its length, unless that leads out of the file.
      offset = shard.length === frame.length ? start + frame.length : findFrame(bytes, start)
    }
  }
  // A lost header hides which seqs it had: whatever is missing may have been there.
  if (fault !== undefined) suspects.push({ file, fault, ...UNKNOWN_SPAN })
  const clean = fault === undefined && suspects.length === 0 && bytes.length >= SEGMENT_HEADER_BYTES
  return { salt, frames, clean, suspects }
}
