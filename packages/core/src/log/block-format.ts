import { ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import type { ColumnWriter } from '../codec/column-format.js'
import { limits } from '../limits.js'

/**
 * A block of records, version 1: what a group in the hot log, a shard and a batch on the wire have in common.
 * Full format: docs/formats/block.md.
 *
 *   size     field
 *   1        version    1
 *   varint   count      records, 0 to 65,536
 *   varint   sections   a bit for each that follows; others are reserved, and refused
 *   …        for each section, in order of the bits: varint length, contents
 *   rest     zeros      as many as justify the values that the columns declare; usually none
 *
 *   bit  section       contents                                                  left out when
 *   0    offsets       integers: seq less the block's first seq, rising          0, 1, 2 …
 *   1    traits        integers, see below                                       all 0
 *   2    ids           column of strings                                         count is 0
 *   3    generations   integers                                                  all 1
 *   4    digests       column of 16 bytes or text: of stubs and foreign revs     there are none
 *   5    pathLengths   integers: ancestors                                       all 0
 *   6    steps         integers: generation less that of the next ancestor, less 1   all 0
 *   7    ancestors     column of 16 bytes or text: digests of all paths          there are none
 *   8    arrivals      integers: milliseconds since 1970 UTC                     count is 0
 *   9    origins       varint n, n × 16 bytes; integers: which one, where n > 1   count is 0
 *   10   bodyHashes    column of 32 bytes: of foreign stubs                      there are none
 *   11   bodies        column of objects or bytes (opaque): of all but stubs     there are none
 *
 * The rev of a native record with a body is derived from parent, deleted and body; nothing else of it is stored.
 */
export const SECTION = {
  offsets: 0,
  traits: 1,
  ids: 2,
  generations: 3,
  digests: 4,
  pathLengths: 5,
  steps: 6,
  ancestors: 7,
  arrivals: 8,
  origins: 9,
  bodyHashes: 10,
  bodies: 11,
} as const
const SECTIONS = 12

/**
 * Traits of a record. Bits 0-2 are its kind: 0 revision, 1 stub; 2 (chunk of an attachment), 3 (local state) and the
 * rest are reserved, as is all from bit 7.
 */
export const TRAIT = {
  kind: 0b111,
  deleted: 1 << 3,
  supplies: 1 << 4,
  continues: 1 << 5,
  foreign: 1 << 6,
} as const
export const KIND = { revision: 0, stub: 1 } as const
export const TRAITS_END = 1 << 7

export const DIGEST_BYTES = 16
export const ORIGIN_BYTES = 16
export const HASH_BYTES = 32

const VERSION = 1

/** What a section writes, by its bit; undefined where it is left out. */
export type SectionWriters = readonly (((writer: ColumnWriter) => void) | undefined)[]

/** Appends version, count and sections. */
export function writeSections(writer: ColumnWriter, count: number, sections: SectionWriters): void {
  let present = 0
  for (let bit = 0; bit < SECTIONS; bit++) if (sections[bit] !== undefined) present |= 1 << bit
  writer.u8(VERSION)
  writer.varint(count)
  writer.varint(present)
  for (const write of sections) {
    if (write === undefined) continue
    const part = writer.beginPart()
    write(writer)
    writer.endPart(part)
  }
}

/** A block taken apart into sections, which are views. */
export interface Sections {
  readonly count: number
  /** By bit; undefined where left out. */
  readonly parts: readonly (Uint8Array | undefined)[]
}

/** @throws MalformedBytes */
export function readSections(bytes: Uint8Array): Sections {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== VERSION) throw new MalformedBytes(`unknown version ${version} of a block`)
  const count = reader.varint()
  if (count > limits.blockRecords) throw new MalformedBytes(`${count} records in a block`)
  const present = reader.varint()
  if (present >= 1 << SECTIONS) throw new MalformedBytes('unknown sections')
  const parts: (Uint8Array | undefined)[] = []
  for (let bit = 0; bit < SECTIONS; bit++)
    parts.push((present & (1 << bit)) === 0 ? undefined : reader.bytes())
  if (reader.raw(reader.left).some((byte) => byte !== 0))
    throw new MalformedBytes('something after the block')
  return { count, parts }
}
