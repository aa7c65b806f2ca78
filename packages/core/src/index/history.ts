import { parseValue } from './checksum.js'
import { decodeHistory } from './entry.js'
import { historyRange, historySeq } from './keys.js'
import type { DerivedStore } from './level.js'
import type { HistoryRow, Overlay } from './overlay.js'

/** Superseded revisions of a document that have records of their own, the newest first. @throws IndexCorruptError */
export async function readHistory(
  store: DerivedStore,
  overlays: readonly Overlay[],
  id: string,
): Promise<HistoryRow[]> {
  const rows = new Map<number, HistoryRow>()
  const inRam = overlays.flatMap((overlay) => overlay.history.get(id) ?? [])
  for await (const [key, value] of store.iterator(historyRange(id))) {
    const seq = historySeq(key)
    rows.set(seq, { seq, ...parseValue(key, value, decodeHistory) })
  }
  for (const row of inRam) rows.set(row.seq, row)
  return [...rows.values()].sort((a, b) => b.seq - a.seq)
}
