import type { Compactor } from './compactor.js'
import type { Finding } from './finding.js'
import type { LogStats } from './log-stats.js'
import type { Incarnation } from './manifest.js'
import type { LogRecord, Sequenced } from './record.js'
import type { SealedPart } from './sealed-part.js'
import type { TakenShard } from './shard-taker.js'
import type { CheckOptions } from './verify.js'

/** The records of a database, at seqs from 1 to `head` without a gap. */
export interface Log {
  /** The last seq; 0 when there is none. */
  readonly head: number
  /** The last seq that is durable. */
  readonly synced: number
  /** Oldest first. */
  readonly incarnations: readonly Incarnation[]
  /** What was found damaged while opening, and what could not be read since. */
  readonly damage: readonly Finding[]
  /**
   * Appends the records, which stay borrowed, as one group: all of them or none. Gives the first one's seq. With `sync`
   * they are durable when it resolves and visible from then on, else they are visible and not durable yet.
   * One call at a time.
   * @throws StorageError: then none was appended, and the next call tries a new file
   */
  append(records: readonly LogRecord[], options: { readonly sync: boolean }): Promise<number>
  /** Makes all that was appended durable. @throws StorageError */
  sync(): Promise<void>
  /** The record, where RAM has it: not sealed yet, or in a shard that is decoded. @throws ShardCorruptError */
  hot(seq: number): LogRecord | undefined
  /**
   * A shard that cannot be read, again and again, is given up by whoever finds it: its records count as lost from then on.
   * @throws RangeError outside 1 to head; RecordLostError, StorageError
   */
  read(seq: number): Promise<LogRecord>
  /**
   * The records from one seq to another, both included, in order and in batches. Lost ones are left out; what is found
   * lost on the way is so durably before what stands behind it is given.
   * @throws StorageError
   */
  scan(from: number, to: number): AsyncIterable<readonly Sequenced[]>
  /** Bytes of records that are sealed into one shard, about as many as they take as JSON. */
  readonly shardBytes: number
  /**
   * Shards as they lie, from the one that stands for the seq behind `after` on, up to the first that is not sealed: one
   * at least, where there is one, else about so many bytes and records.
   * @throws StorageError
   */
  sealed(after: number, bounds: { readonly bytes: number; readonly records: number }): Promise<SealedPart>
  /**
   * Takes shards of another log as they are, behind all that is here: all of them or none. Gives the seq at which the
   * first of them begins now. Durable and visible when it resolves. Nothing may be appended meanwhile.
   * @throws StorageError: then none was taken
   */
  take(shards: readonly TakenShard[]): Promise<number>
  isLost(seq: number): boolean
  /** To be called when the index has seen every record: from then on it knows of which documents some are lost. */
  followed(): void
  /** Calls each time when the manifest was told of more records that are lost. */
  onLost(listener: () => void): void
  /**
   * Gives the history a new name, from its first seq on: no position that anybody remembers holds any more; and counts
   * the damage up to this number as settled.
   * @throws StorageError
   */
  rename(damage: number): Promise<void>
  /** Seals all that was appended before the call; when nothing was since, no hot file is left. @throws StorageError */
  seal(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Reads every byte that counts, and decodes every shard. */
  verify(options?: CheckOptions): AsyncIterable<Finding>
  /** Writes anew what is whole of files in which something was found; gives those that are as they should be now. @throws StorageError */
  mend(findings: readonly Finding[]): Promise<readonly string[]>
  /** Rewrites what is sealed. */
  readonly compactor: Compactor
  /** Closes the segment that is written, so that compaction may rewrite it. @throws StorageError */
  closeSegment(): Promise<void>
  stats(): LogStats
  /** Makes all durable and stops; what was not sealed is sealed after the next open. The storage stays open. */
  close(): Promise<void>
}
