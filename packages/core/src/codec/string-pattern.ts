import { type ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import {
  COLUMN,
  type ColumnWriter,
  type DecodeBudget,
  PATTERN_DIGITS,
  PATTERN_RUNS,
} from './column-format.js'
import { Integers, writeIntegers } from './integers.js'

/**
 * Strings that are alike but for the numbers in them, as `sensor-0042/2026-11-20T10:00:00.000Z`: the text between the
 * numbers once, each number as a run of integers.
 *
 *   size      field
 *   1         runs of digits, 1 to 16
 *   text      for each run: the text before it (varint length in bytes, UTF-8)
 *   1         and its width: digits, 1 to 15, filled with zeros; 0 for as many as it takes, without leading zeros
 *   text      the text after the last run
 *   integers  for each run
 */
interface Pattern {
  readonly literals: readonly string[]
  readonly runs: readonly Run[]
}

interface Run {
  readonly values: Float64Array
  width: number
  varies: boolean
  leadingZero: boolean
}

const DIGITS = /[0-9]+/g

/** The pattern of the strings; undefined where they have none. */
export function findPattern(values: readonly string[]): Pattern | undefined {
  const first = values[0]!
  const digits = first.match(DIGITS)
  if (digits === null || digits.length > PATTERN_RUNS) return undefined
  const literals = first.split(DIGITS)
  const runs: Run[] = digits.map((run) => ({
    values: new Float64Array(values.length),
    width: run.length,
    varies: false,
    leadingZero: false,
  }))
  for (let i = 0; i < values.length; i++) if (!matchPattern(literals, runs, values[i]!, i)) return undefined
  return runs.some((run) => run.varies && run.leadingZero) ? undefined : { literals, runs }
}

function matchPattern(literals: readonly string[], runs: readonly Run[], text: string, row: number): boolean {
  let at = 0
  for (let r = 0; r < runs.length; r++) {
    const literal = literals[r]!
    if (!text.startsWith(literal, at)) return false
    const start = at + literal.length
    at = start
    let value = 0
    for (; at < text.length; at++) {
      const digit = text.charCodeAt(at) - 0x30
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    const width = at - start
    if (width === 0 || width > PATTERN_DIGITS) return false
    const run = runs[r]!
    run.values[row] = value
    if (width !== run.width) run.varies = true
    if (width > 1 && text.charCodeAt(start) === 0x30) run.leadingZero = true
  }
  const last = literals[runs.length]!
  return text.length === at + last.length && text.endsWith(last)
}

/** Appends a column of strings of one pattern. */
export function writePattern(writer: ColumnWriter, { literals, runs }: Pattern): void {
  writer.u8(COLUMN.pattern)
  writer.u8(runs.length)
  for (let r = 0; r < runs.length; r++) {
    writer.text(literals[r]!)
    writer.u8(runs[r]!.varies ? 0 : runs[r]!.width)
  }
  writer.text(literals[runs.length]!)
  for (const run of runs) writeIntegers(writer, run.values)
}

/** Takes a column of strings of one pattern: gives the string at an index. @throws MalformedBytes */
export function readPattern(
  reader: ByteReader,
  count: number,
  budget: DecodeBudget,
): (index: number) => string {
  const runCount = reader.u8()
  if (runCount < 1 || runCount > PATTERN_RUNS) throw new MalformedBytes('a pattern without numbers')
  const literals: string[] = []
  const widths: number[] = []
  for (let r = 0; r < runCount; r++) {
    literals.push(reader.text())
    const width = reader.u8()
    if (width > PATTERN_DIGITS) throw new MalformedBytes('a number of too many digits')
    widths.push(width)
  }
  const last = reader.text()
  const runs = widths.map(() => Integers.read(reader, count, budget))
  return (index) => {
    let text = ''
    for (let r = 0; r < runCount; r++) text += literals[r]! + digitsOf(runs[r]!.at(index), widths[r]!)
    text += last
    budget.spend(text.length)
    return text
  }
}

function digitsOf(value: number, width: number): string {
  if (!(value >= 0 && value < 10 ** (width || PATTERN_DIGITS)))
    throw new MalformedBytes('a number out of its width')
  const digits = value.toString()
  return width === 0 ? digits : digits.padStart(width, '0')
}
