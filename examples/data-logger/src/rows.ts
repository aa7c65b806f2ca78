import { createReadStream } from 'node:fs'
import path from 'node:path'
import { TextDecoder } from 'node:util'
import { parse } from 'csv-parse'
import { parseCell } from './cell.js'

/** The members of a document to be. */
export interface Row {
  id?: unknown
  [member: string]: unknown
}

/** A row of the file, or what is wrong with it. `line` is where it begins, counted from 1. */
export type Read =
  | { readonly line: number; readonly row: Row }
  | { readonly line: number; readonly fault: string }

/** Tells how many bytes of the file were read so far. */
export type OnBytes = (bytes: number) => void

const lineBytesMax = 16 * 1024 * 1024

/** The rows of a CSV file (by its name), else of an NDJSON file, one after the other, in bounded memory. */
export function readRows(file: string, onBytes: OnBytes): AsyncIterable<Read> {
  return /\.(csv|tsv)$/i.test(file) ? readCsv(file, onBytes) : readNdjson(file, onBytes)
}

async function* readCsv(file: string, onBytes: OnBytes): AsyncIterable<Read> {
  const faults: string[] = []
  const input = createReadStream(file)
  input.on('data', () => onBytes(input.bytesRead))
  const parser = parse({
    bom: true,
    delimiter: path.extname(file).toLowerCase() === '.tsv' ? '\t' : ',',
    max_record_size: lineBytesMax,
    relax_column_count: true,
    relax_quotes: true,
    skip_records_with_error: true,
    on_skip: (error) => void faults.push(error?.message ?? 'cannot be read'),
  })
  input.on('error', (error) => parser.destroy(error))
  let header: readonly string[] | undefined
  // Counted here, since the parser takes the two characters that end a line inside quotes for two lines.
  let line = 1
  for await (const record of input.pipe(parser) as AsyncIterable<readonly string[]>) {
    for (const fault of faults.splice(0)) yield { line, fault }
    if (header === undefined) header = checkHeader(record, file)
    else if (record.length > 1 || record[0] !== '') {
      const fault = cellsFault(record, header)
      yield fault === undefined ? { line, row: toRow(header, record) } : { line, fault }
    }
    line += 1 + record.reduce((sum, cell) => sum + (cell.match(/\r\n|\n|\r/g)?.length ?? 0), 0)
  }
  for (const fault of faults) yield { line, fault: `${fault}; nothing after it was read` }
}

/** @throws Error when no row of the file could be trusted. */
function checkHeader(header: readonly string[], file: string): readonly string[] {
  const twice = header.find((name, index) => header.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`${file}: two columns are called ${JSON.stringify(twice)}`)
  if (header.includes('')) throw new Error(`${file}: column ${header.indexOf('') + 1} has no name`)
  if (header.includes('rev')) throw new Error(`${file}: a column is called "rev", which Mynah gives itself`)
  return header
}

function cellsFault(record: readonly string[], header: readonly string[]): string | undefined {
  if (record.length !== header.length) return `${record.length} cells where the header has ${header.length}`
  if (record.some((cell) => cell.includes('\uFFFD'))) return 'is not UTF-8'
  return undefined
}

function toRow(header: readonly string[], record: readonly string[]): Row {
  const row: Row = {}
  for (const [index, name] of header.entries()) {
    // An id is a name, also where it looks like a number.
    const value = name === 'id' ? record[index] || undefined : parseCell(record[index] ?? '')
    if (value !== undefined) define(row, name, value)
  }
  return row
}

/** Sets an own member, also one called `__proto__`. */
function define(row: Row, name: string, value: unknown): void {
  Object.defineProperty(row, name, { value, configurable: true, enumerable: true, writable: true })
}

async function* readNdjson(file: string, onBytes: OnBytes): AsyncIterable<Read> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let line = 0
  for await (const bytes of readLines(file, onBytes)) {
    line += 1
    if (bytes === undefined) {
      yield { line, fault: `longer than ${lineBytesMax} bytes` }
      continue
    }
    const read = parseLine(bytes, decoder)
    if (read === undefined) continue
    yield typeof read === 'string' ? { line, fault: read } : { line, row: read }
  }
}

/** The row, or a fault as text, or undefined for an empty line. */
function parseLine(bytes: Uint8Array, decoder: TextDecoder): Row | string | undefined {
  let text: string
  try {
    text = decoder.decode(bytes).trim()
  } catch {
    return 'is not UTF-8'
  }
  if (text === '') return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return `is not JSON: ${(error as Error).message}`
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is not a JSON object'
  const row = value as Row
  if ('rev' in row) return 'has a member "rev", which Mynah gives itself'
  return typeof row.id === 'number' ? { ...row, id: String(row.id) } : row
}

/**
 * The lines of a file as bytes, without what ends them; undefined for one that is too long to be kept. By hand, since
 * `readline` also splits at U+2028, which JSON strings may hold, and keeps lines of any length.
 */
async function* readLines(file: string, onBytes: OnBytes): AsyncIterable<Uint8Array | undefined> {
  const input = createReadStream(file)
  let parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of input as AsyncIterable<Uint8Array>) {
    onBytes(input.bytesRead)
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, end))
      length += end - from
      yield length > lineBytesMax ? undefined : concat(parts, length)
      parts = []
      length = 0
      from = end + 1
    }
    length += chunk.length - from
    if (length <= lineBytesMax) parts.push(chunk.subarray(from))
    else parts = []
  }
  if (length > 0) yield length > lineBytesMax ? undefined : concat(parts, length)
}

function concat(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!
  const whole = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}
