import type { CompactOptions, CompactReport } from './compaction.js'
import type { Conflict, ResolveOptions } from './conflicts.js'
import type { Document, Documents, Input, Moment, REMOVE, Snapshot, Stored, Version } from './documents.js'
import type { Stats } from './stats.js'
import type { Transaction, TransactionOptions } from './transaction.js'
import type { VerifyOptions, VerifyReport } from './verify.js'

type Maybe<T> = T | Promise<T>

/** An open database: what a mirror over HTTP offers too, and what only the holder of the files can do. */
export interface Database extends Documents, AsyncDisposable {
  /** Random, made once: 32 lower-case hex digits. */
  readonly id: string
  readonly mode: 'peer' | 'mirror'
  /** Remembered. */
  setMode(mode: 'peer' | 'mirror'): Promise<void>
  /**
   * On a peer: drops the bodies of these documents' leaves that a mirror, asked now, names as durably held, and gives how
   * many it dropped. The documents stay known, and are fetched again when they are read; nothing of it replicates. What is
   * pinned, not pushed yet, or that the mirror lacks stays.
   * @throws HoldsAllError on a mirror, or with `hold: 'all'` for what is in the scope
   * @throws UnconfirmedError when no mirror could be asked: there is none, none answers, replication does not run
   */
  evict(ids: Iterable<string>): Promise<number>
  /**
   * Reads and writes several documents, all or nothing, as if nothing else happened meanwhile; gives what `run` returned.
   * Where a document that it read was changed by somebody else before it was done, `run` runs again, until it is not or
   * `signal` fires: it should do nothing that cannot be done twice. Where it throws, nothing is written. Durable when
   * resolved, unless the database is `relaxed`.
   * @throws what `run` throws, the signal's reason, StorageError
   */
  transaction<R>(run: (tx: Transaction) => Maybe<R>, options?: TransactionOptions): Promise<R>
  /**
   * The revisions of a document that are recorded here, the newest first, with their documents where held. Nothing is
   * fetched; what compaction dropped is left out.
   * @throws RecordLostError at the end, where damage took some
   */
  history<T extends object = Document>(
    id: string,
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterable<Version<T>>
  /**
   * The database as this replica knew it at a moment. By time: after all records up to the first that arrived later, by
   * this replica's clock; a clock that was put back counts as standing still until it is past where it was.
   * @throws RangeError past the end; HistoryGoneError before what compaction left; RecordLostError
   */
  at(moment: Moment): Promise<Snapshot>
  /**
   * Documents that were changed in several places, none of which knew of the others, in order of id. What is known of
   * them and not held is named, not fetched.
   */
  conflicts(): AsyncIterable<Conflict>
  /**
   * Ends a conflict: what `merge` makes of all versions becomes the next one, and the others end under tombstones, all or
   * nothing; with `REMOVE` the document is deleted. Asks again where the document changed meanwhile. Versions that are not
   * held are fetched. Where there is no conflict (any more), nothing is written and the document given as it is.
   * @throws UnreachableError where a version is not held and no mirror has it; DocumentInvalidError; what `merge` throws
   */
  resolve<T extends object = Document>(
    id: string,
    merge: (conflict: Conflict<T>) => Maybe<Input<T> | typeof REMOVE>,
    options?: ResolveOptions,
  ): Promise<Stored<T> | undefined>
  /**
   * Keeps these documents held, also those that are not known yet: what is not held is fetched in the background while
   * replication runs, and none is evicted. Remembered, and durable when resolved. At most `limits.pins`.
   * @throws PinsFullError, DocumentInvalidError: then nothing was changed; StorageError: then they may be pinned
   */
  pin(ids: Iterable<string>): Promise<void>
  /** Lets these documents be evicted again; they stay held until then. Durable when resolved. */
  unpin(ids: Iterable<string>): Promise<void>
  /** Compresses all that is not yet in shards. Sealing goes on by itself in the background; this finishes it. */
  seal(options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * Seals all, then gives back the room of what nobody needs: bodies of superseded and of evicted revisions, and most of
   * their records; the history of documents goes with them. Goes on beside reads and writes, also by itself when more
   * than half of what is sealed is dead. Needs room for what it writes before the old may go: some 16 MiB, and the size of
   * the index. @throws ReadOnlyError, StorageError; DiskFullError: what was done until then stays, and nothing is lost
   */
  compact(options?: CompactOptions): Promise<CompactReport>
  /** Reads and checks every byte. With `repair`, an index that does not agree is rebuilt from the log. */
  verify(options?: VerifyOptions): Promise<VerifyReport>
  stats(): Promise<Stats>
}
