import type { Env } from '../env/env.js'
import { RecordLostError, ShardCorruptError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import type { HotTail } from './hot-tail.js'
import type { LogRecord, Sequenced } from './record.js'
import { readShard, ShardCache } from './shard-cache.js'
import { lastSeqOf, type SpanTable, type StoredShard } from './span-table.js'

/** Records in one batch of a scan of the hot tail. */
const SCAN_RECORDS = 1_000

export interface LogReaderOptions {
  readonly storage: Storage
  readonly env: Env
  readonly tail: HotTail
  readonly table: SpanTable
  readonly cacheBytes: number
}

/** Finds records by seq, in RAM and in shards. */
export class LogReader {
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

  /** @throws RecordLostError, ShardCorruptError, StorageError */
  async sealed(seq: number): Promise<LogRecord> {
    const stored = this.#options.table.find(seq)
    if (stored === undefined) throw new RecordLostError(seq)
    const { block } = await this.#cache.get(stored)
    const index = block.indexOf(seq - stored.firstSeq)
    if (index < 0) throw new RecordLostError(seq)
    return block.record(index)
  }

  /**
   * @param onCorrupt takes a shard that cannot be read, which is then passed over
   * @throws ShardCorruptError, StorageError
   */
  async *scan(
    from: number,
    to: number,
    onCorrupt?: (shard: StoredShard, error: ShardCorruptError) => Promise<void>,
  ): AsyncGenerator<readonly Sequenced[]> {
    const { tail, table } = this.#options
    const bounds = { bytes: Number.POSITIVE_INFINITY, records: SCAN_RECORDS }
    for (let seq = from; seq <= to; ) {
      // Looked up anew each time: what was hot before the last batch may be sealed now.
      const stored = table.from(seq)
      const run = tail.run(seq, to, bounds)
      if (stored !== undefined && Math.max(stored.firstSeq, seq) <= (run?.firstSeq ?? to)) {
        const batch = await this.#batch(stored, seq, to).catch(async (error: unknown) => {
          if (onCorrupt === undefined || !(error instanceof ShardCorruptError)) throw error
          await onCorrupt(stored, error)
          return []
        })
        if (batch.length > 0) yield batch
        seq = lastSeqOf(stored) + 1
      } else {
        if (run === undefined) return
        yield run.records
        seq = run.lastSeq + 1
      }
    }
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
    const { block } =
      this.#cache.peek(stored) ?? (await readShard(this.#options.storage, stored, this.#options.env))
    const batch: Sequenced[] = []
    for (let index = 0; index < block.count; index++) {
      const seq = stored.firstSeq + block.offsetAt(index)
      if (seq >= from && seq <= to) batch.push({ seq, record: block.record(index) })
    }
    return batch
  }
}
