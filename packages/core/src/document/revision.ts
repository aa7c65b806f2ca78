import { ByteWriter } from '../bytes/byte-writer.js'
import { sha256, sha256Hex } from '../bytes/hash.js'
import type { Fields } from '../codec/value.js'
import { limits } from '../limits.js'
import { writeBody } from './canonical.js'

/** A rev taken apart. */
export interface ParsedRev {
  /** 1 to `limits.generation`. */
  readonly generation: number
  /** 1 to 128 of `[0-9A-Za-z]`. */
  readonly digest: string
}

/**
 * What a native digest is made of: the first 16 bytes of SHA-256 over these bytes, version 1.
 * Full format: docs/formats/revision.md.
 *
 *   size      field
 *   4         magic      "MYRV"
 *   1         version    1
 *   1         deleted    0 or 1
 *   varint    length of the parent's rev in bytes; 0 for none
 *   length    the parent's rev, ASCII
 *   rest      canonical bytes of the body
 */
const MAGIC = 0x4d595256
const VERSION = 1
const DIGEST_CHARACTERS = 32

/** What the hash of a tombstone's foreign body begins with; a live one's begins with the body's tag. */
const TOMBSTONE_TAG = 11

/** Past this, the writer's memory is not kept for the next call. */
const WRITER_BYTES = 64 * 1024

const REV = /^([1-9][0-9]{0,9})-([0-9A-Za-z]{1,128})$/
const NATIVE_DIGEST = /^[0-9a-f]{32}$/

let reusedWriter = new ByteWriter(4096)

/** Takes a rev apart; undefined when it is not well-formed. */
export function parseRev(text: string): ParsedRev | undefined {
  const match = REV.exec(text)
  if (match === null) return undefined
  const generation = Number(match[1])
  return generation > limits.generation ? undefined : { generation, digest: match[2]! }
}

/** The generation of a well-formed rev. */
export function generationOf(rev: string): number {
  let generation = 0
  for (let i = 0; i < rev.length; i++) {
    const digit = rev.charCodeAt(i) - 0x30
    if (digit < 0) break
    generation = generation * 10 + digit
  }
  return generation
}

/** Whether a digest has the form of ours: 32 lower-case hex digits. A foreign one may have it too. */
export function isNativeDigest(digest: string): boolean {
  return NATIVE_DIGEST.test(digest)
}

/** The rev of a revision written here. The body must be valid (`acceptDocument`, `acceptBody`) or opaque bytes. */
export function deriveRev(parent: string | undefined, deleted: boolean, body: Fields | Uint8Array): string {
  const writer = freshWriter()
  writer.u32(MAGIC)
  writer.u8(VERSION)
  writer.u8(deleted ? 1 : 0)
  writer.text(parent ?? '')
  writeBody(writer, body)
  const digest = sha256Hex(writer.view()).slice(0, DIGEST_CHARACTERS)
  const generation = parent === undefined ? 1 : Math.min(generationOf(parent) + 1, limits.generation)
  return `${generation}-${digest}`
}

/**
 * What tells apart the foreign revisions that share a rev: SHA-256, 32 bytes, of the canonical bytes of the body,
 * behind a byte 11 where the revision is deleted (the digest of a foreign rev cannot be checked to cover that).
 */
export function bodyHash(deleted: boolean, body: Fields | Uint8Array): Uint8Array {
  const writer = freshWriter()
  if (deleted) writer.u8(TOMBSTONE_TAG)
  writeBody(writer, body)
  return sha256(writer.view())
}

/**
 * Order of two well-formed revs as the choice of a winner needs it: by generation, then by digest as text.
 * Positive when `a` goes before `b`.
 */
export function compareRevs(a: string, b: string): number {
  const difference = generationOf(a) - generationOf(b)
  if (difference !== 0) return difference
  return a === b ? 0 : a > b ? 1 : -1
}

/** Cleared before use, not after: a body that throws half-way must not spoil the next digest. */
function freshWriter(): ByteWriter {
  if (reusedWriter.length > WRITER_BYTES) reusedWriter = new ByteWriter(4096)
  else reusedWriter.clear()
  return reusedWriter
}
