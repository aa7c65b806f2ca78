import { MalformedBytes } from '../../bytes/byte-reader.js'
import type { LevelFile, LevelFiles } from './files.js'
import { type RecordLog, readRecordLog } from './record-log.js'
import { tableFault } from './table.js'
import { followEdits, sequenceOf, type Version } from './version.js'

/** What of a write says where it stands: sequence number of its first entry (8 bytes), count of entries (4 bytes). */
const BATCH_HEADER_BYTES = 12

/** CURRENT is a name and a line feed. */
const CURRENT_BYTES_MAX = 32

type Lengths = ReadonlyMap<string, number>

/**
 * What is wrong with the files of a LevelDB that nobody has open, in a sentence; undefined when nothing is. Whatever
 * a crash may leave is not wrong. Where this finds nothing, LevelDB reads back what was written, up to a batch behind
 * which there is nothing: LevelDB itself ends the process on some damage, and says nothing of other.
 *
 * - CURRENT names a manifest; each record of it fits its checksum, but for a torn last one
 * - every table that it names is there, with its length and its keys, and every byte of it fits a checksum
 * - the log that it names is there; in every log that counts each record fits its checksum, but for a torn last one;
 *   and their sequence numbers go on without a gap from where the tables end
 *
 * Rejects with what `files` rejects with.
 *
 * @see https://github.com/google/leveldb/blob/main/doc/impl.md
 */
export async function levelFault(files: LevelFiles): Promise<string | undefined> {
  const lengths: Lengths = new Map((await files.list()).map(({ name, length }) => [name, length]))
  const current = lengths.get('CURRENT')
  if (current === undefined) {
    // Made last of all: without it nothing was written yet, or it is gone.
    const orphan = [...lengths.keys()].find((name) => numberOf(name, 'ldb|sst|log') !== undefined)
    return orphan && `CURRENT is missing, and ${orphan} is there`
  }
  if (current > CURRENT_BYTES_MAX) return 'CURRENT does not name a manifest'
  try {
    const name = await using(files, 'CURRENT', async (file) =>
      new TextDecoder().decode(await file.read(0, current)),
    )
    if (!/^MANIFEST-\d+\n$/.test(name)) return 'CURRENT does not name a manifest'
    return await versionFault(files, lengths, name.trim())
  } catch (error) {
    if (error instanceof MalformedBytes) return error.message
    throw error
  }
}

async function versionFault(
  files: LevelFiles,
  lengths: Lengths,
  manifest: string,
): Promise<string | undefined> {
  if (!lengths.has(manifest)) return `${manifest} is missing`
  const edits = await using(files, manifest, (file) => readRecordLog(file, Number.POSITIVE_INFINITY))
  if (edits.fault !== undefined) return `${manifest}: ${edits.fault}`
  if (edits.records.length === 0) return `${manifest} is empty`
  const version = followEdits(edits.records)
  for (const table of version.tables) {
    const name = [`${padded(table.number)}.ldb`, `${padded(table.number)}.sst`].find((one) =>
      lengths.has(one),
    )
    if (name === undefined) return `table ${table.number} is missing`
    const fault = await using(files, name, (file) => tableFault(file, table))
    if (fault !== undefined) return `${name}: ${fault}`
  }
  return logsFault(files, lengths, version)
}

async function logsFault(
  files: LevelFiles,
  lengths: Lengths,
  { tables, logNumber, previousLog, lastSequence }: Version,
): Promise<string | undefined> {
  const counting = [...lengths.keys()]
    .flatMap((name) => numberOf(name, 'log') ?? [])
    .filter((number) => number >= logNumber || number === previousLog)
    .sort((a, b) => a - b)
  for (const number of [logNumber, previousLog])
    if (number !== 0 && !counting.includes(number)) return `log ${number} is missing`
  const newest = Math.max(
    0,
    ...tables.flatMap((table) => [sequenceOf(table.smallest), sequenceOf(table.largest)]),
  )
  let next: number | undefined
  for (const number of counting) {
    const name = `${padded(number)}.log`
    const log = await using(files, name, (file) => readRecordLog(file, BATCH_HEADER_BYTES))
    if (log.fault !== undefined) return `${name}: ${log.fault}`
    for (const { sequence, count } of batchesOf(log)) {
      // A log is left for the next one when it is full: only the first may begin anew.
      const begins = number === counting[0] && next === undefined
      const follows = begins ? sequence > newest && sequence <= lastSequence + 1 : sequence === next
      if (!follows) return `${name}: its writes do not follow those before`
      next = sequence + count
    }
  }
  return undefined
}

function batchesOf(log: RecordLog): { readonly sequence: number; readonly count: number }[] {
  return log.records.map((record) => {
    if (record.length < BATCH_HEADER_BYTES) throw new MalformedBytes('a write is too short')
    const view = new DataView(record.buffer, record.byteOffset, record.length)
    const sequence = view.getUint32(0, true) + view.getUint32(4, true) * 0x1_0000_0000
    return { sequence, count: view.getUint32(8, true) }
  })
}

/** The number of a file with one of the endings. */
function numberOf(name: string, endings: string): number | undefined {
  const match = new RegExp(`^(\\d{6,})\\.(${endings})$`).exec(name)
  return match === null ? undefined : Number(match[1])
}

function padded(number: number): string {
  return String(number).padStart(6, '0')
}

async function using<T>(files: LevelFiles, name: string, run: (file: LevelFile) => Promise<T>): Promise<T> {
  const file = await files.open(name)
  try {
    return await run(file)
  } finally {
    await file.close()
  }
}
