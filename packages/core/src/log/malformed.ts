import { MalformedBytes } from '../bytes/byte-reader.js'

/** What `decode` gives; undefined where the bytes cannot be what they should. */
export function unlessMalformed<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof MalformedBytes) return undefined
    throw error
  }
}
