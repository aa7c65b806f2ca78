import { valueBytes } from '../codec/value-size.js'
import type { Env } from '../env/env.js'
import { ClosedError, type MynahError, ReadOnlyError } from '../errors.js'
import { limits } from '../limits.js'
import type { Storage } from '../storage/storage.js'
import { encodeBlock } from './block.js'
import type { Finding } from './finding.js'
import type { HotTail } from './hot-tail.js'
import { HotWriter } from './hot-writer.js'
import { LogReader } from './log-reader.js'
import type { LogStats } from './log-stats.js'
import type { Incarnation, Manifest } from './manifest.js'
import type { LogRecord, Sequenced } from './record.js'
import { type Recovered, recover } from './recovery.js'
import { Sealer } from './sealer.js'
import { SegmentWriter } from './segment-writer.js'
import { mergeSpans, type SeqSpan, spanFrom } from './span.js'
import { lastSeqOf, type SpanTable, type StoredShard } from './span-table.js'
import { type VerifyProgress, verifyLog } from './verify.js'

export type { LogStats } from './log-stats.js'

/** Bytes of records that may wait to be sealed before a write has to. */
const HOT_BYTES_MAX = 32 * 1024 * 1024
/** Of that, what may gather before records are sealed beside writes that leave no pause. */
const EAGER_PART = 1 / 32

export interface LogOptions {
  readonly storage: Storage
  readonly env: Env
  readonly manifest: Manifest
  /** The last seq that the index covers: what is missing at or below it is damage, not a torn end. */
  readonly watermark: number
  readonly readOnly: boolean
  /** Bytes of records sealed into one shard, about as many as they take as JSON. */
  readonly shardBytes: number
  /** Decoded shards kept in RAM. */
  readonly cacheBytes: number
  /** Unsealed bytes past which a write waits for the sealer. Default 32 MiB. */
  readonly hotBytesMax?: number
  /** Told of failures that no caller waits for; all of them are tried again. */
  readonly onError?: (error: MynahError) => void
}

/** The records of a database, at seqs from 1 to `head` without a gap. */
export interface Log {
  /** The last seq; 0 when there is none. */
  readonly head: number
  /** The last seq that is durable. */
  readonly synced: number
  /** Oldest first. */
  readonly incarnations: readonly Incarnation[]
  /** What was found damaged while opening, or by `salvage`. */
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
  /** @throws RangeError outside 1 to head; RecordLostError, ShardCorruptError, StorageError */
  read(seq: number): Promise<LogRecord>
  /**
   * The records from one seq to another, both included, in order and in batches. Lost ones are left out.
   * @throws ShardCorruptError, StorageError
   */
  scan(from: number, to: number): AsyncIterable<readonly Sequenced[]>
  /**
   * As `scan`, for a reader that has to come to the end: a shard that cannot be read is passed over, and its records
   * count as lost from then on.
   * @throws StorageError
   */
  salvage(from: number, to: number): AsyncIterable<readonly Sequenced[]>
  isLost(seq: number): boolean
  /** Seals all that was appended before the call; when nothing was since, no hot file is left. @throws StorageError */
  seal(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Reads every byte that counts, and decodes every shard. */
  verify(options?: {
    readonly signal?: AbortSignal
    readonly onProgress?: (progress: VerifyProgress) => void
  }): AsyncIterable<Finding>
  stats(): LogStats
  /** Makes all durable and stops; what was not sealed is sealed after the next open. The storage stays open. */
  close(): Promise<void>
}

/**
 * Opens the log that the manifest describes. Before the first append nothing is written, but for what was found damaged,
 * and what a killed process left without proof that it is durable.
 * @throws FormatUnknownError, StorageError
 */
export async function openLog(options: LogOptions): Promise<Log> {
  return new StoredLog(options, await recover(options))
}

class StoredLog implements Log {
  readonly damage: Finding[]
  readonly #options: LogOptions
  #lost: readonly SeqSpan[]
  readonly #tail: HotTail
  readonly #table: SpanTable
  readonly #reader: LogReader
  readonly #hot: HotWriter
  readonly #segments: SegmentWriter
  readonly #sealer: Sealer
  /** Of the segments as they were opened. */
  readonly #openedBytes: number
  readonly #hotBytesMax: number
  #closing: Promise<void> | undefined

