import type { Leaf } from '../document/tree.js'
import type { Env } from '../env/env.js'
import type { HistoryRow } from './entry.js'
import type { DerivedStore } from './level.js'
import type { EntryChange } from './root.js'

/** What one commit changes in the index. */
export interface IndexCommit {
  readonly changes: readonly EntryChange[]
  /** Leaves that were superseded, or are told of by another record now: by the one at `until`. */
  readonly superseded: readonly { readonly id: string; readonly leaf: Leaf; readonly until: number }[]
  /** Where bodies are that no leaf has any more. */
  readonly dead?: readonly number[]
  /** The last seq of the commit. */
  readonly seq: number
  /** The newest arrival time among its records. */
  readonly latest?: number
}

/** What compaction took out of the log, within these spans. */
export interface Compacted {
  readonly spans: readonly { readonly firstSeq: number; readonly lastSeq: number }[]
  /** Superseded revisions that have no record any more, and others of which only the body is gone. */
  readonly forgotten: readonly { readonly id: string; readonly seq: number }[]
  readonly emptied: readonly { readonly id: string; readonly row: HistoryRow }[]
  /** Seqs of bodies that are gone, and of others that are no leaf's and were kept. */
  readonly dropped: readonly number[]
  readonly kept: readonly number[]
}

export interface DocumentIndexOptions {
  readonly store: DerivedStore
  readonly env: Env
  readonly cacheBytes: number
  /** Resolves when every record up to `seq` is fsynced, and the store takes writes: only then it gets them. */
  readonly whenSynced: (seq: number) => Promise<void>
  /** Notes written with each batch, for the seq that it follows the log to. */
  readonly stamp?: (seq: number) => readonly [name: string, text: string]
}
