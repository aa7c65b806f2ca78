import { compareBytes } from '../bytes/compare.js'
import { crc32 } from '../bytes/hash.js'
import { ShardCorruptError, StorageError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import { FRAME_HEADER_BYTES, SEGMENT_HEADER_BYTES } from './segment.js'
import type { StoredShard } from './span-table.js'

/**
 * A disk may fail, fall short or slip a bit now and get it right the next time: what is wrong is read again, so often.
 * Only the same wrong bytes twice are what stands there.
 */
const READS = 5
/** What a failing disk cannot read is a sector, or a few. */
const SECTOR_BYTES = 4_096

/** A part of a file. */
export interface FilePart {
  readonly name: string
  readonly offset: number
  readonly length: number
}

/**
 * What `parse` makes of part of a file: of the first bytes that are whole, or that came twice. Sectors that the disk
 * refuses each time are zeros, unless it refuses all of them.
 * @throws StorageError
 */
export async function readPatiently<T>(
  storage: Storage,
  part: FilePart,
  parse: (bytes: Uint8Array) => T,
  isWhole: (parsed: T) => boolean,
): Promise<T> {
  let before: Uint8Array | undefined
  for (let turn = 1; ; turn++) {
    const bytes = await readSectors(storage, part)
    const parsed = parse(bytes)
    // Less than there is may end where a whole would.
    if ((bytes.length === part.length && isWhole(parsed)) || turn === READS) return parsed
    if (before !== undefined && compareBytes(bytes, before) === 0) return parsed
    before = bytes
  }
}

/**
 * The bytes of a shard, with the right checksum.
 * @throws ShardCorruptError when it stands there wrong, or its file is gone; StorageError when that cannot be told
 */
export async function readShardBytes(storage: Storage, stored: StoredShard): Promise<Uint8Array> {
  const { segment, offset, firstSeq, length, shardCrc } = stored
  let before: { readonly length: number; readonly crc: number } | undefined
  let refusal: StorageError | undefined
  for (let turn = 0; turn < READS; turn++) {
    try {
      const bytes = await storage.read(segment, offset + FRAME_HEADER_BYTES, length)
      const crc = crc32(bytes)
      if (bytes.length === length && crc === shardCrc) return bytes
      if (before?.length === bytes.length && before.crc === crc)
        throw new ShardCorruptError(
          firstSeq,
          bytes.length < length ? `${segment} ends within it` : `its checksum in ${segment} differs`,
        )
      before = { length: bytes.length, crc }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      refusal = error
    }
  }
  if (refusal === undefined) throw new StorageError(segment, 'read the same twice from')
  if (await isGone(storage, segment)) throw new ShardCorruptError(firstSeq, `${segment} is missing`)
  throw refusal
}

/** Whether only a part of the segment cannot be read: then it is not the disk that was taken away. */
export async function isReadable(storage: Storage, segment: string): Promise<boolean> {
  const length = (await storage.list()).find(({ name }) => name === segment)?.length ?? 0
  // A sector that fails may be the first.
  for (const offset of [0, length - SEGMENT_HEADER_BYTES]) {
    try {
      const { length: given } = await storage.read(segment, Math.max(0, offset), SEGMENT_HEADER_BYTES)
      if (given === SEGMENT_HEADER_BYTES) return true
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
    }
  }
  return false
}

/** Not so when the whole folder is: a disk that was taken away comes back. */
async function isGone(storage: Storage, segment: string): Promise<boolean> {
  const files = (await storage.list()).map(({ name }) => name)
  return !files.includes(segment) && files.some((name) => name.startsWith('manifest'))
}

async function readSectors(storage: Storage, part: FilePart): Promise<Uint8Array> {
  const whole = await readAgain(storage, part)
  if (!(whole instanceof StorageError)) return whole
  const bytes = new Uint8Array(part.length)
  let readable = false
  for (let start = 0; start < part.length; start += SECTOR_BYTES) {
    const length = Math.min(SECTOR_BYTES, part.length - start)
    const sector = await readAgain(storage, { name: part.name, offset: part.offset + start, length })
    if (sector instanceof StorageError) continue
    readable = true
    bytes.set(sector, start)
  }
  if (!readable) throw whole
  return bytes
}

async function readAgain(
  storage: Storage,
  { name, offset, length }: FilePart,
): Promise<Uint8Array | StorageError> {
  for (let turn = 1; ; turn++) {
    try {
      return await storage.read(name, offset, length)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (turn === READS) return error
    }
  }
}
