import { nodeEnv } from '@mynah/core'
import { decodeRecords, type LogRecord } from '@mynah/core/replica'
import { ByteList, crc32, fromHex, utf8 } from './byte-list.js'
import { type BodyValue, isList, magnitudeOf, type SentRecord } from './revisions.js'

/** The database that pushes what the suite pushes. */
export const ORIGIN = 'c0'.repeat(16)

const ARRIVAL = 1_800_000_000_000
const HEADER_BYTES = 32

/** What a test may have another way than it should be. */
export interface ShardOptions {
  readonly version?: number
  readonly codec?: number
  readonly count?: number
  readonly rawBytes?: number
}

/** Records as a shard, in the simplest layouts of docs/formats/block.md: rows, uncompressed. */
export function shardOf(records: readonly SentRecord[], options: ShardOptions = {}): Uint8Array {
  return sealed(blockOf(records), records.length, options)
}

/** A block as a shard, with a header whose checksums are right, whatever else is not. */
export function sealed(block: Uint8Array, records: number, options: ShardOptions = {}): Uint8Array {
  const { version = 1, codec = 0, count = records, rawBytes = block.length } = options
  const head = new ByteList().raw(utf8('MYSH')).u8(version).u8(codec).u16(0)
  head.u32(Math.max(count, 1)).u32(count).u32(block.length).u32(rawBytes).u32(crc32(block))
  const first = head.finish()
  const shard = new Uint8Array(HEADER_BYTES + block.length)
  shard.set(new ByteList().raw(first).u32(crc32(first)).finish())
  shard.set(block, HEADER_BYTES)
  return shard
}

/** What a mirror sent. Shards of mirrors are compressed columns, which are read here as everywhere else. */
export async function recordsOf(shard: Uint8Array): Promise<readonly LogRecord[]> {
  return await decodeRecords(shard, nodeEnv)
}

function blockOf(records: readonly SentRecord[]): Uint8Array {
  const named = records.filter((record) => record.body === undefined || record.bodyHash !== undefined)
  const bodies = records.flatMap(({ body }) => (body === undefined ? [] : [body]))
  const hashes = records.flatMap(({ body, bodyHash }) => (body === undefined && bodyHash ? [bodyHash] : []))
  const ancestors = records.flatMap(({ path }) => path)
  const below = records.flatMap(({ rev, path }) => [rev, ...path].slice(0, -1))
  const sections = [
    undefined,
    integers(records.map(traitsOf)),
    rows(records.map(({ id }) => id)),
    integers(records.map(({ rev }) => generationOf(rev))),
    rows(named.map(({ rev }) => digestValue(rev))),
    integers(records.map(({ path }) => path.length)),
    integers(ancestors.map((rev, i) => generationOf(below[i]!) - generationOf(rev) - 1)),
    rows(ancestors.map(digestValue)),
    integers(records.map(() => ARRIVAL)),
    new ByteList().varint(1).raw(fromHex(ORIGIN)).finish(),
    rows(hashes),
    rows(bodies),
  ]
  let bits = 0
  const list = new ByteList()
  for (const [bit, section] of sections.entries()) {
    if (section === undefined || section.length === 0) continue
    bits |= 1 << bit
    list.part(section)
  }
  return new ByteList().u8(1).varint(records.length).varint(bits).raw(list.finish()).finish()
}

function traitsOf({ body, deleted, continues = false, bodyHash }: SentRecord): number {
  return (body === undefined ? 1 : 0) | (deleted ? 8 : 0) | (continues ? 32 : 0) | (bodyHash ? 64 : 0)
}

function generationOf(rev: string): number {
  return Number(rev.split('-', 1)[0])
}

function digestValue(rev: string): BodyValue {
  const digest = rev.slice(rev.indexOf('-') + 1)
  return /^[0-9a-f]{32}$/.test(digest) ? fromHex(digest) : digest
}

/** A run of integers as varints, without differences. */
function integers(values: readonly number[]): Uint8Array {
  if (values.length === 0) return new Uint8Array(0)
  const list = new ByteList()
  for (const value of values) list.varint(value < 0 ? -2 * value - 1 : 2 * value)
  return new ByteList()
    .u8(8 << 3)
    .part(list.finish())
    .finish()
}

function rows(values: readonly BodyValue[]): Uint8Array {
  if (values.length === 0) return new Uint8Array(0)
  const all = values.map((value) => {
    const list = new ByteList()
    writeRow(list, value)
    return list.finish()
  })
  const list = new ByteList().u8(2)
  if (all.length > 1) list.raw(integers(all.map(({ length }) => length)))
  for (const row of all) list.raw(row)
  return list.finish()
}

function writeRow(list: ByteList, value: BodyValue): void {
  if (value === null) list.u8(0)
  else if (typeof value === 'boolean') list.u8(value ? 2 : 1)
  else if (typeof value === 'number') list.u8(3).f64(value)
  else if (typeof value === 'string') list.u8(5).text(value)
  else if (value instanceof Uint8Array) list.u8(6).part(value)
  else if (typeof value === 'bigint') list.u8(7).part(magnitudeOf(value < 0n ? -2n * value - 1n : 2n * value))
  else if (value instanceof Date) list.u8(9).f64(value.getTime())
  else if (isList(value)) {
    list.u8(0x0a).varint(value.length)
    for (const one of value) writeRow(list, one)
  } else {
    const members = Object.entries(value)
    list.u8(0x0b).varint(members.length)
    for (const [name, member] of members) writeRow(list.text(name), member)
  }
}
