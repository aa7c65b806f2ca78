import type { Env } from '../env/env.js'
import { withChecksum } from './checksum.js'
import { encodeEntry, encodeHistory } from './entry.js'
import { entryKey, historyKey, noteKey, pageKey, rootKey } from './keys.js'
import type { DerivedStore } from './level.js'
import type { Overlay } from './overlay.js'
import { encodeRoot } from './root.js'

/** Operations prepared for one write before others get their turn. */
const SLICE = 512

/** What belongs into one batch: after any end the store has all of it, or none. */
export interface Batch {
  readonly overlay: Overlay
  /** Pages that changed, by the ids at which they begin, as they are with this overlay. */
  readonly pages: ReadonlyMap<string, Uint8Array>
  readonly salt: Uint8Array
  readonly note: readonly [name: string, text: string] | undefined
}

/** Writes a batch with `sync`. */
export async function writeBatch(store: DerivedStore, env: Env, batch: Batch): Promise<void> {
  const { overlay, pages, salt, note } = batch
  const operations = store.batch()
  let count = 0
  const put = (key: Uint8Array, value: Uint8Array): Promise<void> | undefined => {
    operations.put(key, withChecksum(key, value))
    count += 1
    return count % SLICE === 0 ? env.yield() : undefined
  }
  for (const [id, entry] of overlay.entries) await put(entryKey(id), encodeEntry(entry))
  for (const [id, rows] of overlay.history) {
    for (const { seq, rev, bodySeq } of rows) await put(historyKey(id, seq), encodeHistory(rev, bodySeq))
  }
  for (const [first, page] of pages) await put(pageKey(first), page)
  if (note) await put(noteKey(note[0]), new TextEncoder().encode(note[1]))
  await put(rootKey, encodeRoot(overlay.root, salt))
  await operations.write({ sync: true } as object)
}
