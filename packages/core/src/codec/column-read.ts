import { ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import { limits } from '../limits.js'
import { bytesToBigint } from './bigint-bytes.js'
import type { Column, OpenColumn } from './column.js'
import { COLUMN, DECIMAL_PLACES, type DecodeBudget } from './column-format.js'
import { fromScaled } from './decimal.js'
import { Integers } from './integers.js'
import { readMixed } from './mixed-read.js'
import { readObjects } from './objects-read.js'
import { readRow, requireDate, requireNumber } from './row.js'
import { Spans } from './spans.js'
import { readPattern } from './string-pattern.js'
import { readDictionary, readFrontCoded, readParts, readStrings } from './string-read.js'
import { readUuids } from './uuid-strings.js'
import type { Value } from './value.js'

/** What a column may stand in, which says what it may be in turn. */
type Place = 'any' | 'numbers' | 'kind' | 'dictionary'

/**
 * Opens a column of `count` values, which borrows the bytes. Nothing is decoded before it is asked for, then each part
 * once, and only what the asked value needs.
 *
 * @throws MalformedBytes, here or from `get`
 */
export function openColumn(bytes: Uint8Array, count: number, budget: DecodeBudget): Column {
  return open(bytes, count, 0, budget, 'any')
}

function open(bytes: Uint8Array, count: number, depth: number, budget: DecodeBudget, place: Place): Column {
  const reader = new ByteReader(bytes)
  if (count === 0) {
    reader.end()
    return { get: noValue }
  }
  budget.claim(count)
  return readColumn(reader, count, depth, budget, place)
}

function noValue(): never {
  throw new MalformedBytes('no such value')
}

function readColumn(
  reader: ByteReader,
  count: number,
  depth: number,
  budget: DecodeBudget,
  place: Place,
): Column {
  const tag = reader.u8()
  const opener =
    (inner: Place): OpenColumn =>
    (bytes, innerCount, innerDepth) =>
      open(bytes, innerCount, innerDepth, budget, inner)
  switch (tag) {
    case COLUMN.constant:
      return readConstant(reader, depth, budget)
    case COLUMN.rows:
      return readRows(reader, count, depth, budget)
    case COLUMN.integers:
    case COLUMN.decimals:
    case COLUMN.doubles:
      return readNumbers(tag, reader, count, budget)
  }
  if (place === 'numbers') throw new MalformedBytes('other than numbers')
  const text = readText(tag, reader, count, budget)
  if (text !== undefined) return text
  if (tag === COLUMN.dictionary && place !== 'dictionary')
    return readDictionary(reader, count, depth, budget, opener('dictionary'))
  if (place === 'dictionary') throw new MalformedBytes('a dictionary of other than strings')
  switch (tag) {
    case COLUMN.arrays:
      return readArrays(reader, count, depth, budget, opener('any'))
    case COLUMN.objects:
      return readObjects(reader, count, depth, budget, opener('any'))
    case COLUMN.mixed:
      if (place === 'kind') throw new MalformedBytes('kinds within kinds')
      return readMixed(reader, count, depth, budget, opener('kind'))
    default:
      return readScalars(tag, reader, count, depth, budget)
  }
}

function readConstant(reader: ByteReader, depth: number, budget: DecodeBudget): Column {
  const value = readRow(reader, depth)
  reader.end()
  if (isContainer(value)) throw new MalformedBytes('a constant that has parts')
  const weight = typeof value === 'string' ? value.length : value instanceof Uint8Array ? value.length : 0
  return {
    get() {
      budget.spend(weight)
      return value
    },
  }
}

function isContainer(value: Value): boolean {
  return (
    typeof value === 'object' && value !== null && !(value instanceof Date || value instanceof Uint8Array)
  )
}

function readRows(reader: ByteReader, count: number, depth: number, budget: DecodeBudget): Column {
  const part = count === 1 ? undefined : readParts(reader, count, budget)
  const whole = part === undefined ? reader.raw(reader.left) : undefined
  return {
    get(index) {
      const row = new ByteReader(part === undefined ? whole! : part(index))
      const value = readRow(row, depth)
      row.end()
      return value
    },
  }
}

function readNumbers(tag: number, reader: ByteReader, count: number, budget: DecodeBudget): Column {
  if (tag === COLUMN.doubles) return readDoubles(reader, count)
  const places = tag === COLUMN.decimals ? reader.u8() : 0
  if (places > DECIMAL_PLACES) throw new MalformedBytes('too many decimal places')
  const integers = Integers.read(reader, count, budget)
  reader.end()
  return places === 0
    ? { get: (index) => integers.at(index) }
    : { get: (index) => fromScaled(integers.at(index), places) }
}

function readDoubles(reader: ByteReader, count: number): Column {
  const planes = reader.raw(8 * count)
  reader.end()
  const one = new DataView(new ArrayBuffer(8))
  return {
    get(index) {
      for (let plane = 0; plane < 8; plane++) one.setUint8(plane, planes[plane * count + index]!)
      return requireNumber(one.getFloat64(0))
    },
  }
}

function readText(tag: number, reader: ByteReader, count: number, budget: DecodeBudget): Column | undefined {
  switch (tag) {
    case COLUMN.strings:
      return readStrings(reader, count, budget)
    case COLUMN.frontCoded:
      return readFrontCoded(reader, count, budget)
    case COLUMN.pattern: {
      const get = readPattern(reader, count, budget)
      reader.end()
      return { get }
    }
    case COLUMN.uuids: {
      const get = readUuids(reader, count, budget)
      reader.end()
      return { get }
    }
    default:
      return undefined
  }
}

function readScalars(
  tag: number,
  reader: ByteReader,
  count: number,
  depth: number,
  budget: DecodeBudget,
): Column {
  switch (tag) {
    case COLUMN.booleans: {
      const bits = reader.raw(Math.ceil(count / 8))
      reader.end()
      return { get: (index) => ((bits[index >> 3]! >> (index & 7)) & 1) === 1 }
    }
    case COLUMN.dates: {
      const times = readColumn(reader, count, depth, budget, 'numbers')
      return {
        get(index) {
          const time = times.get(index)
          if (typeof time !== 'number') throw new MalformedBytes('a date that is no number')
          return requireDate(time)
        },
      }
    }
    case COLUMN.smallBigints: {
      const integers = Integers.read(reader, count, budget)
      reader.end()
      return { get: (index) => BigInt(integers.at(index)) }
    }
    case COLUMN.bigints: {
      const part = readParts(reader, count, budget)
      return { get: (index) => bytesToBigint(part(index)) }
    }
    case COLUMN.bytes: {
      const part = readParts(reader, count, budget)
      return { get: (index) => part(index).slice() }
    }
    default:
      throw new MalformedBytes(`unknown layout ${tag} of a column`)
  }
}

function readArrays(
  reader: ByteReader,
  count: number,
  depth: number,
  budget: DecodeBudget,
  open: OpenColumn,
): Column {
  if (depth >= limits.depth) throw new MalformedBytes('values nested too deep')
  const lengths = Integers.read(reader, count, budget)
  const bytes = reader.raw(reader.left)
  let spans: Spans | undefined
  let column: Column | undefined
  return {
    get(index) {
      spans ??= new Spans(lengths, 0xffff_ffff)
      column ??= open(bytes, spans.total, depth + 1)
      const start = spans.start(index)
      const length = spans.start(index + 1) - start
      budget.spend(length + 1)
      const values: Value[] = []
      for (let i = 0; i < length; i++) values.push(column.get(start + i))
      return values
    },
  }
}
