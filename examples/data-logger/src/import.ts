import { stat } from 'node:fs/promises'
import path from 'node:path'
import type { Database, Document } from '@mynah/core'
import { type Read, type Row, readRows } from './rows.js'

export interface ImportProgress {
  readonly rows: number
  readonly rowsPerSecond: number
  readonly bytes: number
  readonly bytesTotal: number
}

export interface ImportReport {
  /** Rows that the database now has as they stand in the file. */
  readonly imported: number
  /** Of those: documents that were not there before. */
  readonly added: number
  /** Of those: documents that had other content. */
  readonly changed: number
  /** Rows that were left out. */
  readonly bad: number
  readonly ms: number
}

export interface ImportOptions {
  readonly onProgress?: (progress: ImportProgress) => void
  /** A row that was left out, and why. */
  readonly onBad?: (line: number, reason: string) => void
  /** Ends the import after the batch that is being written. */
  readonly signal?: AbortSignal
}

const batchRows = 1_000

/**
 * Puts each row of a CSV or NDJSON file into the database as a document, a batch at a time. A row without an id gets
 * `FILE/LINE`: the file's name without its ending, and the line that the row begins on. What the database has under an
 * id is replaced where it differs; the same file a second time therefore changes nothing. Nobody else may write
 * meanwhile, else `added` and `changed` count that too.
 */
export async function importFile(
  db: Database,
  file: string,
  options: ImportOptions = {},
): Promise<ImportReport> {
  const started = performance.now()
  const bytesTotal = (await stat(file)).size
  const before = await counts(db)
  const name = path.basename(file, path.extname(file))
  let batch: { readonly line: number; readonly doc: Document }[] = []
  let bytes = 0
  let imported = 0
  let bad = 0

  function report(line: number, reason: string): void {
    bad += 1
    options.onBad?.(line, reason)
  }
  async function flush(): Promise<void> {
    const outcomes = await db.putMany(
      batch.map(({ doc }) => doc),
      { overwrite: true },
    )
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.ok) imported += 1
      else if (outcome.error.retryable) throw outcome.error
      else report(batch[index]!.line, outcome.error.message)
    }
    batch = []
    const seconds = (performance.now() - started) / 1_000
    options.onProgress?.({
      rows: imported + bad,
      rowsPerSecond: (imported + bad) / seconds,
      bytes,
      bytesTotal,
    })
  }

  const rows = readRows(file, (read) => {
    bytes = read
  })
  for await (const read of rows) {
    if (options.signal?.aborted === true) break
    if ('fault' in read) report(read.line, read.fault)
    else batch.push({ line: read.line, doc: toDocument(read, name) })
    if (batch.length >= batchRows) await flush()
  }
  await flush()
  const after = await counts(db)
  const added = after.documents - before.documents
  const changed = after.seq - before.seq - added
  return { imported, added, changed, bad, ms: performance.now() - started }
}

function toDocument(read: Extract<Read, { row: Row }>, name: string): Document {
  const { id } = read.row
  if (id !== undefined && id !== null) return read.row as Document
  return { ...read.row, id: `${name}/${String(read.line).padStart(8, '0')}` } as Document
}

async function counts(db: Database): Promise<{ documents: number; seq: number }> {
  const { documents, seq } = await db.stats()
  return { documents, seq }
}
