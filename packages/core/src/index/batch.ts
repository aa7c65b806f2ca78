import { ByteWriter } from '../bytes/byte-writer.js'
import { crc32 } from '../bytes/hash.js'
import type { Env } from '../env/env.js'
import { encodeDead } from './dead.js'
import { writeEntry, writeHistory } from './entry.js'
import {
  conflictKey,
  deadKey,
  historyKey,
  markKey,
  noteKey,
  pageKey,
  rootKey,
  writeEntryKey,
  writeHistoryKey,
} from './keys.js'
import type { DerivedStore } from './level.js'
import { encodeMark } from './marks.js'
import type { Overlay } from './overlay.js'
import { encodeRoot } from './root.js'

/** Operations prepared for one write before others get their turn. */
const SLICE = 512
/** A first guess of the bytes that a row takes. */
const ROW_BYTES = 96
const NOTHING = new Uint8Array(0)

/** What belongs into one batch: after any end the store has all of it, or none. */
export interface Batch {
  readonly overlay: Overlay
  /** Pages that changed, by the ids at which they begin, as they are with this overlay. */
  readonly pages: ReadonlyMap<string, Uint8Array>
  /** Buckets of dead bodies that changed, with their counts. */
  readonly dead: ReadonlyMap<number, number>
  readonly salt: Uint8Array
  readonly note: readonly [name: string, text: string] | undefined
}

/** Writes a batch with `sync`. */
export async function writeBatch(store: DerivedStore, env: Env, batch: Batch): Promise<void> {
  const { overlay, pages, dead, salt, note } = batch
  const operations = new Operations(store)
  for (const [id, entry] of overlay.entries) {
    operations.begin()
    writeEntryKey(operations.rows, id)
    operations.beginValue()
    writeEntry(operations.rows, entry)
    if (operations.put() % SLICE === 0) await env.yield()
  }
  for (const [id, seqs] of overlay.forgotten)
    for (const seq of seqs) if (operations.del(historyKey(id, seq)) % SLICE === 0) await env.yield()
  for (const [id, rows] of overlay.history) {
    for (const row of rows) {
      operations.begin()
      writeHistoryKey(operations.rows, id, row.seq)
      operations.beginValue()
      writeHistory(operations.rows, row)
      if (operations.put() % SLICE === 0) await env.yield()
    }
  }
  for (const [id, now] of overlay.conflicts)
    if (now) operations.putRow(conflictKey(id), NOTHING)
    else operations.del(conflictKey(id))
  for (const [first, page] of pages)
    if (operations.putRow(pageKey(first), page) % SLICE === 0) await env.yield()
  for (const [bucket, bodies] of dead)
    if (bodies === 0) operations.del(deadKey(bucket))
    else operations.putRow(deadKey(bucket), encodeDead(bodies))
  if (note) operations.putRow(noteKey(note[0]), new TextEncoder().encode(note[1]))
  const { since, latest, root } = overlay
  const mark = { seq: root.seq, since, latest }
  if (mark.seq > since) operations.putRow(markKey(mark.seq), encodeMark(mark))
  operations.putRow(rootKey, encodeRoot(root, salt))
  await operations.write()
}

/** Rows for the store. Keys and values, with their checksums, are views of memory that many of them share. */
class Operations {
  rows = new ByteWriter(0)
  readonly #batch: ReturnType<DerivedStore['batch']>
  #start = 0
  #valueAt = 0
  #count = 0

  constructor(store: DerivedStore) {
    this.#batch = store.batch()
  }

  /** Begins a row: its key is to be written. */
  begin(): void {
    // The store may keep the views: what they show is never written again.
    if (this.#count % SLICE === 0) this.rows = new ByteWriter(SLICE * ROW_BYTES)
    this.#start = this.rows.length
  }

  /** The key is written, and its value is to be. */
  beginValue(): void {
    this.#valueAt = this.rows.length
  }

  /** Ends the row, and gives how many there are. */
  put(): number {
    this.rows.u32(crc32(this.rows.part(this.#start, this.rows.length)))
    this.#batch.put(
      this.rows.part(this.#start, this.#valueAt),
      this.rows.part(this.#valueAt, this.rows.length),
    )
    this.#count += 1
    return this.#count
  }

  putRow(key: Uint8Array, value: Uint8Array): number {
    this.begin()
    this.rows.raw(key)
    this.beginValue()
    this.rows.raw(value)
    return this.put()
  }

  del(key: Uint8Array): number {
    this.#batch.del(key)
    this.#count += 1
    return this.#count
  }

  async write(): Promise<void> {
    await this.#batch.write({ sync: true } as object)
  }
}
