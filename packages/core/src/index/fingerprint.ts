import { ByteWriter } from '../bytes/byte-writer.js'
import { compareBytes } from '../bytes/compare.js'
import { sha256 } from '../bytes/hash.js'
import type { Leaf } from '../document/tree.js'

const writer = new ByteWriter()

/**
 * The fingerprint of an id and its leaves, 32 bytes: SHA-256 of the length-prefixed id, then for each leaf, in order of
 * rev and body hash: length-prefixed rev, deleted byte, and for foreign revs the body hash. What is held, where it lies
 * and its ancestry do not enter, so that replicas that know the same have the same.
 */
export function fingerprint(id: string, leaves: readonly Leaf[]): Uint8Array {
  writer.clear()
  writer.text(id)
  for (const leaf of leaves.length > 1 ? leaves.toSorted(byRevAndHash) : leaves) {
    writer.text(leaf.rev)
    writer.u8(leaf.deleted ? 1 : 0)
    if (leaf.bodyHash) writer.raw(leaf.bodyHash)
  }
  return sha256(writer.view())
}

const none = new Uint8Array(0)

function byRevAndHash(a: Leaf, b: Leaf): number {
  // Revs are ASCII: their order as text is that of their bytes.
  if (a.rev !== b.rev) return a.rev < b.rev ? -1 : 1
  return compareBytes(a.bodyHash ?? none, b.bodyHash ?? none)
}

/** Adds a fingerprint to a sum mod 2^256 in place; both are 32 bytes, big-endian. */
export function addFingerprint(sum: Uint8Array, print: Uint8Array): void {
  let carry = 0
  for (let i = 31; i >= 0; i--) {
    carry += sum[i]! + print[i]!
    sum[i] = carry
    carry >>= 8
  }
}

/** Takes a fingerprint out of a sum mod 2^256 in place. */
export function subtractFingerprint(sum: Uint8Array, print: Uint8Array): void {
  let borrow = 0
  for (let i = 31; i >= 0; i--) {
    borrow += sum[i]! - print[i]!
    sum[i] = borrow
    borrow >>= 8
  }
}
