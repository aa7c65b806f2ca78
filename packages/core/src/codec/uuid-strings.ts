import { type ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import { fromHex, toHex } from '../bytes/hex.js'
import { COLUMN, type ColumnWriter, type DecodeBudget } from './column-format.js'
import { Integers, writeIntegers } from './integers.js'

/**
 * UUIDs in lower case, of any version: their first 48 bits (the time of version 7) as a run of integers, then the other
 * 80 bits in planes: all seventh bytes, then all eighth bytes …
 */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const TIME_BYTES = 6
const REST_BYTES = 10
const TEXT_LENGTH = 36

export function areUuids(values: readonly string[]): boolean {
  return values.every((value) => value.length === TEXT_LENGTH && UUID.test(value))
}

/** Appends a column of UUIDs. */
export function writeUuids(writer: ColumnWriter, values: readonly string[]): void {
  const count = values.length
  const times = new Float64Array(count)
  const planes = new Uint8Array(REST_BYTES * count)
  for (let i = 0; i < count; i++) {
    const bytes = fromHex(values[i]!.replaceAll('-', ''))
    for (let b = 0; b < TIME_BYTES; b++) times[i] = times[i]! * 256 + bytes[b]!
    for (let plane = 0; plane < REST_BYTES; plane++) planes[plane * count + i] = bytes[TIME_BYTES + plane]!
  }
  writer.u8(COLUMN.uuids)
  writeIntegers(writer, times)
  writer.raw(planes)
}

/** Takes a column of UUIDs: gives the one at an index. @throws MalformedBytes */
export function readUuids(
  reader: ByteReader,
  count: number,
  budget: DecodeBudget,
): (index: number) => string {
  const times = Integers.read(reader, count, budget)
  const planes = reader.raw(REST_BYTES * count)
  const rest = new Uint8Array(REST_BYTES)
  return (index) => {
    budget.spend(TEXT_LENGTH)
    for (let plane = 0; plane < REST_BYTES; plane++) rest[plane] = planes[plane * count + index]!
    const time = times.at(index)
    if (!(time >= 0 && time < 256 ** TIME_BYTES)) throw new MalformedBytes('a UUID out of range')
    const digits = time.toString(16).padStart(2 * TIME_BYTES, '0') + toHex(rest)
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`
  }
}
