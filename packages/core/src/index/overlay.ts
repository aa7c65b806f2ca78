import { compareUtf8 } from '../bytes/compare.js'
import type { Entry, HistoryRow } from './entry.js'
import type { Compacted, IndexCommit } from './index-commit.js'
import { type Bounds, firstFrom } from './range.js'
import { type EntryChange, emptyRoot, isConflict, type Root } from './root.js'

/** Entries gathered before they are written to the store; a replay after a crash is about as long. */
const FULL = 2_048
/** Up to here ids are put in their places one by one rather than sorted with all others. */
const FEW = 64

/** What the index has taken and the store does not have yet. */
export class Overlay {
  readonly #entries = new Map<string, Entry>()
  /** Ids in order, and those that came since they were put in order. */
  #sorted: string[] = []
  #unsorted: string[] = []
  readonly history = new Map<string, HistoryRow[]>()
  /** Rows that the store may have and that are gone: seqs by id. */
  readonly forgotten = new Map<string, Set<number>>()
  /** Ids that came to have several live leaves, or have not any more. */
  readonly conflicts = new Map<string, boolean>()
  root: Root = emptyRoot
  /** The seq past which it has taken records, and the newest arrival time among them. */
  since = 0
  latest = Number.NEGATIVE_INFINITY

  /** Empty, on top of what the store has. */
  static upon(root: Root): Overlay {
    const overlay = new Overlay()
    overlay.root = root
    overlay.since = root.seq
    return overlay
  }

  get isEmpty(): boolean {
    return this.#entries.size + this.history.size + this.forgotten.size === 0
  }

  get isFull(): boolean {
    return this.#entries.size >= FULL
  }

  get entries(): ReadonlyMap<string, Entry> {
    return this.#entries
  }

  change({ id, before, after }: EntryChange): void {
    this.#setEntry(id, after)
    const now = isConflict(after)
    if (now !== (before !== undefined && isConflict(before))) this.conflicts.set(id, now)
  }

  #setEntry(id: string, entry: Entry): void {
    const before = this.#entries.size
    this.#entries.set(id, entry)
    if (this.#entries.size > before) this.#unsorted.push(id)
  }

  /** The ids within the bounds, in order. What it costs follows what came since the last call, and what it finds. */
  within({ from, to }: Bounds): string[] {
    this.#sort()
    const start = firstFrom(this.#sorted, from)
    const end = to === undefined ? this.#sorted.length : firstFrom(this.#sorted, to)
    return this.#sorted.slice(start, end)
  }

  /** The first id within the bounds, or the last. */
  edge({ from, to }: Bounds, reverse: boolean): string | undefined {
    this.#sort()
    const end = to === undefined ? this.#sorted.length : firstFrom(this.#sorted, to)
    const start = firstFrom(this.#sorted, from)
    return start < end ? this.#sorted[reverse ? end - 1 : start] : undefined
  }

  #sort(): void {
    if (this.#unsorted.length <= FEW) {
      for (const id of this.#unsorted) this.#sorted.splice(firstFrom(this.#sorted, id), 0, id)
    } else this.#sorted = [...this.#sorted, ...this.#unsorted].sort(compareUtf8)
    this.#unsorted = []
  }

  addHistory(id: string, row: HistoryRow): void {
    const known = this.history.get(id)
    if (known) known.push(row)
    else this.history.set(id, [row])
    this.forgotten.get(id)?.delete(row.seq)
  }

  /** Takes the history of a commit. */
  follow({ superseded, latest }: IndexCommit): void {
    this.arrived(latest)
    for (const { id, leaf, until } of superseded) {
      const { seq, rev, bodySeq } = leaf
      this.addHistory(id, { seq, rev, bodySeq, until })
    }
  }

  compacted({ forgotten, emptied }: Pick<Compacted, 'forgotten' | 'emptied'>): void {
    for (const { id, seq } of forgotten) this.forgetHistory(id, seq)
    for (const { id, row } of emptied) this.addHistory(id, { ...row, bodySeq: 0 })
  }

  forgetHistory(id: string, seq: number): void {
    const known = this.history.get(id)
    if (known)
      this.history.set(
        id,
        known.filter((row) => row.seq !== seq),
      )
    const seqs = this.forgotten.get(id)
    if (seqs) seqs.add(seq)
    else this.forgotten.set(id, new Set([seq]))
  }

  arrived(at = Number.NEGATIVE_INFINITY): void {
    this.latest = Math.max(this.latest, at)
  }

  /** Takes what is newer on top. */
  add(newer: Overlay): void {
    for (const [id, entry] of newer.entries) this.#setEntry(id, entry)
    for (const [id, now] of newer.conflicts) this.conflicts.set(id, now)
    for (const [id, seqs] of newer.forgotten) for (const seq of seqs) this.forgetHistory(id, seq)
    for (const [id, rows] of newer.history) for (const row of rows) this.addHistory(id, row)
    this.root = newer.root
    this.arrived(newer.latest)
  }
}
