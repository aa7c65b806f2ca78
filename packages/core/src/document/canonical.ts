import { ByteWriter } from '../bytes/byte-writer.js'
import { compareUtf8 } from '../bytes/compare.js'
import { fromHex } from '../bytes/hex.js'
import type { Fields, Value } from '../codec/value.js'

/**
 * Canonical bytes of a value, version 1: what digests are made of. Equal values have equal bytes, different values
 * different ones. Full format: docs/formats/revision.md.
 *
 *   tag  value    after the tag
 *   0    null     -
 *   1    false    -
 *   2    true     -
 *   3    number   8 bytes: IEEE 754 binary64, big-endian; -0 as 0
 *   4    bigint   1 byte: 0, or 1 below zero; varint length; magnitude, big-endian, no leading zero byte (0n: none)
 *   5    string   varint length in bytes; UTF-8
 *   6    Date     8 bytes: milliseconds since 1970 UTC as binary64, big-endian
 *   7    bytes    varint length; the bytes
 *   8    array    varint count; the values
 *   9    object   varint count; for each member, in order of the UTF-8 bytes of the names:
 *                 varint length of the name in bytes; UTF-8; the value
 *   10   opaque   varint length; the bytes: only as a whole body
 *
 * A varint is LEB128 in its shortest form.
 */
const TAG = {
  null: 0,
  false: 1,
  true: 2,
  number: 3,
  bigint: 4,
  string: 5,
  date: 6,
  bytes: 7,
  array: 8,
  object: 9,
  opaque: 10,
} as const

/** Names up to here are sorted by insertion, which costs no call for each comparison. */
const FEW_NAMES = 16

/** A copy of the canonical bytes of a document's body. */
export function canonicalBytes(body: Fields | Uint8Array): Uint8Array {
  const writer = new ByteWriter()
  writeBody(writer, body)
  return writer.finish()
}

/** Appends the canonical bytes of a body: an object, or opaque bytes. */
export function writeBody(writer: ByteWriter, body: Fields | Uint8Array): void {
  if (body instanceof Uint8Array) {
    writer.u8(TAG.opaque)
    writer.bytes(body)
  } else {
    writeObject(writer, body)
  }
}

function writeValue(writer: ByteWriter, value: Value): void {
  switch (typeof value) {
    case 'string':
      writer.u8(TAG.string)
      writer.text(value)
      return
    case 'number':
      writer.u8(TAG.number)
      // Adding 0 turns -0 into 0.
      writer.f64(value + 0)
      return
    case 'boolean':
      writer.u8(value ? TAG.true : TAG.false)
      return
    case 'bigint':
      writeBigint(writer, value)
      return
    default:
      if (value === null) writer.u8(TAG.null)
      else if (value instanceof Uint8Array) {
        writer.u8(TAG.bytes)
        writer.bytes(value)
      } else if (value instanceof Date) {
        writer.u8(TAG.date)
        writer.f64(value.getTime())
      } else if (Array.isArray(value)) {
        writeArray(writer, value)
      } else {
        writeObject(writer, value as Fields)
      }
  }
}

function writeArray(writer: ByteWriter, values: readonly Value[]): void {
  writer.u8(TAG.array)
  writer.varint(values.length)
  for (let i = 0; i < values.length; i++) writeValue(writer, values[i]!)
}

function writeObject(writer: ByteWriter, fields: Fields): void {
  const names = Object.keys(fields)
  sortNames(names)
  writer.u8(TAG.object)
  writer.varint(names.length)
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!
    writer.text(name)
    writeValue(writer, fields[name]!)
  }
}

function sortNames(names: string[]): void {
  if (names.length > FEW_NAMES) {
    names.sort(compareUtf8)
    return
  }
  for (let i = 1; i < names.length; i++) {
    const name = names[i]!
    let at = i
    for (; at > 0 && compareUtf8(names[at - 1]!, name) > 0; at--) names[at] = names[at - 1]!
    names[at] = name
  }
}

function writeBigint(writer: ByteWriter, value: bigint): void {
  const negative = value < 0n
  const digits = value === 0n ? '' : (negative ? -value : value).toString(16)
  writer.u8(TAG.bigint)
  writer.u8(negative ? 1 : 0)
  writer.bytes(fromHex(digits.length % 2 === 0 ? digits : `0${digits}`))
}
