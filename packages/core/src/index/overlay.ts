import type { Entry } from './entry.js'
import { emptyRoot, type Root } from './root.js'

/** Where a superseded revision has its record. */
export interface HistoryRow {
  readonly seq: number
  readonly rev: string
  /** Where its body is; 0 when it was not held. */
  readonly bodySeq: number
}

/** What the index has taken and the store does not have yet. */
export class Overlay {
  readonly entries = new Map<string, Entry>()
  readonly history = new Map<string, HistoryRow[]>()
  root: Root = emptyRoot

  addHistory(id: string, { seq, rev, bodySeq }: HistoryRow): void {
    const row = { seq, rev, bodySeq }
    const known = this.history.get(id)
    if (known) known.push(row)
    else this.history.set(id, [row])
  }

  /** Takes what is newer on top. */
  add(newer: Overlay): void {
    for (const [id, entry] of newer.entries) this.entries.set(id, entry)
    for (const [id, rows] of newer.history) for (const row of rows) this.addHistory(id, row)
    this.root = newer.root
  }
}
