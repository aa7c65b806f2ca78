import { type ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import type { ByteWriter } from '../bytes/byte-writer.js'
import { limits } from '../limits.js'
import { bigintToBytes, bytesToBigint } from './bigint-bytes.js'
import { DECIMAL_PLACES, isColumnInteger } from './column-format.js'
import { decimalPlaces, fromScaled, toScaled } from './decimal.js'
import { unzigzag, zigzag } from './integers.js'
import type { Value } from './value.js'

/**
 * One value by itself: the only layout of a column of one, and of constants.
 *
 *   tag          value                    after the tag
 *   0x00         null                     -
 *   0x01, 0x02   false, true              -
 *   0x03         number                   8 bytes: binary64, big-endian; finite, not -0
 *   0x04         integer                  zigzag varint, from -2^50 to 2^50
 *   0x05         string                   varint length in bytes; UTF-8
 *   0x06         bytes                    varint length; the bytes
 *   0x07         bigint                   varint length; see bigint-bytes.ts
 *   0x08         Date                     zigzag varint of milliseconds, from -2^50 to 2^50
 *   0x09         Date                     8 bytes: milliseconds as binary64, big-endian
 *   0x0a         array                    varint count; the values
 *   0x0b         object                   varint count; for each member: varint length of the name, UTF-8; the value
 *   0x10 + n     decimal of n places      zigzag varint of the value times 10^n; n from 1 to 12
 *   0x20 + n     object of n members      n from 0 to 31; as 0x0b
 *   0x40 + n     string of n bytes        n from 0 to 63
 *   0x80 + n     integer n                n from 0 to 127
 *
 * All other tags are reserved.
 */
const ROW = {
  null: 0,
  false: 1,
  true: 2,
  double: 3,
  integer: 4,
  string: 5,
  bytes: 6,
  bigint: 7,
  date: 8,
  farDate: 9,
  array: 10,
  object: 11,
  decimal: 0x10,
  fewMembers: 0x20,
  shortString: 0x40,
  smallInteger: 0x80,
} as const
const FEW_MEMBERS = 0x20
const SHORT_STRING = 0x40
const SMALL_INTEGERS = 0x80

/** Longer text may take more bytes than fit the tag. */
const SURELY_SHORT = Math.floor((SHORT_STRING - 1) / 3)

/** Appends one value. */
export function writeRow(writer: ByteWriter, value: Value): void {
  switch (typeof value) {
    case 'string':
      writeString(writer, value)
      break
    case 'number':
      writeNumber(writer, value)
      break
    case 'boolean':
      writer.u8(value ? ROW.true : ROW.false)
      break
    case 'bigint':
      writer.u8(ROW.bigint)
      writer.bytes(bigintToBytes(value))
      break
    case 'object':
      writeParts(writer, value)
      break
    default:
      throw new TypeError(`A ${typeof value} cannot be stored`)
  }
}

function writeParts(writer: ByteWriter, value: Value & (object | null)): void {
  if (value === null) writer.u8(ROW.null)
  else if (value instanceof Uint8Array) {
    writer.u8(ROW.bytes)
    writer.bytes(value)
  } else if (value instanceof Date) writeDate(writer, value.getTime())
  else if (Array.isArray(value)) writeArray(writer, value)
  else writeObject(writer, value as { readonly [member: string]: Value })
}

function writeString(writer: ByteWriter, text: string): void {
  if (text.length <= SURELY_SHORT) {
    const tagAt = writer.length
    writer.u8(0)
    writer.patch(tagAt, ROW.shortString + writer.utf8(text))
  } else {
    writer.u8(ROW.string)
    writer.text(text)
  }
}

function writeNumber(writer: ByteWriter, value: number): void {
  if (isColumnInteger(value)) {
    if (value >= 0 && value < SMALL_INTEGERS) writer.u8(ROW.smallInteger + value)
    else {
      writer.u8(ROW.integer)
      writer.varint(zigzag(value))
    }
    return
  }
  const places = decimalPlaces(value, 1)
  if (places === undefined) {
    writer.u8(ROW.double)
    writer.f64(value)
  } else {
    writer.u8(ROW.decimal + places)
    writer.varint(zigzag(toScaled(value, places)))
  }
}

function writeDate(writer: ByteWriter, time: number): void {
  if (isColumnInteger(time)) {
    writer.u8(ROW.date)
    writer.varint(zigzag(time))
  } else {
    writer.u8(ROW.farDate)
    writer.f64(time)
  }
}

function writeArray(writer: ByteWriter, values: readonly Value[]): void {
  writer.u8(ROW.array)
  writer.varint(values.length)
  for (const value of values) writeRow(writer, value)
}

function writeObject(writer: ByteWriter, object: { readonly [member: string]: Value }): void {
  const names = Object.keys(object)
  if (names.length < FEW_MEMBERS) writer.u8(ROW.fewMembers + names.length)
  else {
    writer.u8(ROW.object)
    writer.varint(names.length)
  }
  for (const name of names) {
    writer.text(name)
    writeRow(writer, object[name]!)
  }
}

/** Takes one value, at `depth` levels of arrays and objects below a document. @throws MalformedBytes */
export function readRow(reader: ByteReader, depth: number): Value {
  const tag = reader.u8()
  if (tag >= ROW.smallInteger) return tag - ROW.smallInteger
  if (tag >= ROW.shortString) return reader.utf8(tag - ROW.shortString)
  if (tag >= ROW.fewMembers) {
    if (tag < ROW.fewMembers + FEW_MEMBERS) return readObject(reader, tag - ROW.fewMembers, depth)
  } else if (tag > ROW.decimal && tag <= ROW.decimal + DECIMAL_PLACES)
    return fromScaled(unzigzag(reader.varint()), tag - ROW.decimal)
  switch (tag) {
    case ROW.null:
      return null
    case ROW.false:
      return false
    case ROW.true:
      return true
    case ROW.double:
      return requireNumber(reader.f64())
    case ROW.integer:
      return unzigzag(reader.varint())
    case ROW.string:
      return reader.text()
    case ROW.bytes:
      return reader.bytes().slice()
    case ROW.bigint:
      return bytesToBigint(reader.bytes())
    case ROW.date:
      return requireDate(unzigzag(reader.varint()))
    case ROW.farDate:
      return requireDate(reader.f64())
    case ROW.array:
      return readArray(reader, depth)
    case ROW.object:
      return readObject(reader, reader.varint(), depth)
    default:
      throw new MalformedBytes(`unknown tag ${tag} of a value`)
  }
}

function readArray(reader: ByteReader, depth: number): Value[] {
  const count = reader.varint()
  enter(reader, count, depth)
  const values: Value[] = []
  for (let i = 0; i < count; i++) values.push(readRow(reader, depth + 1))
  return values
}

function readObject(reader: ByteReader, count: number, depth: number): { [member: string]: Value } {
  enter(reader, 2 * count, depth)
  const object: { [member: string]: Value } = {}
  for (let i = 0; i < count; i++) {
    const name = reader.text()
    setMember(object, name, readRow(reader, depth + 1))
  }
  return object
}

function enter(reader: ByteReader, bytesAtLeast: number, depth: number): void {
  if (depth >= limits.depth) throw new MalformedBytes('values nested too deep')
  if (bytesAtLeast > reader.left) throw new MalformedBytes('the bytes end too early')
}

/** Sets an own member of any name: `__proto__` too is a name like another. */
export function setMember(object: { [member: string]: Value }, name: string, value: Value): void {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  else object[name] = value
}

/** A number that a document may hold. @throws MalformedBytes for NaN, the infinities and -0 */
export function requireNumber(value: number): number {
  if (!Number.isFinite(value) || Object.is(value, -0))
    throw new MalformedBytes('a number that cannot be stored')
  return value
}

/** @throws MalformedBytes where no Date has these milliseconds */
export function requireDate(time: number): Date {
  const date = new Date(time)
  if (!(date.getTime() === time)) throw new MalformedBytes('a date that cannot be')
  return date
}
