import { fromHex } from '../bytes/hex.js'
import { bytesJustifying, ColumnWriter, isColumnInteger } from '../codec/column-format.js'
import { writeColumn } from '../codec/column-write.js'
import { writeIntegers } from '../codec/integers.js'
import type { Value } from '../codec/value.js'
import { generationOf, isNativeDigest } from '../document/revision.js'
import { limits } from '../limits.js'
import { KIND, ORIGIN_BYTES, SECTION, type SectionWriters, TRAIT, writeSections } from './block-format.js'
import type { LogRecord, Sequenced } from './record.js'

/** A first guess of the bytes that a record takes. */
const RECORD_BYTES = 128

/** Sections that only some records are in: a reader counts through the traits for each. */
const SPARSE_SECTIONS = 3

/**
 * The bytes of a block. Seqs are stored as offsets from `firstSeq` and must rise. A native record with a body must bear
 * the rev that follows from its parent, `deleted` and body: it is not stored, nor looked at.
 *
 * @throws RangeError for more records or bytes than `limits` allows a block, or seqs that do not rise from `firstSeq`
 */
export function encodeBlock(records: readonly Sequenced[], firstSeq: number): Uint8Array {
  if (records.length > limits.blockRecords) throw new RangeError(`${records.length} records in a block`)
  const writer = new ColumnWriter(RECORD_BYTES * (records.length + 1))
  writer.cells = SPARSE_SECTIONS * records.length
  writeSections(writer, records.length, records.length === 0 ? [] : planSections(records, firstSeq))
  const missing = bytesJustifying(writer.cells, records.length) - writer.length
  if (missing > 0) writer.room(missing).fill(0)
  if (writer.length > limits.blockBytes) throw new RangeError(`A block of ${writer.length} bytes`)
  return writer.finish()
}

function planSections(records: readonly Sequenced[], firstSeq: number): SectionWriters {
  const plan = new Array<((writer: ColumnWriter) => void) | undefined>(SECTION.bodies + 1).fill(undefined)
  const columns = gather(records)
  const integers = (bit: number, values: readonly number[], usual: number) => {
    if (values.some((value) => value !== usual)) plan[bit] = (writer) => writeIntegers(writer, values)
  }
  const column = (bit: number, values: readonly Value[]) => {
    if (values.length > 0) plan[bit] = (writer) => writeColumn(writer, values)
  }
  const offsets = records.map(({ seq }) => seq - firstSeq)
  checkOffsets(offsets)
  if (offsets.at(-1) !== offsets.length - 1)
    plan[SECTION.offsets] = (writer) => writeIntegers(writer, offsets)
  integers(SECTION.traits, columns.traits, 0)
  column(SECTION.ids, columns.ids)
  integers(SECTION.generations, columns.generations, 1)
  column(SECTION.digests, columns.digests)
  integers(SECTION.pathLengths, columns.pathLengths, 0)
  integers(SECTION.steps, columns.steps, 0)
  column(SECTION.ancestors, columns.ancestors)
  plan[SECTION.arrivals] = (writer) => writeIntegers(writer, columns.arrivals)
  plan[SECTION.origins] = (writer) => writeOrigins(writer, columns.origins)
  column(SECTION.bodyHashes, columns.bodyHashes)
  column(SECTION.bodies, columns.bodies)
  return plan
}

function checkOffsets(offsets: readonly number[]): void {
  let least = 0
  for (const offset of offsets) {
    if (!(Number.isInteger(offset) && offset >= least))
      throw new RangeError('seqs that do not rise from the first')
    least = offset + 1
  }
}

interface Columns {
  readonly traits: number[]
  readonly ids: string[]
  readonly generations: number[]
  readonly digests: (Uint8Array | string)[]
  readonly pathLengths: number[]
  readonly steps: number[]
  readonly ancestors: (Uint8Array | string)[]
  readonly arrivals: number[]
  readonly origins: string[]
  readonly bodyHashes: Uint8Array[]
  readonly bodies: Value[]
}

function gather(records: readonly Sequenced[]): Columns {
  const columns: Columns = {
    traits: [],
    ids: [],
    generations: [],
    digests: [],
    pathLengths: [],
    steps: [],
    ancestors: [],
    arrivals: [],
    origins: [],
    bodyHashes: [],
    bodies: [],
  }
  for (const { record } of records) gatherRecord(columns, record)
  return columns
}

function gatherRecord(columns: Columns, record: LogRecord): void {
  const stub = record.kind === 'stub'
  const foreign = record.bodyHash !== undefined
  columns.traits.push(
    (stub ? KIND.stub : KIND.revision) |
      (record.deleted ? TRAIT.deleted : 0) |
      (record.supplies ? TRAIT.supplies : 0) |
      (record.continues ? TRAIT.continues : 0) |
      (foreign ? TRAIT.foreign : 0),
  )
  columns.ids.push(record.id)
  if (!isColumnInteger(record.at)) throw new RangeError(`A time of arrival of ${record.at}`)
  columns.arrivals.push(record.at)
  columns.origins.push(record.origin)
  const generation = gatherRev(columns, record, stub || foreign)
  columns.pathLengths.push(record.path.length)
  let above = generation
  for (const rev of record.path) {
    const ancestor = generationOf(rev)
    columns.steps.push(above - ancestor - 1)
    columns.ancestors.push(toStoredDigest(rev))
    above = ancestor
  }
  if (stub && foreign) columns.bodyHashes.push(record.bodyHash)
  if (!stub) {
    if (record.body === undefined)
      throw new RangeError(`A revision of ${JSON.stringify(record.id)} without a body`)
    columns.bodies.push(record.body)
  }
}

/** Stores generation and, where it does not follow from the body, digest. The rev of others may be costly to ask for. */
function gatherRev(columns: Columns, record: LogRecord, stored: boolean): number {
  const parent = record.path[0]
  const generation = stored
    ? generationOf(record.rev)
    : parent === undefined
      ? 1
      : Math.min(generationOf(parent) + 1, limits.generation)
  columns.generations.push(generation)
  if (stored) columns.digests.push(toStoredDigest(record.rev))
  return generation
}

function toStoredDigest(rev: string): Uint8Array | string {
  const digest = rev.slice(rev.indexOf('-') + 1)
  return isNativeDigest(digest) ? fromHex(digest) : digest
}

function writeOrigins(writer: ColumnWriter, origins: readonly string[]): void {
  const table = new Map<string, number>()
  const indexes = origins.map((origin) => {
    const index = table.get(origin) ?? table.size
    table.set(origin, index)
    return index
  })
  writer.varint(table.size)
  for (const origin of table.keys()) {
    if (!isNativeDigest(origin)) throw new RangeError(`An origin of ${JSON.stringify(origin)}`)
    writer.raw(fromHex(origin).subarray(0, ORIGIN_BYTES))
  }
  if (table.size > 1) writeIntegers(writer, indexes)
}
