import type { Position } from '../changes/positions.js'
import type { MynahError } from '../errors.js'
import type { IdPrefixes } from '../index/prefixes.js'
import type { IdRange } from '../index/range.js'
import type { IdPrint, PartsFor, RangePart, RangeSum } from '../index/range-sums.js'
import type { ReplicationSettings } from '../log/manifest-data.js'
import type { LogRecord } from '../log/record.js'
import type { LeafRef } from './leaf-ref.js'
import type { OwnShards, ShardPage, TakeReport } from './replica-shards.js'

export type { IdPrefixes } from '../index/prefixes.js'
export type { IdRange } from '../index/range.js'
export type { IdPrint, PartsFor, RangePart, RangeSum } from '../index/range-sums.js'
export type { ReplicationSettings } from '../log/manifest-data.js'
export type { LeafRef } from './leaf-ref.js'
export type { OwnShard, OwnShards, ShardPage, TakeCommit, TakeReport } from './replica-shards.js'

/** How far one direction of replication with one other replica has come; valid only while both positions hold. */
export interface Checkpoint {
  /** The history that was read. */
  readonly source: Position
  /** The history that was written to, as of the last write. */
  readonly target: Position
  /** A feed of a part of the ids, from `source` on, that is not at its end: what it will cover, and the last id taken. */
  readonly walk?: { readonly until: Position; readonly after: string }
  /** The ids that it is about, where these are not all. */
  readonly part?: IdPrefixes
  /** Whether all up to `source` came as it lies there, record by record, so that more may come so from there on. */
  readonly copied?: boolean
}

/** A pushed leaf that the other side refused; kept beside the checkpoint until it is retried or dropped. */
export interface Parked {
  readonly id: string
  readonly rev: string
  /** The other side's code, as in `MYNAH_REVISION_REFUSED`. */
  readonly code: string
  readonly reason: string
  readonly mirror: string
}

/** Part of a replica's feed. */
export interface FeedPage {
  /** Leaves of the documents that changed, all leaves of each document, each with its path. */
  readonly records: readonly LogRecord[]
  /** What the page covers up to; the next page's `since`. With `after`: what will be covered at the end. */
  readonly position: Position
  /** Whether there was more at the time. */
  readonly more: boolean
  /** Of a feed of a part of the ids: the last id that was told. The next page has the same `since`, and `resume`. */
  readonly after?: string
  /** Whether each leaf is known to stand alone: none was written together with others, in a transaction. */
  readonly alone: boolean
}

/** Which page of the feed. */
export interface FeedOptions {
  /** Exclusive. 0 begins at the start. */
  readonly since: number
  /** Bodies, or stubs for all. A leaf whose body is not held is a stub in any case. */
  readonly bodies: boolean
  /** Whole paths, rather than paths back to what was recorded at or below `since`. */
  readonly whole?: boolean
  /**
   * Only ids that begin with one of these. With it the feed is in the order of ids, at the cost of what changed among
   * them, and covers what changed only when it has come to its end.
   */
  readonly prefixes?: readonly string[]
  /** Only ids that begin with none of these; as with `prefixes`. */
  readonly without?: readonly string[]
  /** Goes on after a page that had `after`: the seq of its position, and that id. The other options are to be the same. */
  readonly resume?: { readonly until: number; readonly after: string }
  /** Ends the page there at the latest, where there is more. Not of a part of the ids. */
  readonly upTo?: number
  /**
   * A document of several leaves is told where one of its changes lies, rather than at its newest only: for who goes on
   * behind the page with something else than the next one. Not of a part of the ids.
   */
  readonly early?: boolean
  /** Raw bytes after which the page ends, at least one document. Default 1 MiB. */
  readonly bytes?: number
  readonly signal?: AbortSignal
}

/** What became of one record of a merge. All but `refused` and `detached` mean: it is durable here. */
export type MergeOutcome =
  | { readonly result: 'new' | 'known' | 'supplied' }
  /** Its path ends at a revision unknown here: ask the sender for the whole path. */
  | { readonly result: 'detached' }
  | { readonly result: 'refused'; readonly error: MynahError }

