import { ByteReader } from '../bytes/byte-reader.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import { crc32 } from '../bytes/hash.js'
import { compress, decompress, type Effort } from '../codec/lzma.js'
import type { Env } from '../env/env.js'
import { FormatUnknownError, ShardCorruptError } from '../errors.js'
import { limits } from '../limits.js'
import { type Block, encodeBlock, openBlock } from './block.js'
import type { Sequenced } from './record.js'

/**
 * A shard, version 1: one block of records, compressed, that can be stored or sent as it is. Integers are big-endian.
 * Full format: docs/formats/shard.md.
 *
 *   offset  size  field
 *   0       4     magic        "MYSH"
 *   4       1     version      1
 *   5       1     codec        0 = none, 1 = .xz (LZMA2)
 *   6       2     reserved     zero; a reader refuses anything else
 *   8       4     span         seqs that it stands for: all records' offsets are below
 *   12      4     count        records, at most the span and 65,536
 *   16      4     storedBytes  after the header
 *   20      4     rawBytes     of the block when decoded; at most 64 MiB
 *   24      4     checksum     CRC-32 of the stored bytes
 *   28      4     checksum     CRC-32 of the 28 bytes before it, here in every version
 *   32            the block, encoded
 */
const MAGIC = 0x4d595348
const VERSION = 1
const CODEC = { none: 0, xz: 1 } as const
const UINT32_MAX = 0xffff_ffff

/** A block up to here is not compressed where it is to be fast: little or nothing would be saved, at two trips to another thread. */
const SMALL_BYTES = 1024

/** Bytes of a shard's header. */
export const shardHeaderBytes = 32

/** What a shard says of itself, checked against its own checksum and the limits, not against what follows it. */
export interface ShardHeader {
  readonly codec: 'none' | 'xz'
  readonly span: number
  readonly count: number
  /** Bytes after the header. */
  readonly storedBytes: number
  /** Bytes of the block, decoded. */
  readonly rawBytes: number
  /** CRC-32 of the stored bytes. */
  readonly checksum: number
}

/** A decoded shard. */
export interface Shard {
  readonly span: number
  readonly count: number
  /** What the block holds in memory, before anything is read from it. */
  readonly rawBytes: number
  readonly block: Block
}

/**
 * The bytes of a shard that stands for `span` seqs from `firstSeq`. Compresses off the event loop; the columns are made
 * on it, unless they are there already: `block` is that of these records from `firstSeq`.
 *
 * @throws RangeError for more records or bytes than `limits` allows, or seqs that do not rise within the span
 */
export async function encodeShard(
  records: readonly Sequenced[],
  firstSeq: number,
  span: number,
  options: { readonly env: Env; readonly effort: Effort; readonly block?: Uint8Array },
): Promise<Uint8Array> {
  const last = records.at(-1)
  if (!Number.isInteger(span) || span < 0 || span > UINT32_MAX) throw new RangeError(`A span of ${span}`)
  if (last !== undefined && last.seq - firstSeq >= span) throw new RangeError(`Seq ${last.seq} past the span`)
  const raw = options.block ?? encodeBlock(records, firstSeq)
  const isSmall = options.effort === 'fast' && raw.length <= SMALL_BYTES
  const compressed = isSmall ? raw : await options.env.offload(() => compress(raw, options))
  const helps = compressed.length < raw.length
  const stored = helps ? compressed : raw
  const writer = new ByteWriter(shardHeaderBytes + stored.length)
  writer.u32(MAGIC)
  writer.u8(VERSION)
  writer.u8(helps ? CODEC.xz : CODEC.none)
  writer.u16(0)
  writer.u32(span)
  writer.u32(records.length)
  writer.u32(stored.length)
  writer.u32(raw.length)
  writer.u32(crc32(stored))
  writer.u32(crc32(writer.view()))
  writer.raw(stored)
  return writer.finish()
}

/**
 * The header of the shard that begins with `bytes`; what follows it is not looked at. `firstSeq` is for the error only.
 *
 * @throws ShardCorruptError, FormatUnknownError for a newer version
 */
export function readShardHeader(bytes: Uint8Array, firstSeq = 0): ShardHeader {
  if (bytes.length < shardHeaderBytes) throw new ShardCorruptError(firstSeq, 'shorter than a header')
  const reader = new ByteReader(bytes.subarray(0, shardHeaderBytes))
  const magic = reader.u32()
  const version = reader.u8()
  const codec = reader.u8()
  const reserved = reader.u16()
  const header: ShardHeader = {
    codec: codec === CODEC.xz ? 'xz' : 'none',
    span: reader.u32(),
    count: reader.u32(),
    storedBytes: reader.u32(),
    rawBytes: reader.u32(),
    checksum: reader.u32(),
  }
  const corrupt = (detail: string) => new ShardCorruptError(firstSeq, detail)
  if (magic !== MAGIC) throw corrupt('not a shard')
  if (reader.u32() !== crc32(bytes.subarray(0, shardHeaderBytes - 4)))
    throw corrupt('wrong checksum of the header')
  if (version > VERSION) throw new FormatUnknownError(`The shard at seq ${firstSeq}`, version, VERSION)
  if (version !== VERSION || codec > CODEC.xz || reserved !== 0)
    throw corrupt('unknown version, codec or bits')
  if (header.count > header.span || header.count > limits.blockRecords)
    throw corrupt(`${header.count} records`)
  if (header.rawBytes > limits.blockBytes || header.storedBytes > header.rawBytes)
    throw corrupt('wrong lengths')
  return header
}

/**
 * Decodes a whole shard, the decompression off the event loop. The block may borrow `bytes`.
 *
 * @throws ShardCorruptError for every fault, here or when a record or a part of one is read; FormatUnknownError for a
 * newer version
 */
export async function decodeShard(bytes: Uint8Array, firstSeq: number, env: Env): Promise<Shard> {
  const { codec, span, count, storedBytes, rawBytes, checksum } = readShardHeader(bytes, firstSeq)
  const corrupt = (detail: string, cause?: unknown) => new ShardCorruptError(firstSeq, detail, { cause })
  const stored = bytes.subarray(shardHeaderBytes)
  if (stored.length !== storedBytes) throw corrupt(`${stored.length} bytes rather than ${storedBytes}`)
  if (crc32(stored) !== checksum) throw corrupt('wrong checksum')
  if (codec === 'none' && storedBytes !== rawBytes) throw corrupt('wrong lengths')
  const raw =
    codec === 'none'
      ? stored
      : await env
          .offload(() => decompress(stored, rawBytes))
          .catch((cause: Error) => {
            throw corrupt(cause.message, cause)
          })
  const block = openBlock(raw, (cause) => corrupt(cause.message, cause))
  if (block.count !== count) throw corrupt(`${block.count} records rather than ${count}`)
  if (count > 0 && block.offsetAt(count - 1) >= span) throw corrupt('a seq past the span')
  return { span, count, rawBytes, block }
}
