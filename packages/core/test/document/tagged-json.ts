import { fromHex } from '../../src/bytes/hex.js'
import type { Fields, Value } from '../../src/codec/value.js'

/** A value of the fixtures' JSON, in which bigints, dates and bytes are tagged. */
function untag(value: unknown): Value {
  if (typeof value !== 'object' || value === null) return value as Value
  if (Array.isArray(value)) return value.map(untag)
  const entries = Object.entries(value)
  const [name, inner] = entries.length === 1 ? entries[0]! : ['', '']
  if (name === '$bigint') return BigInt(inner)
  if (name === '$date') return new Date(inner)
  if (name === '$bytes') return fromHex(inner)
  return Object.fromEntries(
    entries.map(([key, of]) => [key.startsWith('$$') ? key.slice(1) : key, untag(of)]),
  )
}

/** A body of the fixtures: fields, or opaque bytes. */
export function untagBody(value: object): Fields | Uint8Array {
  return '$opaque' in value ? fromHex(value.$opaque as string) : (untag(value) as Fields)
}
