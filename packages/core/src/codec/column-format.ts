import { MalformedBytes } from '../bytes/byte-reader.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import { limits } from '../limits.js'

/**
 * The first byte of a column: how its values are laid out. A column of no values takes no bytes at all.
 * Full format, with a table for each: docs/formats/block.md.
 */
export const COLUMN = {
  constant: 1,
  rows: 2,
  booleans: 3,
  integers: 4,
  decimals: 5,
  doubles: 6,
  dates: 7,
  smallBigints: 8,
  bigints: 9,
  bytes: 10,
  strings: 11,
  frontCoded: 12,
  dictionary: 13,
  pattern: 14,
  uuids: 15,
  arrays: 16,
  objects: 17,
  mixed: 18,
} as const

/** A front-coded string at a multiple of this stands alone, so that reading one never walks further back. (format) */
export const FRONT_CODED_RUN = 32

/** Digits of a number in a pattern: what an integer column takes. (format) */
export const PATTERN_DIGITS = 15

/** Runs of digits in a pattern. (format) */
export const PATTERN_RUNS = 16

/** Decimal places of a column of decimals. (format) */
export const DECIMAL_PLACES = 12

/** Bound of what integer columns hold, either way: differences of differences of such stay exact. (format) */
const INTEGER_MAX = 2 ** 50

/** Cells that a block may declare for each byte, for each record, and in any case. (format) */
const CELLS_PER_BYTE = 4
const CELLS_PER_RECORD = 64
const CELLS_SPARE = 1024

/** What the values of one record may weigh, in bytes and values: beyond any body that `limits.bodyBytes` admits. */
const RECORD_WEIGHT = 2 * limits.bodyBytes

/** Whether an integer column can hold the number. */
export function isColumnInteger(value: number): boolean {
  return Number.isInteger(value) && value <= INTEGER_MAX && value >= -INTEGER_MAX
}

/** Bytes that a block of so many cells must have at least; the encoder pads it with zeros. */
export function bytesJustifying(cells: number, records: number): number {
  return Math.ceil((cells - CELLS_PER_RECORD * records - CELLS_SPARE) / CELLS_PER_BYTE)
}

/**
 * A writer of columns that counts the cells that it declares: the values of each column and of each run of integers.
 * They may cost no bytes (constants, even steps), so readers demand that a block's length justifies them.
 */
export class ColumnWriter extends ByteWriter {
  cells = 0
}

/** Holds what decoding hostile bytes may cost to a small multiple of their length. One for each block. */
export class DecodeBudget {
  #cells: number
  #weight = RECORD_WEIGHT

  constructor(rawBytes: number, records: number) {
    this.#cells = CELLS_PER_BYTE * rawBytes + CELLS_PER_RECORD * records + CELLS_SPARE
  }

  /** Takes note of a column of `count` values. @throws MalformedBytes when the block's length does not justify it */
  claim(count: number): void {
    this.#cells -= count
    if (!(this.#cells >= 0)) throw new MalformedBytes('more values than the bytes justify')
  }

  /** Begins the values of another record. */
  startRecord(): void {
    this.#weight = RECORD_WEIGHT
  }

  /** Takes note of a part of the record that is built. @throws MalformedBytes when the record becomes too large */
  spend(weight: number): void {
    this.#weight -= weight
    if (!(this.#weight >= 0)) throw new MalformedBytes('a record that is too large')
  }
}
