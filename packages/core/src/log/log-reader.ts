import type { Env } from '../env/env.js'
import { RecordLostError, ShardCorruptError, StorageError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import type { HotTail } from './hot-tail.js'
import type { LostRecords } from './lost-records.js'
import { isReadable, readShardBytes } from './patient-read.js'
import type { LogRecord, Sequenced } from './record.js'
import type { Shard } from './shard.js'
import { readShard, ShardCache } from './shard-cache.js'
import { lastSeqOf, type SpanTable, type StoredShard } from './span-table.js'

/** Records in one batch of a scan of the hot tail. */
const SCAN_RECORDS = 1_000

export interface LogReaderOptions {
  readonly storage: Storage
  readonly env: Env
  readonly tail: HotTail
  readonly table: SpanTable
  readonly lost: LostRecords
  readonly cacheBytes: number
}

/** A shard that the disk refuses so often, for so long, while the rest of its file can be read, is lost. */
const REFUSALS = 3
const REFUSED_MS = 30_000

/** A shard, and where it was found. */
export interface PlacedShard {
  readonly at: StoredShard
  readonly shard: Shard
}

/** The records of a shard with their seqs, in order. @throws ShardCorruptError */
export function recordsOf({ at, shard: { block } }: PlacedShard): readonly Sequenced[] {
  return Array.from({ length: block.count }, (_, index) => ({
    seq: at.firstSeq + block.offsetAt(index),
    record: block.record(index),
  }))
}

/** Finds records by seq, in RAM and in shards. A shard that cannot be read is given up by whoever finds it. */
export class LogReader {
  readonly #refused = new WeakMap<StoredShard, { readonly sinceMs: number; times: number }>()
  readonly #options: LogReaderOptions
  readonly #cache: ShardCache

  constructor(options: LogReaderOptions) {
    this.#options = options
    this.#cache = new ShardCache(options.storage, options.env, options.cacheBytes)
  }

  /** The record, where its shard is decoded. @throws ShardCorruptError */
  cached(seq: number): LogRecord | undefined {
    const stored = this.#options.table.find(seq)
    const shard = stored && this.#cache.held(stored)
    if (stored === undefined || shard === undefined) return undefined
    const index = shard.block.indexOf(seq - stored.firstSeq)
    return index < 0 ? undefined : shard.block.record(index)
  }

  /** @throws RecordLostError, StorageError */
  async sealed(seq: number): Promise<LogRecord> {
    const { table, lost } = this.#options
    const stored = table.find(seq)
    if (stored === undefined) throw new RecordLostError(seq)
    try {
      const { at, found: shard } = await this.#whereverItIs(stored, (place) => this.#cache.get(place))
      const index = shard.block.indexOf(seq - at.firstSeq)
      if (index >= 0) return shard.block.record(index)
    } catch (cause) {
      if (!(cause instanceof ShardCorruptError)) throw cause
      // Known in RAM all the same; told durably by the next who finds it, or needs it to be.
      await lost.record().catch(() => undefined)
      throw new RecordLostError(seq, { cause })
    }
    throw new RecordLostError(seq)
  }

  /** What is lost is passed over, and known as lost durably before anything behind it is given out. @throws StorageError */
  async *scan(from: number, to: number): AsyncGenerator<readonly Sequenced[]> {
    const { tail, table, lost } = this.#options
    const bounds = { bytes: Number.POSITIVE_INFINITY, records: SCAN_RECORDS }
    await lost.record()
    for (let seq = from; seq <= to; ) {
      // Looked up anew each time: what was hot before the last batch may be sealed now.
      const stored = table.from(seq)
      const run = tail.run(seq, to, bounds)
      let batch: readonly Sequenced[]
      if (stored !== undefined && Math.max(stored.firstSeq, seq) <= (run?.firstSeq ?? to)) {
        batch = await this.#batch(stored, seq, to)
        seq = lastSeqOf(stored) + 1
      } else {
        if (run === undefined) break
        batch = run.records
        seq = run.lastSeq + 1
      }
      if (batch.length === 0) continue
      await lost.record()
      yield batch
    }
    await lost.record()
  }

  /** Reads the shard from the disk, whatever RAM has. @throws ShardCorruptError: then it is given up; StorageError */
  async probe(stored: StoredShard): Promise<PlacedShard> {
    const { storage, env } = this.#options
    const { at, found: shard } = await this.#whereverItIs(stored, (place) => readShard(storage, place, env))
    return { at, shard }
  }

  /** The bytes of the shard, and where they were found. @throws ShardCorruptError: then it is given up; StorageError */
  bytes(stored: StoredShard): Promise<{ readonly at: StoredShard; readonly found: Uint8Array }> {
    return this.#whereverItIs(stored, (at) => readShardBytes(this.#options.storage, at))
  }

  cacheStats(): { readonly cacheBytes: number; readonly cacheHits: number; readonly cacheMisses: number } {
    const { bytes, hits, misses } = this.#cache
    return { cacheBytes: bytes, cacheHits: hits, cacheMisses: misses }
  }

  close(): void {
    this.#cache.clear()
  }

  async #batch(stored: StoredShard, from: number, to: number): Promise<readonly Sequenced[]> {
    // Not kept: a scan would wash out of the cache what is read again and again.
    const known = this.#cache.peek(stored)
    const placed =
      known === undefined
        ? await this.probe(stored).catch((error: unknown) => {
            if (!(error instanceof ShardCorruptError)) throw error
            return undefined
          })
        : { at: stored, shard: known }
    if (placed === undefined) return []
    // Where it was put together with its neighbours, those are read in their turn.
    const end = Math.min(to, lastSeqOf(stored))
    return recordsOf(placed).filter(({ seq }) => seq >= from && seq <= end)
  }

  /** Reads a shard where it stands by then: it may be written anew to another file, and the old one be removed. */
  async #whereverItIs<T>(
    stored: StoredShard,
    read: (at: StoredShard) => Promise<T>,
  ): Promise<{ readonly at: StoredShard; readonly found: T }> {
    for (let at = stored; ; ) {
      try {
        return { at, found: await this.#orGiveUp(at, read(at)) }
      } catch (error) {
        const now = this.#options.table.movedTo(at)
        if (now === undefined) throw error
        at = now
      }
    }
  }

  /** @throws ShardCorruptError: then its records count as lost; StorageError */
  async #orGiveUp<T>(stored: StoredShard, reading: Promise<T>): Promise<T> {
    try {
      const read = await reading
      this.#refused.delete(stored)
      return read
    } catch (error) {
      const corrupt = error instanceof StorageError ? await this.#asLost(stored, error) : error
      if (!(corrupt instanceof ShardCorruptError)) throw error
      this.#options.lost.giveUp(stored, corrupt.detail)
      throw corrupt
    }
  }

  /** Whether a shard has been refused for so long that it will not be had any more. */
  async #asLost(stored: StoredShard, refusal: StorageError): Promise<ShardCorruptError | undefined> {
    const { storage, env } = this.#options
    const now = env.monotonicMs()
    const refused = this.#refused.get(stored) ?? { sinceMs: now, times: 0 }
    refused.times += 1
    this.#refused.set(stored, refused)
    if (refused.times < REFUSALS || now - refused.sinceMs < REFUSED_MS) return undefined
    if (!(await isReadable(storage, stored.segment))) return undefined
    return new ShardCorruptError(stored.firstSeq, refusal.message, { cause: refusal })
  }
}
