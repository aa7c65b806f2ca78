import { ByteReader, MalformedBytes } from '../../bytes/byte-reader.js'
import { crc32c, masked } from './crc32c.js'
import { unsnap } from './snappy.js'

/** Where a block lies in a table; a trailer of its type and checksum follows it. */
export interface BlockHandle {
  readonly offset: number
  readonly size: number
}

/** Type (1 byte), masked CRC-32C of contents and type (4 bytes, little-endian). */
export const TRAILER_BYTES = 5

/** @throws MalformedBytes */
export function readHandle(reader: ByteReader): BlockHandle {
  return { offset: reader.varint(), size: reader.varint() }
}

/** Whether the block that begins at `from` in `bytes` matches the checksum behind it. */
export function isWhole(bytes: Uint8Array, from: number, size: number): boolean {
  const end = from + size + 1
  return littleEndian32(bytes, end) === masked(crc32c(bytes, from, end))
}

/** The contents of a block, given with its trailer, whose checksum fits. @throws MalformedBytes */
export function contentsOf(bytes: Uint8Array): Uint8Array {
  const size = bytes.length - TRAILER_BYTES
  const contents = bytes.subarray(0, size)
  if (bytes[size] === 0) return contents
  if (bytes[size] === 1) return unsnap(contents)
  throw new MalformedBytes('a block has an unknown type')
}

/**
 * The entries of a block, in order.
 *
 *   shared (varint), unshared (varint), value length (varint), rest of the key, value, …
 *   restarts (4 bytes each), their count (4 bytes), little-endian
 *
 * @throws MalformedBytes
 * @see https://github.com/google/leveldb/blob/main/doc/table_format.md and table/block_builder.cc
 */
export function* entriesOf(
  contents: Uint8Array,
): Generator<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
  const restarts = contents.length < 4 ? 0 : littleEndian32(contents, contents.length - 4)
  const end = contents.length - 4 - 4 * restarts
  if (end < 0) throw new MalformedBytes('a block is too short')
  const reader = new ByteReader(contents.subarray(0, end))
  let key: Uint8Array = new Uint8Array(0)
  while (reader.left > 0) {
    const shared = reader.varint()
    const unshared = reader.varint()
    const valueBytes = reader.varint()
    if (shared > key.length) throw new MalformedBytes('a key shares more than there is')
    const next = new Uint8Array(shared + Math.min(unshared, reader.left))
    next.set(key.subarray(0, shared))
    next.set(reader.raw(unshared), shared)
    key = next
    yield { key, value: reader.raw(valueBytes) }
  }
}

export function littleEndian32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true)
}
