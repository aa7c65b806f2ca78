import { ClosedError, ReadOnlyError } from '../errors.js'
import { limits } from '../limits.js'
import { encodeGroupOf, recordsBytes } from './appended.js'
import { Compactor } from './compactor.js'
import type { Finding } from './finding.js'
import type { HotTail } from './hot-tail.js'
import { HotWriter } from './hot-writer.js'
import type { LogOptions } from './log-options.js'
import type { Log } from './log-port.js'
import { LogReader } from './log-reader.js'
import type { LogStats } from './log-stats.js'
import { LostRecords } from './lost-records.js'
import type { Incarnation } from './manifest.js'
import { mendLog } from './mend.js'
import type { LogRecord, Sequenced } from './record.js'
import { type Recovered, recover } from './recovery.js'
import { type SealedPart, sealedPart } from './sealed-part.js'
import { Sealer } from './sealer.js'
import { SegmentWriter } from './segment-writer.js'
import { ShardTaker, type TakenShard } from './shard-taker.js'
import type { SpanTable } from './span-table.js'
import { Stopwatch } from './stopwatch.js'
import { type CheckOptions, verifyLog } from './verify.js'

export type { LogOptions } from './log-options.js'
export type { Log } from './log-port.js'
export type { LogStats } from './log-stats.js'

/** Bytes of records that may wait to be sealed before a write has to. */
const HOT_BYTES_MAX = 32 * 1024 * 1024
/** Of that, what may gather before records are sealed beside writes that leave no pause. */
const EAGER_PART = 1 / 32

/**
 * Opens the log that the manifest describes. Before the first append nothing is written, but for what was found damaged,
 * and what a killed process left without proof that it is durable.
 * @throws FormatUnknownError, StorageError
 */
export async function openLog(options: LogOptions): Promise<Log> {
  return new StoredLog(options, await recover(options))
}

class StoredLog implements Log {
  readonly #options: LogOptions
  readonly #opening: readonly Finding[]
  readonly #lost: LostRecords
  readonly #tail: HotTail
  readonly #table: SpanTable
  readonly #reader: LogReader
  readonly #hot: HotWriter
  readonly #segments: SegmentWriter
  readonly #sealer: Sealer
  readonly #appends: Stopwatch
  readonly #taker: ShardTaker
  readonly compactor: Compactor
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
    this.#opening = recovered.findings
    this.#lost = new LostRecords({ ...options, tail, table, lost: recovered.lost })
    this.#tail = tail
    this.#table = table
    this.#reader = new LogReader({ storage, env, tail, table, lost: this.#lost, cacheBytes })
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
    this.#appends = new Stopwatch(env)
    this.#sealer = new Sealer({
      storage,
      env,
      tail,
      table,
      hot: this.#hot,
      segments: this.#segments,
      shardBytes,
      eagerBytes: hotBytesMax * EAGER_PART,
      onError,
    })
    const parts = { numbers, table, reader: this.#reader, lost: this.#lost, onError }
    this.#taker = new ShardTaker({ storage, env, manifest, numbers, table, hot: this.#hot })
    this.compactor = new Compactor({ ...options, ...parts })
    // Where a file is damaged once, the frames around may be as well: from now on they are found without their headers.
    if (!options.readOnly) this.#lost.onRecorded(() => void this.#sealer.finish().catch(onError))
  }

  get head(): number {
    return this.#hot.head
  }

  get synced(): number {
    return this.#hot.synced
  }

  get damage(): readonly Finding[] {
    return [...this.#opening, ...this.#lost.findings]
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
    const appended = this.#hot.append((seq) => encodeGroupOf(records, seq), {
      sync: options.sync,
      take: (seq, payload) => this.#tail.add(seq, records, recordsBytes(records), payload),
    })
    const firstSeq = await this.#appends.time(appended)
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

  get shardBytes(): number {
    return this.#options.shardBytes
  }

  async sealed(after: number, bounds: Parameters<Log['sealed']>[1]): Promise<SealedPart> {
    this.#requireOpen()
    const parts = { tail: this.#tail, table: this.#table, lost: this.#lost, reader: this.#reader }
    return sealedPart(parts, after, bounds)
  }

  async take(shards: readonly TakenShard[]): Promise<number> {
    this.#requireWritable()
    return this.#taker.take(shards)
  }

  isLost(seq: number): boolean {
    return this.#lost.has(seq)
  }

  followed(): void {
    this.#lost.followed()
  }

  onLost(listener: () => void): void {
    this.#lost.onRecorded(listener)
  }

  async rename(damage: number): Promise<void> {
    this.#requireWritable()
    await this.#hot.rename(damage)
  }

  async seal(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#requireWritable()
    await this.#hot.sync()
    await this.#sealer.seal(this.head, options.signal)
    await this.#hot.retire()
    await this.#sealer.release()
  }

  closeSegment(): Promise<void> {
    this.#requireWritable()
    return this.#sealer.finish()
  }

  verify(options: CheckOptions = {}): AsyncIterable<Finding> {
    this.#requireOpen()
    const { storage, manifest } = this.#options
    const parts = {
      hot: this.#hot,
      tail: this.#tail,
      table: this.#table,
      lost: this.#lost,
      reader: this.#reader,
    }
    return verifyLog({ storage, manifest, ...parts, ...options })
  }

  mend(findings: readonly Finding[]): Promise<readonly string[]> {
    this.#requireWritable()
    const parts = { manifest: this.#options.manifest, hot: this.#hot, sealer: this.#sealer }
    return this.compactor.exclusively(() => mendLog({ ...parts, seal: () => this.seal() }, findings))
  }

  stats(): LogStats {
    const { count, bytes } = this.#tail
    return {
      hotRecords: count,
      hotBytes: Math.round(bytes),
      sealedRecords: this.#table.records,
      sealedBytes: this.#table.storedBytes,
      rawBytes: this.#table.rawBytes,
      diskBytes:
        this.#hot.diskBytes +
        this.#openedBytes +
        this.#segments.writtenBytes +
        this.#taker.writtenBytes +
        this.compactor.writtenBytes,
      segments: this.#options.manifest.data.segments.length,
      shards: this.#table.size,
      lostRecords: this.#lost.count,
      commits: this.#appends.count,
      commitMs: this.#appends.ms,
      seals: this.#sealer.seals.count,
      sealMs: this.#sealer.seals.ms,
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

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError()
  }

  #requireWritable(): void {
    this.#requireOpen()
    if (this.#options.readOnly) throw new ReadOnlyError()
  }
}
