import { toHex } from '../bytes/hex.js'

/** A bigint as bytes, big-endian, the shortest: twice its magnitude, less one where it is negative. 0n takes none. */
export function bigintToBytes(value: bigint): Uint8Array {
  const folded = value < 0n ? (-value << 1n) - 1n : value << 1n
  if (folded === 0n) return new Uint8Array(0)
  const digits = folded.toString(16)
  const padded = digits.length % 2 === 0 ? digits : `0${digits}`
  const bytes = new Uint8Array(padded.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(padded.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

/** The bigint that `bigintToBytes` took apart. */
export function bytesToBigint(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n
  const folded = BigInt(`0x${toHex(bytes)}`)
  return (folded & 1n) === 0n ? folded >> 1n : -((folded + 1n) >> 1n)
}
