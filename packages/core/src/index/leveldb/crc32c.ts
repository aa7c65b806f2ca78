/** The Castagnoli polynomial, reflected. */
const POLYNOMIAL = 0x82f63b78
const STEP = 16

/** STEP tables of 256 words: table k is of a byte that k others follow. */
const tables = makeTables()

/**
 * CRC-32C of a part of `bytes`, by slices of sixteen: LevelDB's files are checked whole whenever one is opened.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3720#appendix-B.4 and Kounavis and Berry, "A Systematic Approach to Building
 * High Performance Software-based CRC Generators", 2005
 */
export function crc32c(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  const t = tables
  let crc = -1
  let i = from
  for (const last = to - STEP; i <= last; i += STEP) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    crc =
      t[3_840 + (crc & 255)]! ^
      t[3_584 + ((crc >>> 8) & 255)]! ^
      t[3_328 + ((crc >>> 16) & 255)]! ^
      t[3_072 + (crc >>> 24)]! ^
      t[2_816 + bytes[i + 4]!]! ^
      t[2_560 + bytes[i + 5]!]! ^
      t[2_304 + bytes[i + 6]!]! ^
      t[2_048 + bytes[i + 7]!]! ^
      t[1_792 + bytes[i + 8]!]! ^
      t[1_536 + bytes[i + 9]!]! ^
      t[1_280 + bytes[i + 10]!]! ^
      t[1_024 + bytes[i + 11]!]! ^
      t[768 + bytes[i + 12]!]! ^
      t[512 + bytes[i + 13]!]! ^
      t[256 + bytes[i + 14]!]! ^
      t[bytes[i + 15]!]!
  }
  for (; i < to; i++) crc = t[(crc ^ bytes[i]!) & 255]! ^ (crc >>> 8)
  return ~crc >>> 0
}

/** As LevelDB stores a checksum, so that one over bytes that hold checksums is no weaker: rotated, and a constant on top. */
export function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

function makeTables(): Int32Array {
  const made = new Int32Array(STEP * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0)
    made[byte] = crc
  }
  for (let k = 256; k < made.length; k++) {
    const before = made[k - 256]!
    made[k] = made[before & 255]! ^ (before >>> 8)
  }
  return made
}
