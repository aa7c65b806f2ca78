import type { SeqSpan } from './span.js'

/** An open that wrote: from `firstSeq` until the next one's. */
export interface Incarnation {
  /** 32 lower-case hex digits. */
  readonly id: string
  readonly firstSeq: number
}

/** A segment file: `closed` when it has its footer and never changes again. */
export interface SegmentEntry {
  readonly name: string
  readonly closed: boolean
}

/** What replication remembers in the database: part of the manifest, replaced as a whole. */
export interface ReplicationSettings {
  readonly mirrors: readonly {
    readonly url: string
    readonly token?: string
    /** The database's id there, once it was reached. */
    readonly id?: string
  }[]
  /** Mirrors that mirrors named, and which of those above did. */
  readonly learnt?: readonly { readonly url: string; readonly by: readonly string[]; readonly id?: string }[]
  /** Addresses that the application took out: not to be learnt again. */
  readonly removed?: readonly string[]
  /** Id prefixes that the index covers; undefined for all, [] for none. */
  readonly scope?: readonly string[]
  readonly hold?: 'used' | 'all'
  /** What left the scope, and may still be held: but for what is in it now. */
  readonly left?: readonly { readonly prefixes?: readonly string[]; readonly without?: readonly string[] }[]
}

/** What a database is, and which files it consists of. */
export interface ManifestData {
  /** The database's: 32 lower-case hex digits. */
  readonly id: string
  readonly mode: 'peer' | 'mirror'
  /** Milliseconds since 1970 UTC. */
  readonly created: number
  /** Oldest first, at most `limits.incarnations`. */
  readonly incarnations: readonly Incarnation[]
  /** Above the number of every file that was ever named. */
  readonly nextFile: number
  /** Oldest first. */
  readonly hot: readonly string[]
  readonly segments: readonly SegmentEntry[]
  /** In order, none touching another. */
  readonly lost: readonly SeqSpan[]
  /** Seqs of records that tell again of leaves whose bodies were lost and are to be fetched; in order, none touching another. */
  readonly owed?: readonly SeqSpan[]
  /** Raised whenever records were found lost: checkpoints stored under an older count are void. */
  readonly damage: number
  /** The `damage` up to which the leaves that were lost are told again; 0 without. */
  readonly settled?: number
  /** Records were lost that the index had not seen: documents may be older here than they were, or missing. */
  readonly doubt?: boolean
  /**
   * Seqs at which nobody knows what the leaves were: records were lost before one of them, and the index that had seen
   * them is gone.
   */
  readonly unseen?: SeqSpan
  /** Numbers of the files of pins that were written. */
  readonly pins?: readonly number[]
  /** The folder of the index is `index-N`. */
  readonly index: number
  /** Superseded revisions at or above this seq are all there; 0 when none was ever dropped. */
  readonly historySince: number
  /** The newest arrival time among the records that were dropped as superseded: when less had arrived nobody knows. */
  readonly historyTime?: number
  readonly replication: ReplicationSettings
}
