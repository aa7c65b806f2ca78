import { ByteWriter } from '../bytes/byte-writer.js'

/** Bytes of the random value under which ids are hashed. */
export const SALT_BYTES = 8
/** A page has this many ids on average, once it is cut at every border: a power of two. */
const PAGE_IDS = 128

const writer = new ByteWriter()

/**
 * Whether a page begins at this id: where the low bits of HalfSipHash-2-4 of its UTF-8, under the salt, are all zero.
 * So borders depend on ids and salt only, and who does not know the salt cannot choose ids that make pages large.
 *
 * @see https://github.com/veorq/SipHash
 */
export function isBorder(salt: Uint8Array, id: string): boolean {
  writer.clear()
  writer.utf8(id)
  return (halfSipHash(salt, writer.view()) & (PAGE_IDS - 1)) === 0
}

/** HalfSipHash-2-4 with an output of 32 bits, signed. The key is 8 bytes, little-endian. */
export function halfSipHash(key: Uint8Array, bytes: Uint8Array): number {
  const k0 = word(key, 0)
  const k1 = word(key, 4)
  let v0 = k0
  let v1 = k1
  let v2 = 0x6c796765 ^ k0
  let v3 = 0x74656462 ^ k1
  const words = bytes.length >>> 2
  for (let at = 0; at <= words + 1; at++) {
    const isEnd = at > words
    const m = isEnd ? 0 : at < words ? word(bytes, 4 * at) : lastWord(bytes)
    if (isEnd) v2 ^= 0xff
    else v3 ^= m
    for (let round = isEnd ? 4 : 2; round > 0; round--) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    v0 ^= m
  }
  return v1 ^ v3
}

/** What is left behind the whole words, and the length in the highest byte. */
function lastWord(bytes: Uint8Array): number {
  let last = bytes.length << 24
  for (let at = bytes.length & ~3; at < bytes.length; at++) last |= bytes[at]! << (8 * (at & 3))
  return last
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}
