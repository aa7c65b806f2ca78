import { createHash, hash } from 'node:crypto'
import { crc32 as crc } from 'node:zlib'

/** SHA-256 of `bytes`: 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  // One call of the newer function costs a third of a Hash object; it is undefined before Node 20.12.
  return hash === undefined ? createHash('sha256').update(bytes).digest() : hash('sha256', bytes, 'buffer')
}

/** CRC-32 (IEEE 802.3, as in zlib) of `bytes`, continued from `seed`: an unsigned 32-bit integer. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  return crc(bytes, seed)
}
