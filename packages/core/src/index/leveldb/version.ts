import { ByteReader, MalformedBytes } from '../../bytes/byte-reader.js'

/** A table as the manifest names it. Keys are LevelDB's own: the key, then 8 bytes of sequence number and type. */
export interface NamedTable {
  readonly number: number
  readonly length: number
  readonly smallest: Uint8Array
  readonly largest: Uint8Array
}

/** What a manifest of LevelDB's comes to. */
export interface Version {
  readonly tables: readonly NamedTable[]
  /** Logs from this number on count. It is there, unless 0. */
  readonly logNumber: number
  /** One more that counts; 0 for none. */
  readonly previousLog: number
  /** Of the newest write that was known when the manifest was written last. */
  readonly lastSequence: number
}

/**
 * Follows version edits, each a list of fields: a tag (varint), then
 *
 *   1  comparator         name
 *   2  log number         varint
 *   3  next file number   varint
 *   4  last sequence      varint
 *   5  compact pointer    level (varint), key
 *   6  deleted table      level, number (varints)
 *   7  new table          level, number, length (varints), smallest and largest key
 *   9  previous log       varint
 *
 * where names and keys follow their length (varint).
 *
 * @throws MalformedBytes
 * @see https://github.com/google/leveldb/blob/main/doc/impl.md and db/version_edit.cc
 */
export function followEdits(edits: readonly Uint8Array[]): Version {
  const tables = new Map<number, NamedTable>()
  const numbers = new Map<number, number>()
  for (const edit of edits) followEdit(new ByteReader(edit), tables, numbers)
  return {
    tables: [...tables.values()],
    logNumber: numbers.get(LOG_NUMBER) ?? 0,
    previousLog: numbers.get(PREVIOUS_LOG) ?? 0,
    lastSequence: numbers.get(LAST_SEQUENCE) ?? 0,
  }
}

const COMPARATOR = 1
const LOG_NUMBER = 2
const NEXT_FILE = 3
const LAST_SEQUENCE = 4
const COMPACT_POINTER = 5
const DELETED_TABLE = 6
const NEW_TABLE = 7
const PREVIOUS_LOG = 9

function followEdit(reader: ByteReader, tables: Map<number, NamedTable>, numbers: Map<number, number>): void {
  // A table that moves down a level is deleted and new in the same edit: LevelDB deletes first.
  const added: NamedTable[] = []
  while (reader.left > 0) {
    const tag = reader.varint()
    switch (tag) {
      case COMPARATOR:
        reader.bytes()
        break
      case LOG_NUMBER:
      case NEXT_FILE:
      case LAST_SEQUENCE:
      case PREVIOUS_LOG:
        numbers.set(tag, reader.varint())
        break
      case COMPACT_POINTER:
        reader.varint()
        reader.bytes()
        break
      case DELETED_TABLE:
        reader.varint()
        tables.delete(reader.varint())
        break
      case NEW_TABLE: {
        reader.varint()
        const number = reader.varint()
        const length = reader.varint()
        added.push({ number, length, smallest: reader.bytes().slice(), largest: reader.bytes().slice() })
        break
      }
      default:
        throw new MalformedBytes('a version edit has an unknown tag')
    }
  }
  for (const table of added) tables.set(table.number, table)
}

/** The sequence number in the last 8 bytes of one of LevelDB's own keys. @throws MalformedBytes */
export function sequenceOf(key: Uint8Array): number {
  if (key.length < 8) throw new MalformedBytes('a key has no sequence number')
  const view = new DataView(key.buffer, key.byteOffset + key.length - 8, 8)
  return (view.getUint32(0, true) >>> 8) + view.getUint32(4, true) * 0x100_0000
}
