import { bigintToBytes } from './bigint-bytes.js'
import { COLUMN, type ColumnWriter, isColumnInteger } from './column-format.js'
import { decimalPlaces, toScaled } from './decimal.js'
import { writeIntegers } from './integers.js'
import { writeObjects } from './objects-write.js'
import { writeRow } from './row.js'
import { writeStrings } from './string-write.js'
import type { Value } from './value.js'

const KIND = {
  null: 0,
  boolean: 1,
  number: 2,
  string: 3,
  bigint: 4,
  date: 5,
  bytes: 6,
  array: 7,
  object: 8,
} as const
const KINDS = 9

/**
 * Appends a column, without its length. The layout is chosen by what the values are; they are borrowed. Members that
 * are undefined must have been left out, and numbers be finite.
 */
export function writeColumn(writer: ColumnWriter, values: readonly Value[]): void {
  if (values.length === 0) return
  writer.cells += values.length
  if (values.length === 1) {
    writer.u8(COLUMN.rows)
    writeRow(writer, values[0]!)
    return
  }
  const kind = kindOf(values[0]!)
  let i = 1
  while (i < values.length && kindOf(values[i]!) === kind) i++
  if (i === values.length) writeOfKind(writer, kind, values)
  else writeMixed(writer, values)
}

function kindOf(value: Value): number {
  switch (typeof value) {
    case 'number':
      return KIND.number
    case 'string':
      return KIND.string
    case 'boolean':
      return KIND.boolean
    case 'bigint':
      return KIND.bigint
    case 'object':
      if (value === null) return KIND.null
      if (Array.isArray(value)) return KIND.array
      if (value instanceof Date) return KIND.date
      if (value instanceof Uint8Array) return KIND.bytes
      return KIND.object
    default:
      throw new TypeError(`A ${typeof value} cannot be stored`)
  }
}

function writeOfKind(writer: ColumnWriter, kind: number, values: readonly Value[]): void {
  switch (kind) {
    case KIND.null:
      writer.u8(COLUMN.constant)
      writeRow(writer, null)
      break
    case KIND.boolean:
      writeBooleans(writer, values as readonly boolean[])
      break
    case KIND.number:
      writeNumbers(writer, values as readonly number[])
      break
    case KIND.string:
      writeStrings(writer, values as readonly string[])
      break
    case KIND.bigint:
      writeBigints(writer, values as readonly bigint[])
      break
    case KIND.date:
      writer.u8(COLUMN.dates)
      writeNumbers(
        writer,
        (values as readonly Date[]).map((date) => date.getTime()),
      )
      break
    case KIND.bytes:
      writeBytes(writer, COLUMN.bytes, values as readonly Uint8Array[])
      break
    case KIND.array:
      writeArrays(writer, values as readonly (readonly Value[])[])
      break
    default:
      writeObjects(writer, values as readonly { readonly [member: string]: Value }[], writeColumn)
  }
}

function writeBooleans(writer: ColumnWriter, values: readonly boolean[]): void {
  if (values.every((value) => value === values[0])) {
    writer.u8(COLUMN.constant)
    writeRow(writer, values[0]!)
    return
  }
  writer.u8(COLUMN.booleans)
  const bits = writer.room(Math.ceil(values.length / 8)).fill(0)
  for (let i = 0; i < values.length; i++) if (values[i]!) bits[i >> 3]! |= 1 << (i & 7)
}

function writeNumbers(writer: ColumnWriter, values: readonly number[]): void {
  let integers = true
  let constant = true
  for (const value of values) {
    if (value !== values[0]) constant = false
    if (integers && !isColumnInteger(value)) integers = false
  }
  if (constant) {
    writer.u8(COLUMN.constant)
    writeRow(writer, values[0]!)
  } else if (integers) {
    writer.u8(COLUMN.integers)
    writeIntegers(writer, values)
  } else writeFractions(writer, values)
}

function writeFractions(writer: ColumnWriter, values: readonly number[]): void {
  const places = commonPlaces(values)
  const scaled =
    places === undefined ? undefined : Float64Array.from(values, (value) => toScaled(value, places))
  if (places === undefined || !scaled!.every(isColumnInteger)) {
    writeDoubles(writer, values)
    return
  }
  writer.u8(COLUMN.decimals)
  writer.u8(places)
  writeIntegers(writer, scaled!)
}

function commonPlaces(values: readonly number[]): number | undefined {
  let places: number | undefined = 0
  for (const value of values) {
    places = decimalPlaces(value, places)
    if (places === undefined) return undefined
  }
  return places
}

function writeDoubles(writer: ColumnWriter, values: readonly number[]): void {
  writer.u8(COLUMN.doubles)
  const count = values.length
  const planes = writer.room(8 * count)
  const one = new DataView(new ArrayBuffer(8))
  for (let i = 0; i < count; i++) {
    one.setFloat64(0, values[i]! + 0)
    for (let plane = 0; plane < 8; plane++) planes[plane * count + i] = one.getUint8(plane)
  }
}

function writeBigints(writer: ColumnWriter, values: readonly bigint[]): void {
  const numbers = values.map(Number)
  if (numbers.every(isColumnInteger)) {
    writer.u8(COLUMN.smallBigints)
    writeIntegers(writer, numbers)
  } else writeBytes(writer, COLUMN.bigints, values.map(bigintToBytes))
}

function writeBytes(writer: ColumnWriter, tag: number, values: readonly Uint8Array[]): void {
  writer.u8(tag)
  writeIntegers(
    writer,
    values.map((bytes) => bytes.length),
  )
  for (const bytes of values) writer.raw(bytes)
}

function writeArrays(writer: ColumnWriter, values: readonly (readonly Value[])[]): void {
  writer.u8(COLUMN.arrays)
  writeIntegers(
    writer,
    values.map((array) => array.length),
  )
  writeColumn(writer, values.flat(1) as readonly Value[])
}

function writeMixed(writer: ColumnWriter, values: readonly Value[]): void {
  const classOf = new Array<number>(KINDS).fill(-1)
  const classes: { readonly kind: number; readonly values: Value[] }[] = []
  const indexes = new Float64Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    const kind = kindOf(value)
    if (classOf[kind] === -1) classOf[kind] = classes.push({ kind, values: [] }) - 1
    indexes[i] = classOf[kind]!
    classes[classOf[kind]!]!.values.push(value)
  }
  writer.u8(COLUMN.mixed)
  writer.u8(classes.length)
  writer.cells += classes.length * values.length
  writeIntegers(writer, indexes)
  for (const { values: members } of classes) {
    const part = writer.beginPart()
    writeColumn(writer, members)
    writer.endPart(part)
  }
}