/** How records are merged. */
export interface MergeOptions {
  /** The paths are whole: none is `detached`. */
  readonly whole?: boolean
  /** Where it comes from. From a `peer`, stubs are refused and live leaves capped. Default 'mirror'. */
  readonly from?: 'peer' | 'mirror'
}

/** What became of merged records, in their order. */
export interface MergeReport {
  /** One for each record, in order. */
  readonly outcomes: readonly MergeOutcome[]
  /** What was new took the seqs from `before` + 1 to `position.seq`, with nothing of others in between. */
  readonly before: number
  readonly position: Position
}

/** What a replica says of bodies that another is about to drop. */
export interface HeldAnswer {
  /** Of the database that answers. */
  readonly id: string
  /** Before it looked. Only what a mirror holds counts: a peer may drop it. */
  readonly mode: 'peer' | 'mirror'
  /** For each leaf, in order, whether its body is durable here, and was read and found right just now. */
  readonly held: readonly boolean[]
}

/** Part of what a replica owes. */
export interface OwedPage {
  readonly leaves: readonly LeafRef[]
  /** The next page's `after`; absent at the end. */
  readonly next?: string
}

/** What is held under leaves that are not. */
export interface HeldUnder {
  /** With whole paths; at most one for each leaf. */
  readonly records: readonly LogRecord[]
  /** How many of the leaves this answers for, from the first on: one at least, and as many as fit. */
  readonly done: number
}

/** Fetches bodies from elsewhere, for reads of documents that are known and not held. */
export interface BodySource {
  /**
   * The leaves' records, with bodies, in any order, as many as were to be had.
   * Rejects with `UnreachableError` when nobody could be asked.
   */
  fetch(leaves: readonly LeafRef[], options: { readonly signal?: AbortSignal }): Promise<readonly LogRecord[]>
  /** All leaves of the document as the mirror has them now, with bodies and whole paths; [] when it has none. */
  fetchDocument(id: string, options: { readonly signal?: AbortSignal }): Promise<readonly LogRecord[]>
  /**
   * For each leaf, in order, whether a mirror, asked now and in mode mirror, named it as durably held. Rejects with a
   * `MynahError` when nobody could be asked.
   */
  confirm(leaves: readonly LeafRef[], options: { readonly signal: AbortSignal }): Promise<readonly boolean[]>
  /** Whether the index covers this id: in scope, after a first complete exchange. */
  covers(id: string): boolean
  /** When a mirror that tells of this id last told what changed; undefined before the first complete exchange. */
  asOf(id: string): Date | undefined
}

/**
 * What replication may ask of a database. Only what is fsynced is visible through it, and whatever a method
 * acknowledges is fsynced, also where the database is `relaxed`.
 */
