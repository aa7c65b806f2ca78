import { pathOf, readable } from '../changes/ancestry.js'
import type { Fields } from '../codec/value.js'
import { applyRecord, type Leaf, leafKey, winner } from '../document/tree.js'
import { HistoryGoneError, type MynahError, RecordLostError, UnreachableError } from '../errors.js'
import type { LogRecord } from '../log/record.js'
import type { Context } from './context.js'

/** Where a record made a revision a leaf, or told of it anew. */
export interface Place {
  readonly seq: number
  readonly rev: string
  /** Where its body is; 0 when it is not held. */
  readonly bodySeq: number
  /** The seq that superseded it, or told of it anew. Infinity for what is a leaf. */
  readonly until: number
}

/** What is known of a revision, from the record that tells of it or the one that brought its body. */
interface Told {
  readonly record: LogRecord
  readonly body: Fields | undefined
}

type Parts = Pick<Context, 'log' | 'index' | 'manifest'>

/** All places of a document's revisions, the newest first. */
export async function placesOf(context: Parts, id: string): Promise<readonly Place[]> {
  const { index } = context
  // In this order: a leaf that is superseded in between is a row then, and the row counts.
  const leaves = (await index.get(id))?.leaves ?? []
  if (leaves.length === 0) return []
  const rows = await index.history(id)
  const places = new Map<number, Omit<Place, 'until'> & { until?: number }>()
  for (const { seq, rev, bodySeq } of leaves)
    places.set(seq, { seq, rev, bodySeq, until: Number.POSITIVE_INFINITY })
  for (const row of rows) places.set(row.seq, row)
  const sorted = [...places.values()].sort((a, b) => b.seq - a.seq)
  if (sorted.every((place): place is Place => place.until !== undefined)) return sorted
  const ends = await endsOf(context, id, sorted.toReversed())
  return sorted.map((place) => ({
    ...place,
    until: place.until ?? ends.get(place.seq) ?? Number.POSITIVE_INFINITY,
  }))
}

/** What superseded each place, computed from the records: an index of an older version does not tell. */
async function endsOf(
  context: Parts,
  id: string,
  places: readonly { readonly seq: number }[],
): Promise<ReadonlyMap<number, number>> {
  const ends = new Map<number, number>()
  let leaves: readonly Leaf[] = []
  for (const { seq } of places) {
    const record = await readable(context.log, seq)
    if (record === undefined) throw absent(context, id, seq)
    const after = applyRecord(leaves, seq, record).leaves
    for (const leaf of leaves) if (!after.some((other) => other.seq === leaf.seq)) ends.set(leaf.seq, seq)
    leaves = after
  }
  return ends
}

/** Whether a later record tells of the same revision. */
export function isToldAnew(place: Place, places: readonly Place[]): boolean {
  return places.some(({ seq, rev }) => seq === place.until && rev === place.rev)
}

/** Why there is no record at a seq that the index names. */
export function absent({ log, manifest }: Parts, id: string, seq: number): MynahError {
  const { historySince } = manifest.data
  return seq < historySince && !log.isLost(seq)
    ? new HistoryGoneError(historySince)
    : new RecordLostError(seq, { id })
}

/** What the log has of a place: the record that tells of it, and its body where that is held, there or elsewhere. */
export async function toldAt(
  { log }: Parts,
  { seq, bodySeq }: Pick<Place, 'seq' | 'bodySeq'>,
): Promise<Told | undefined> {
  const own = await readable(log, seq)
  if (own !== undefined && (own.body !== undefined || bodySeq === 0 || bodySeq === seq))
    return { record: own, body: fieldsOf(own) }
  const supplied = bodySeq === 0 ? undefined : await readable(log, bodySeq)
  const record = supplied ?? own
  return record && { record: own ? { ...record, at: own.at } : record, body: fieldsOf(record) }
}

/** An opaque body has no fields to give before there is a key. */
function fieldsOf({ body }: LogRecord): Fields | undefined {
  return body instanceof Uint8Array ? undefined : body
}

/** The leaf that stood for a document at a seq, and its body where that is held; undefined where there was none. */
export async function winnerAt(
  context: Parts,
  id: string,
  seq: number,
): Promise<{ readonly leaf: Leaf; readonly body: Fields | undefined } | undefined> {
  const places = await placesOf(context, id)
  const leaves = new Map<Leaf, Fields | undefined>()
  for (const place of places) {
    if (place.seq > seq || place.until <= seq) continue
    let told = await toldAt(context, place)
    // What damage took may have been told of anew since.
    for (let later = place; told === undefined && later.until < Number.POSITIVE_INFINITY; ) {
      const next = places.find((other) => other.seq === later.until && other.rev === place.rev)
      if (next === undefined) break
      told = await toldAt(context, next)
      later = next
    }
    if (told === undefined) throw absent(context, id, place.seq)
    const { rev, deleted, bodyHash } = told.record
    const leaf = { rev, deleted, seq: place.seq, bodySeq: place.bodySeq, ...(bodyHash && { bodyHash }) }
    leaves.set(leaf, told.body)
  }
  const best = winner([...leaves.keys()])
  return best && { leaf: best, body: leaves.get(best) }
}

/**
 * A revision that is no leaf any more: its body, or that it is a tombstone; undefined where nothing is known of it.
 * @throws HistoryGoneError, RecordLostError, UnreachableError
 */
export async function supersededRevision(
  context: Parts,
  id: string,
  rev: string,
): Promise<{ readonly deleted: boolean; readonly body: Fields | undefined } | undefined> {
  const { log, index, manifest } = context
  let failure: MynahError | undefined
  for (const row of (await index.history(id)).filter((one) => one.rev === rev)) {
    const told = await toldAt(context, row)
    if (told?.record.deleted) return { deleted: true, body: undefined }
    if (told?.body) return { deleted: false, body: told.body }
    failure ??= told ? missing(manifest.data.historySince, id, row.seq) : absent(context, id, row.seq)
  }
  if (failure) throw failure
  for (const leaf of (await index.get(id))?.leaves ?? []) {
    const path = await pathOf(log, index, id, leaf)
    if (path.includes(rev)) throw missing(manifest.data.historySince, id, 0)
  }
  return undefined
}

/** Why the body of a revision that is known is not here. */
function missing(historySince: number, id: string, seq: number): MynahError {
  return seq < historySince ? new HistoryGoneError(historySince) : new UnreachableError(id)
}

/** Whether a leaf that was one is one now, and as which. */
export async function stillLeaf({ index }: Parts, id: string, leaf: Leaf): Promise<Leaf | undefined> {
  return (await index.get(id))?.leaves.find((one) => leafKey(one) === leafKey(leaf))
}

/**
 * @throws HistoryGoneError where revisions that stood at the seq were dropped since; RecordLostError where records were
 * lost up to there that this index has not seen, so that nobody knows what stood
 */
export function requireHistory({ manifest, log, readOnly }: Context, seq: number): void {
  const { historySince, doubt, lost, unseen } = manifest.data
  if (seq < historySince) throw new HistoryGoneError(historySince)
  if (unseen && unseen.firstSeq <= seq && seq <= unseen.lastSeq) throw new RecordLostError(unseen.firstSeq)
  const firstLost = lost[0]?.firstSeq ?? 1
  if (doubt && firstLost <= seq) throw new RecordLostError(firstLost)
  if (!readOnly) return
  // Neither what was found lost now is in the manifest, nor what an index has not seen that is derived in RAM alone.
  for (const { firstSeq } of [...log.damage, ...lost])
    if (firstSeq !== undefined && firstSeq <= seq) throw new RecordLostError(firstSeq)
}
