import { ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import type { ByteWriter } from '../bytes/byte-writer.js'
import { toHex } from '../bytes/hex.js'
import { generationOf, isNativeDigest } from '../document/revision.js'
import type { Leaf } from '../document/tree.js'

/**
 * What the index keeps of a document: its leaves, the winner first.
 *
 *   size    field
 *   varint  count of leaves
 *   then for each leaf
 *   1       flags: 1 deleted, 2 foreign (a body hash follows), 4 digest as text, 8 body elsewhere than at seq,
 *           16 body not held, 32 parent follows, 64 parent's digest follows; others are refused
 *   varint  generation
 *   16      digest; as text its length (varint) and characters
 *   varint  seq
 *   varint  seq of the body (with flag 8)
 *   32      SHA-256 of the canonical body (with flag 2)
 *   ...     parent: flag byte (0 or 4), generation, digest (with flag 32)
 *   16      digest of a parent one generation below (with flag 64, never with 32)
 */
export interface Entry {
  readonly leaves: readonly Leaf[]
}

const DELETED = 1
const FOREIGN = 2
const TEXT = 4
const ELSEWHERE = 8
const NOT_HELD = 16
const PARENT = 32
const NEXT_TO_PARENT = 64
const KNOWN = DELETED | FOREIGN | TEXT | ELSEWHERE | NOT_HELD | PARENT | NEXT_TO_PARENT
/** Hex digits of a digest of ours. */
const NATIVE_DIGITS = 32

/** Appends the bytes of an entry, as in its table. */
export function writeEntry(writer: ByteWriter, entry: Entry): void {
  writer.varint(entry.leaves.length)
  for (const leaf of entry.leaves) writeLeaf(writer, leaf)
}

/** @throws MalformedBytes */
export function decodeEntry(bytes: Uint8Array): Entry {
  const reader = new ByteReader(bytes)
  const count = reader.varint()
  const leaves: Leaf[] = []
  for (let i = 0; i < count; i++) leaves.push(readLeaf(reader))
  reader.end()
  return { leaves }
}

/** A history row without its seq, which is in its key. */
export interface HistoryValue {
  readonly rev: string
  /** Where its body is; 0 when it was not held. */
  readonly bodySeq: number
  /** The seq that superseded it; undefined in a row that an older version wrote. */
  readonly until?: number
}

/** Where a superseded revision has its record. */
export interface HistoryRow extends HistoryValue {
  readonly seq: number
}

/**
 * Appends the bytes of a history row: the rev, then the seq of its body as a varint, 0 when it was not held, then the seq
 * that superseded it as a varint.
 */
export function writeHistory(writer: ByteWriter, { rev, bodySeq, until }: HistoryValue): void {
  writeParent(writer, rev)
  writer.varint(bodySeq)
  if (until !== undefined) writer.varint(until)
}

/** @throws MalformedBytes */
export function decodeHistory(bytes: Uint8Array): HistoryValue {
  const reader = new ByteReader(bytes)
  const row = { rev: readRev(reader, reader.u8()), bodySeq: reader.varint() }
  const until = reader.left > 0 ? { until: reader.varint() } : {}
  reader.end()
  return { ...row, ...until }
}

function writeLeaf(writer: ByteWriter, leaf: Leaf): void {
  const held = leaf.bodySeq !== 0
  const elsewhere = held && leaf.bodySeq !== leaf.seq
  const flags =
    (leaf.deleted ? DELETED : 0) |
    (leaf.bodyHash ? FOREIGN : 0) |
    (elsewhere ? ELSEWHERE : 0) |
    (held ? 0 : NOT_HELD) |
    parentFlag(leaf)
  writeRev(writer, flags, leaf.rev)
  writer.varint(leaf.seq)
  if (elsewhere) writer.varint(leaf.bodySeq)
  if (leaf.bodyHash) writer.raw(leaf.bodyHash)
  if (leaf.parent === undefined) return
  if (flags & NEXT_TO_PARENT) writer.hex(leaf.parent, leaf.parent.indexOf('-') + 1)
  else writeParent(writer, leaf.parent)
}

function parentFlag({ rev, parent }: Leaf): number {
  if (parent === undefined) return 0
  const isNext = generationOf(parent) + 1 === generationOf(rev)
  return isNext && isNativeDigest(parent.slice(parent.indexOf('-') + 1)) ? NEXT_TO_PARENT : PARENT
}

function writeParent(writer: ByteWriter, rev: string): void {
  writeRev(writer, 0, rev)
}

/** Flags, and how the digest is written added to them; then the rev. */
function writeRev(writer: ByteWriter, flags: number, rev: string): void {
  const flagsAt = writer.length
  writer.u8(flags)
  writer.varint(generationOf(rev))
  const digestAt = rev.indexOf('-') + 1
  if (rev.length - digestAt === NATIVE_DIGITS && writer.hex(rev, digestAt)) return
  writer.patch(flagsAt, flags | TEXT)
  writer.text(rev.slice(digestAt))
}

function readLeaf(reader: ByteReader): Leaf {
  const flags = reader.u8()
  if ((flags & ~KNOWN) !== 0) throw new MalformedBytes(`leaf flags ${flags}`)
  const rev = readRev(reader, flags)
  const seq = reader.varint()
  const bodySeq = flags & ELSEWHERE ? reader.varint() : flags & NOT_HELD ? 0 : seq
  const bodyHash = flags & FOREIGN ? reader.raw(32).slice() : undefined
  const parent = readLeafParent(reader, flags, rev)
  return {
    rev,
    deleted: (flags & DELETED) !== 0,
    seq,
    bodySeq,
    ...(bodyHash && { bodyHash }),
    ...(parent !== undefined && { parent }),
  }
}

function readLeafParent(reader: ByteReader, flags: number, rev: string): string | undefined {
  if ((flags & NEXT_TO_PARENT) === 0) return flags & PARENT ? readRev(reader, reader.u8()) : undefined
  const generation = generationOf(rev) - 1
  if (flags & PARENT || generation < 1)
    throw new MalformedBytes('a parent told in two ways, or of no generation')
  return `${generation}-${toHex(reader.raw(16))}`
}

function readRev(reader: ByteReader, flags: number): string {
  const generation = reader.varint()
  return `${generation}-${flags & TEXT ? reader.text() : toHex(reader.raw(16))}`
}
