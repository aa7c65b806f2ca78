import { ByteReader, MalformedBytes } from '../../bytes/byte-reader.js'
import { compareBytes } from '../../bytes/compare.js'
import {
  type BlockHandle,
  contentsOf,
  entriesOf,
  isWhole,
  littleEndian32,
  readHandle,
  TRAILER_BYTES,
} from './block.js'
import type { LevelFile } from './files.js'
import type { NamedTable } from './version.js'

/** Handles of metaindex and index, zeros up to 40 bytes, magic (8 bytes, little-endian). */
const FOOTER_BYTES = 48
const MAGIC_LOW = 0x8b80fb57
const MAGIC_HIGH = 0xdb477524
/** Blocks are read together up to about this length. */
const PIECE_BYTES = 256 * 1024

/**
 * What is wrong with a table: anything in it that its checksums do not cover or fit, or keys that are not those which
 * the manifest tells. Undefined when nothing is.
 *
 *   data blocks, filter block, metaindex block, index block, footer
 *
 * @throws MalformedBytes
 * @see https://github.com/google/leveldb/blob/main/doc/table_format.md
 */
export async function tableFault(file: LevelFile, named: NamedTable): Promise<string | undefined> {
  if (file.length !== named.length) return `it has ${file.length} bytes instead of ${named.length}`
  const footerAt = file.length - FOOTER_BYTES
  if (footerAt < 0) return 'it is too short'
  const footer = (await file.read(footerAt, FOOTER_BYTES)).slice()
  const isTable = littleEndian32(footer, 40) === MAGIC_LOW && littleEndian32(footer, 44) === MAGIC_HIGH
  if (!isTable) return 'its end is not that of a table'
  const reader = new ByteReader(footer.subarray(0, 40))
  const metaindex = readHandle(reader)
  const index = readHandle(reader)
  if (reader.raw(reader.left).some((byte) => byte !== 0)) return 'its end is not that of a table'
  const data = await handlesIn(file, index, footerAt)
  const meta = await handlesIn(file, metaindex, footerAt)
  if (data === undefined || meta === undefined) return 'its index does not match its checksum'
  const blocks = [...data, ...meta, metaindex, index]
  let at = 0
  for (const { offset, size } of blocks) {
    if (offset !== at) return 'its blocks do not follow each other'
    at += size + TRAILER_BYTES
  }
  if (at !== footerAt) return 'its blocks do not end where they should'
  if (!(await areWhole(file, blocks))) return 'a block does not match its checksum'
  return (await hasKeys(file, data, named)) ? undefined : 'its keys are not those that the manifest tells'
}

async function handlesIn(
  file: LevelFile,
  block: BlockHandle,
  footerAt: number,
): Promise<BlockHandle[] | undefined> {
  if (block.offset + block.size + TRAILER_BYTES > footerAt) return undefined
  const bytes = await file.read(block.offset, block.size + TRAILER_BYTES)
  if (!isWhole(bytes, 0, block.size)) return undefined
  return Array.from(entriesOf(contentsOf(bytes)), ({ value }) => readHandle(new ByteReader(value)))
}

/** Reads the blocks, which follow each other, some at a time. */
async function areWhole(file: LevelFile, blocks: readonly BlockHandle[]): Promise<boolean> {
  for (let next = 0; next < blocks.length; ) {
    const first = blocks[next]!
    let last = next
    while (last + 1 < blocks.length && endOf(blocks[last + 1]!) - first.offset <= PIECE_BYTES) last += 1
    const piece = await file.read(first.offset, endOf(blocks[last]!) - first.offset)
    for (; next <= last; next++) {
      const { offset, size } = blocks[next]!
      if (!isWhole(piece, offset - first.offset, size)) return false
    }
  }
  return true
}

function endOf({ offset, size }: BlockHandle): number {
  return offset + size + TRAILER_BYTES
}

async function hasKeys(
  file: LevelFile,
  data: readonly BlockHandle[],
  { smallest, largest }: NamedTable,
): Promise<boolean> {
  const first = data[0]
  const last = data.at(-1)
  if (first === undefined || last === undefined) return false
  const firstKeys = keysOf(await file.read(first.offset, first.size + TRAILER_BYTES))
  const lastKeys = keysOf(await file.read(last.offset, last.size + TRAILER_BYTES))
  return isSame(firstKeys[0], smallest) && isSame(lastKeys.at(-1), largest)
}

function keysOf(block: Uint8Array): Uint8Array[] {
  return Array.from(entriesOf(contentsOf(block)), ({ key }) => key)
}

function isSame(key: Uint8Array | undefined, other: Uint8Array): boolean {
  if (key === undefined) throw new MalformedBytes('a block is empty')
  return compareBytes(key, other) === 0
}