export interface Replica {
  /** 32 lower-case hex digits, made once. */
  readonly id: string
  readonly mode: 'peer' | 'mirror'
  /** Resolves when the database begins to close. */
  readonly closed: Promise<void>
  /** The newest durable place. */
  position(): Position
  /** Whether `position` lies in this database's history and not past the end of its incarnation. */
  holds(position: Position): boolean
  feed(options: FeedOptions): Promise<FeedPage>
  /**
   * How many ids of a range are known, and the sum of their fingerprints: replicas that know the same leaves have the
   * same. Ids are compared by their UTF-8 bytes. A few milliseconds at most, but for the first sum that cuts a page to
   * which many ids came out of order.
   */
  sum(range: IdRange): Promise<RangeSum>
  /** The same, as of one moment, for the parts of a range that begin at these borders, which lie in it and in order. */
  sums(range: IdRange, borders: readonly string[]): Promise<readonly RangeSum[]>
  /**
   * The same for about as many parts of a range as `partsFor` says, of about as many ids each, at least one. The borders are this replica's
   * own choice; all sums are of one moment.
   */
  parts(range: IdRange, partsFor: PartsFor): Promise<readonly RangePart[]>
  /** The first `most` ids of a range, in order of their UTF-8 bytes, with their fingerprints. */
  prints(range: IdRange, most: number): Promise<readonly IdPrint[]>
  /** Which of these leaves a sender should send: unknown here, or known but not held. In order of `leaves`. */
  missing(leaves: readonly LeafRef[]): Promise<readonly boolean[]>
  /** Which of these leaves are leaves here whose bodies are held, durably; each body is read. */
  held(leaves: readonly LeafRef[]): Promise<HeldAnswer>
  /** Raised whenever bodies were lost, and are owed from then on. */
  readonly owedUpTo: number
  /** Raised whenever a pinned document may lack its body. */
  readonly pinned: number
  /**
   * Leaves whose bodies are to be held here and are not: pinned, lost to damage, or written here before the database was put back
   * to an older state; of a replica that holds all, every one. About
   * `limit` of them. `after` is the `next` of the page before. Of a replica that holds all, a page ends after a look at
   * so many `ids`, where that is given.
   */
  owed(options: { readonly after?: string; readonly limit: number; readonly ids?: number }): Promise<OwedPage>
  owedCount(): Promise<number>
  /** A mirror has told all that it knows: where damage left it open what there was, there is no doubt any more. */
  reconciled(): Promise<void>
  /**
   * Takes what is not known yet, as one commit. Resolves when all that was taken is durable. From a peer, records that
   * follow each other by `continues` are taken together or not at all: where one is refused or detached, so are all.
   */
  merge(records: readonly LogRecord[], options?: MergeOptions): Promise<MergeReport>
  /** Shards of this replica's log, from the one that stands for the seq behind `after` on. */
  shards(options: {
    readonly after: number
    readonly bytes: number
    readonly records: number
  }): Promise<ShardPage>
  /** What is sealed behind `after` and was written here, to be pushed as it lies: at most so much. */
  ownShards(options: {
    readonly after: number
    readonly bytes: number
    readonly records: number
    readonly signal?: AbortSignal
  }): Promise<OwnShards>
  /**
   * Takes shards of another log, in order. Those that fit are stored as they are, with the arrival times that they have;
   * the records of others are merged. From a `peer`, records are what `merge` takes from one; default 'mirror'.
   * @throws ShardCorruptError, FormatUnknownError: then nothing of any was taken
   */
  takeShards(
    shards: readonly Uint8Array[],
    options?: { readonly from?: 'peer' | 'mirror' },
  ): Promise<TakeReport>
  /** Those of the leaves whose bodies are held, with them; with whole paths when asked. */
  bodies(leaves: readonly LeafRef[], options?: { readonly whole?: boolean }): Promise<readonly LogRecord[]>
  /**
   * For leaves that are known and not held, what can be sent in their place: the leaf itself where it is a tombstone
   * whose body is proven to be {}, else the newest revision on the way to it that is held, unless another leaf brings it
   * along as an ancestor. Nothing where a deletion that is not held comes first.
   */
  heldUnder(leaves: readonly LeafRef[]): Promise<HeldUnder>
  /**
   * The transactions of several records to which some of the leaves belong: of each, those of its leaves that still are
   * leaves and are held. They are to be sent together.
   */
  together(leaves: readonly LeafRef[]): Promise<readonly (readonly LeafRef[])[]>
  /** All leaves of a document, the winner first, with whole paths, and bodies where held: of a huge one not all. */
  leaves(id: string): Promise<readonly LogRecord[]>
  /** Calls after each durable commit, with the new position; returns the way to stop. */
  onCommit(listener: (position: Position) => void): () => void
  /** Calls when the mode has changed; returns the way to stop. */
  onMode(listener: () => void): () => void
  /** One at a time; undefined takes it away. */
  useSource(source: BodySource | undefined): void
  /** A stored checkpoint that still holds on this side; the caller checks the other side. */
  checkpoint(key: string, direction: 'push' | 'pull'): Promise<Checkpoint | undefined>
  /** Durable when resolved. `parked` replaces what was parked under the key. */
  setCheckpoint(
    key: string,
    direction: 'push' | 'pull',
    checkpoint: Checkpoint,
    parked?: readonly Parked[],
  ): Promise<void>
  parked(key: string): Promise<readonly Parked[]>
  /** As the database's: drops bodies that a mirror holds, and gives how many. */
  evict(ids: readonly string[]): Promise<number>
  settings(): ReplicationSettings
  setSettings(settings: ReplicationSettings): Promise<void>
}