  constructor(options: LogOptions, recovered: Recovered) {
    const { storage, env, manifest, shardBytes, cacheBytes } = options
    const { hotBytesMax = HOT_BYTES_MAX, onError = () => undefined } = options
    this.#hotBytesMax = hotBytesMax
    const { head, tail, table, numbers } = recovered
    this.#options = options
    this.damage = [...recovered.findings]
    this.#lost = recovered.lost
    this.#tail = tail
    this.#table = table
    this.#reader = new LogReader({ storage, env, tail, table, cacheBytes })
    this.#openedBytes = recovered.segments.reduce((sum, { length }) => sum + length, 0)
    this.#hot = new HotWriter({
      storage,
      env,
      manifest,
      numbers,
      head,
      files: recovered.hot.files,
      predecessor: recovered.hot.end,
      onError,
    })
    this.#segments = new SegmentWriter({ storage, env, manifest, numbers, ...recovered.openSegments })
    this.#sealer = new Sealer({
      env,
      tail,
      table,
      hot: this.#hot,
      segments: this.#segments,
      shardBytes,
      eagerBytes: hotBytesMax * EAGER_PART,
      onError,
    })
  }

  get head(): number {
    return this.#hot.head
  }

  get synced(): number {
    return this.#hot.synced
  }

  get incarnations(): readonly Incarnation[] {
    return this.#options.manifest.data.incarnations
  }

  async append(records: readonly LogRecord[], options: { readonly sync: boolean }): Promise<number> {
    this.#requireWritable()
    if (records.length === 0 || records.length > limits.blockRecords)
      throw new RangeError(`A group has 1 to ${limits.blockRecords} records, not ${records.length}`)
    while (this.#tail.bytes > this.#hotBytesMax) {
      await this.#sealer.relieve()
      this.#requireOpen()
    }
    const firstSeq = await this.#hot.append((seq) => encodeGroupOf(records, seq), {
      sync: options.sync,
      take: (seq, payload) => this.#tail.add(seq, records, recordsBytes(records), payload),
    })
    this.#sealer.wake()
    return firstSeq
  }

  async sync(): Promise<void> {
    this.#requireWritable()
    await this.#hot.sync()
  }

  hot(seq: number): LogRecord | undefined {
    return this.#tail.get(seq) ?? this.#reader.cached(seq)
  }

  async read(seq: number): Promise<LogRecord> {
    this.#requireOpen()
    const record = this.#tail.get(seq)
    if (record !== undefined) return record
    if (!Number.isSafeInteger(seq) || seq < 1 || seq > this.head)
      throw new RangeError(`There is no record at seq ${seq}: the last one is ${this.head}`)
    return this.#reader.sealed(seq)
  }

  async *scan(from: number, to: number): AsyncGenerator<readonly Sequenced[]> {
    this.#requireOpen()
    for await (const batch of this.#reader.scan(Math.max(1, from), Math.min(to, this.head))) {
      yield batch
      this.#requireOpen()
    }
  }

  async *salvage(from: number, to: number): AsyncGenerator<readonly Sequenced[]> {
    this.#requireOpen()
    let raised = false
    yield* this.#reader.scan(Math.max(1, from), Math.min(to, this.head), async (shard, { detail }) => {
      await this.#lose(shard, detail, !raised)
      raised = true
    })
  }

  isLost(seq: number): boolean {
    const span = spanFrom(this.#lost, seq)
    if (span === undefined || span.firstSeq > seq) return false
    return this.#tail.get(seq) === undefined && this.#table.find(seq) === undefined
  }

  async seal(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#requireWritable()
    await this.#hot.sync()
    await this.#sealer.seal(this.head, options.signal)
    await this.#hot.retire()
    await this.#sealer.release()
  }

  verify(
    options: { readonly signal?: AbortSignal; readonly onProgress?: (progress: VerifyProgress) => void } = {},
  ): AsyncIterable<Finding> {
    this.#requireOpen()
    const { storage, env, manifest } = this.#options
    const parts = { hot: this.#hot, tail: this.#tail, table: this.#table, lost: this.#lost }
    return verifyLog({ storage, env, manifest, ...parts, ...options })
  }

  stats(): LogStats {
    const { count, bytes } = this.#tail
    return {
      hotRecords: count,
      hotBytes: Math.round(bytes),
      sealedRecords: this.#table.records,
      sealedBytes: this.#table.storedBytes,
      rawBytes: this.#table.rawBytes,
      diskBytes: this.#hot.diskBytes + this.#openedBytes + this.#segments.writtenBytes,
      segments: this.#options.manifest.data.segments.length,
      shards: this.#table.size,
      lostRecords: this.#lost.reduce((sum, { firstSeq, lastSeq }) => sum + lastSeq + 1 - firstSeq, 0),
      ...this.#reader.cacheStats(),
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#sealer.close()
    await this.#hot.close()
    this.#reader.close()
  }

  async #lose(shard: StoredShard, fault: string, raise: boolean): Promise<void> {
    const span = { firstSeq: shard.firstSeq, lastSeq: lastSeqOf(shard) }
    const lost = mergeSpans([...this.#lost, span])
    if (!this.#options.readOnly)
      await this.#options.manifest.update(({ damage }) => ({ lost, damage: raise ? damage + 1 : damage }))
    this.#lost = lost
    this.#table.remove(shard)
    this.damage.push({ file: shard.segment, fault, ...span })
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError()
  }

  #requireWritable(): void {
    this.#requireOpen()
    if (this.#options.readOnly) throw new ReadOnlyError()
  }
}

/** What shards and the backlog are measured in: the records as they came, whatever their blocks make of them. */
function recordsBytes(records: readonly LogRecord[]): number {
  let bytes = 0
  for (const { id, path, body } of records)
    bytes += 40 + id.length + 40 * path.length + valueBytes(body ?? null)
  return bytes
}

function encodeGroupOf(
  records: readonly LogRecord[],
  firstSeq: number,
): { readonly count: number; readonly payload: Uint8Array } {
  const sequenced = records.map((record, index) => ({ seq: firstSeq + index, record }))
  return { count: records.length, payload: encodeBlock(sequenced, firstSeq) }
}
