import { parseValue } from './checksum.js'
import { decodeHistory, type HistoryRow } from './entry.js'
import { historyRange, numberAtEnd } from './keys.js'
import type { DerivedStore } from './level.js'
import type { Overlay } from './overlay.js'

/** Seqs from `from` to before `before`. */
export interface HistoryBounds {
  readonly from?: number
  readonly before?: number
}

/** Superseded revisions of a document that have records of their own, the newest first. @throws IndexCorruptError */
export async function readHistory(
  store: DerivedStore,
  overlays: readonly Overlay[],
  id: string,
  { from = 0, before = Number.POSITIVE_INFINITY }: HistoryBounds = {},
): Promise<HistoryRow[]> {
  const rows = new Map<number, HistoryRow>()
  // All in one turn, as the iterator sees the store as of now.
  const newer = overlays.map((overlay) => ({
    forgotten: [...(overlay.forgotten.get(id) ?? [])],
    rows: overlay.history.get(id) ?? [],
  }))
  const range = Number.isFinite(before) ? historyRange(id, from, before) : historyRange(id, from)
  for await (const [key, value] of store.iterator(range)) {
    const seq = numberAtEnd(key)
    rows.set(seq, { seq, ...parseValue(key, value, decodeHistory) })
  }
  for (const one of newer) {
    for (const seq of one.forgotten) rows.delete(seq)
    for (const row of one.rows) if (row.seq >= from && row.seq < before) rows.set(row.seq, row)
  }
  return [...rows.values()].sort((a, b) => b.seq - a.seq)
}
