import { ByteWriter } from '../bytes/byte-writer.js'
import { COLUMN, type ColumnWriter, FRONT_CODED_RUN } from './column-format.js'
import { writeIntegers } from './integers.js'
import { writeRow } from './row.js'
import { findPattern, writePattern } from './string-pattern.js'
import { areUuids, writeUuids } from './uuid-strings.js'

/** Up to one distinct string in so many, a dictionary goes before every other layout. */
const FEW_DISTINCT = 8
/** Front coding must save so much of the bytes: LZMA finds most repeats by itself. */
const FRONT_CODING_GAIN = 0.7

/** Appends a column of strings, at least two. */
export function writeStrings(writer: ColumnWriter, values: readonly string[]): void {
  const distinct = findDistinct(values, values.length >> 1)
  if (distinct?.size === 1) {
    writer.u8(COLUMN.constant)
    writeRow(writer, values[0]!)
    return
  }
  if (distinct !== undefined && distinct.size * FEW_DISTINCT <= values.length) {
    writeDictionary(writer, values, distinct)
    return
  }
  const pattern = findPattern(values)
  if (pattern !== undefined) writePattern(writer, pattern)
  else if (areUuids(values)) writeUuids(writer, values)
  else if (distinct !== undefined) writeDictionary(writer, values, distinct)
  else writeText(writer, values)
}

/** The distinct strings and their places in order of first appearance; undefined when they are more than `most`. */
function findDistinct(values: readonly string[], most: number): Map<string, number> | undefined {
  const distinct = new Map<string, number>()
  for (const value of values) {
    if (distinct.has(value)) continue
    if (distinct.size >= most) return undefined
    distinct.set(value, distinct.size)
  }
  return distinct
}

function writeDictionary(
  writer: ColumnWriter,
  values: readonly string[],
  distinct: Map<string, number>,
): void {
  writer.u8(COLUMN.dictionary)
  writer.varint(distinct.size)
  const part = writer.beginPart()
  const entries = [...distinct.keys()]
  writer.cells += entries.length
  writeStrings(writer, entries)
  writer.endPart(part)
  writeIntegers(
    writer,
    values.map((value) => distinct.get(value)!),
  )
}

function writeText(writer: ColumnWriter, values: readonly string[]): void {
  const text = new ByteWriter(values.length * 32)
  const lengths = values.map((value) => text.utf8(value))
  const bytes = text.view()
  const prefixes = sharedPrefixes(bytes, lengths)
  let shared = 0
  for (const prefix of prefixes) shared += prefix
  if (bytes.length - shared > bytes.length * FRONT_CODING_GAIN) {
    writer.u8(COLUMN.strings)
    writeIntegers(writer, lengths)
    writer.raw(bytes)
    return
  }
  writer.u8(COLUMN.frontCoded)
  writeIntegers(writer, prefixes)
  writeIntegers(
    writer,
    lengths.map((length, i) => length - prefixes[i]!),
  )
  let start = 0
  for (let i = 0; i < lengths.length; i++) {
    writer.raw(bytes.subarray(start + prefixes[i]!, start + lengths[i]!))
    start += lengths[i]!
  }
}

/** How many bytes each string shares with the one before it; none at the beginning of a run. */
function sharedPrefixes(bytes: Uint8Array, lengths: readonly number[]): number[] {
  const prefixes: number[] = []
  let before = 0
  let start = 0
  for (let i = 0; i < lengths.length; i++) {
    const most = i % FRONT_CODED_RUN === 0 ? 0 : Math.min(lengths[i]!, lengths[i - 1]!)
    let shared = 0
    while (shared < most && bytes[before + shared] === bytes[start + shared]) shared++
    prefixes.push(shared)
    before = start
    start += lengths[i]!
  }
  return prefixes
}
