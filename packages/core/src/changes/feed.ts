import type { Leaf } from '../document/tree.js'
import type { DocumentIndex } from '../index/document-index.js'
import type { Entry } from '../index/entry.js'
import { changeSeq } from '../index/tally.js'
import type { Log } from '../log/log.js'
import type { LogRecord } from '../log/record.js'
import { pathOf, readable, type Superseded } from './ancestry.js'

/** Where a revision was written, when damage took the record that said so. */
export const unknownOrigin = '0'.repeat(32)

/** A document at its newest change. */
export interface ChangedDocument {
  readonly seq: number
  readonly id: string
  readonly entry: Entry
}

/** Part of what changed. */
export interface ChangedBatch {
  /** May be none. */
  readonly documents: readonly ChangedDocument[]
  /** What the batch covers up to. */
  readonly seq: number
  /** Whether a record in what it covers is followed by another of its transaction. */
  readonly continues: boolean
}

/**
 * Documents whose newest change lies past `since` and not past `until`, in order of seq, in batches. A document that changes again while this runs is told as it is by
 * then, once: who has come to `until` knows all that was changed up to there.
 * @param early tells a document of several leaves where the first change in this span lies, rather than at its newest
 */
export async function* changedDocuments(
  log: Log,
  index: DocumentIndex,
  since: number,
  until: number,
  early = false,
): AsyncGenerator<ChangedBatch> {
  const told = new Set<string>()
  for await (const batch of log.scan(since + 1, until)) {
    const changes = batch.filter(({ record }) => !record.supplies)
    const entries = await index.lookup([...new Set(changes.map(({ record }) => record.id))])
    const documents: ChangedDocument[] = []
    for (const { seq, record } of changes) {
      const { id } = record
      const entry = entries.get(id)
      if (entry === undefined) continue
      const newest = changeSeq(entry.leaves)
      if (told.has(id)) continue
      const isTorn = early && entry.leaves.length > 1
      if (newest > until || isTorn) told.add(id)
      if (newest > until || isTorn || newest === seq) documents.push({ seq, id, entry })
    }
    // Who is told with a newer change must not come back as it was, behind the position that is given out.
    if (log.synced < log.head) await log.sync()
    const continues = batch.some(({ record }) => record.continues)
    yield { documents, seq: batch.at(-1)?.seq ?? since, continues }
  }
}

/**
 * A leaf as a record to send: with its body where asked and held, else a stub, and with its path back to a revision
 * recorded at or below `since`, else its whole path.
 */
export async function leafRecord(
  log: Log,
  index: DocumentIndex,
  id: string,
  leaf: Leaf,
  options: { readonly bodies: boolean; readonly since: number; readonly superseded?: Superseded },
): Promise<LogRecord> {
  // A body that was dropped stands at the leaf's place until the log is compacted.
  const held = options.bodies && leaf.bodySeq !== 0
  const bodySeq = held ? leaf.bodySeq : leaf.seq
  const record = (await readable(log, bodySeq)) ?? (await readable(log, leaf.seq))
  const path = await pathOf(log, index, id, leaf, options.since, options.superseded)
  const common = {
    id,
    rev: leaf.rev,
    path,
    deleted: leaf.deleted,
    at: record?.at ?? 0,
    origin: record?.origin ?? unknownOrigin,
    supplies: false,
    continues: false,
    ...(leaf.bodyHash && { bodyHash: leaf.bodyHash }),
  }
  const body = held ? record?.body : undefined
  return body === undefined ? { ...common, kind: 'stub' } : { ...common, kind: 'revision', body }
}
