import { MalformedBytes } from '../bytes/byte-reader.js'
import { crc32 } from '../bytes/hash.js'
import { IndexCorruptError } from '../errors.js'

/** The value with the CRC-32 of key and value behind it. */
export function withChecksum(key: Uint8Array, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(value.length + 4)
  bytes.set(value)
  new DataView(bytes.buffer).setUint32(value.length, crc32(value, crc32(key)))
  return bytes
}

/** The value without its checksum, a view; undefined where it does not fit. */
export function checkedValue(key: Uint8Array, bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < 4) return undefined
  const value = bytes.subarray(0, bytes.length - 4)
  const stored = new DataView(bytes.buffer, bytes.byteOffset + value.length, 4).getUint32(0)
  return stored === crc32(value, crc32(key)) ? value : undefined
}

/** The value, checked and decoded. @throws IndexCorruptError */
export function parseValue<T>(key: Uint8Array, bytes: Uint8Array, decode: (value: Uint8Array) => T): T {
  const value = checkedValue(key, bytes)
  if (value === undefined) throw new IndexCorruptError('a value does not match its checksum')
  try {
    return decode(value)
  } catch (cause) {
    if (cause instanceof MalformedBytes) throw new IndexCorruptError(cause.message, { cause })
    throw cause
  }
}
