import type { Entry } from './entry.js'
import { emptyRoot, type Root } from './root.js'

/** Where a superseded revision has its record. */
export interface HistoryRow {
  readonly seq: number
  readonly rev: string
}

/** What the index has taken and the store does not have yet. */
export class Overlay {
  readonly entries = new Map<string, Entry>()
  readonly history = new Map<string, HistoryRow[]>()
  root: Root = emptyRoot

  addHistory(id: string, rows: readonly HistoryRow[]): void {
    const known = this.history.get(id)
    if (known) known.push(...rows)
    else this.history.set(id, [...rows])
  }

  /** Takes what is newer on top. */
  add(newer: Overlay): void {
    for (const [id, entry] of newer.entries) this.entries.set(id, entry)
    for (const [id, rows] of newer.history) this.addHistory(id, rows)
    this.root = newer.root
  }
}
