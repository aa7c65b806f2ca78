import { crc32 } from '../bytes/hash.js'
import type { Env, Timer } from '../env/env.js'
import { ClosedError, MynahError, StorageError } from '../errors.js'
import { limits } from '../limits.js'
import type { Storage } from '../storage/storage.js'
import type { HotTail, TailRun } from './hot-tail.js'
import type { HotWriter } from './hot-writer.js'
import { readShardBytes } from './patient-read.js'
import { type FramedShard, type SegmentWriter, SHARDS_PER_SYNC } from './segment-writer.js'
import { Serial } from './serial.js'
import { encodeShard, readShardHeader } from './shard.js'
import type { SpanTable } from './span-table.js'
import { Stopwatch } from './stopwatch.js'

/** Encoders at once under backlog: each takes a thread of the pool of four that the disk needs too. */
const ENCODERS = 2
const RETRY_MS = 100
/** While writes come without such a pause, sealing waits for the backlog to grow: a burst is not slowed by it. */
const QUIET_MS = 20
const RETRY_MS_MAX = 4_000

export interface SealerOptions {
  readonly storage: Storage
  readonly env: Env
  readonly tail: HotTail
  readonly table: SpanTable
  readonly hot: HotWriter
  readonly segments: SegmentWriter
  readonly shardBytes: number
  /** A backlog past which sealing goes on beside the writes. */
  readonly eagerBytes: number
  readonly onError: (error: MynahError) => void
}

/**
 * Moves durable records from the hot tail into shards, in the background. A batch of shards is encoded, written, synced
 * and published; only then do its records leave RAM, and hot files that hold nothing else the disk. What fails is
 * tried again later, with longer and longer pauses, and costs nothing but memory.
 */
export class Sealer {
  readonly #options: SealerOptions
  /** Batches that were encoded and written. */
  readonly seals: Stopwatch
  readonly #batches = new Serial()
  #running: Promise<void> | undefined
  #retry: Timer | undefined
  #quiet: Timer | undefined
  #lastWakeMs = 0
  #retryMs = RETRY_MS
  #closed = false

  constructor(options: SealerOptions) {
    this.#options = options
    this.seals = new Stopwatch(options.env)
  }

  /** Has enough sealed when it is time; to be called after each append. */
  wake(): void {
    this.#lastWakeMs = this.#options.env.monotonicMs()
    if (this.#isBehind()) this.#start()
    else this.#startWhenQuiet()
  }

  #start(): void {
    if (this.#running !== undefined || this.#retry !== undefined || !this.#enough()) return
    this.#running = this.#run().finally(() => {
      this.#running = undefined
      this.#startWhenQuiet()
    })
  }

  #startWhenQuiet(): void {
    if (this.#running !== undefined || this.#retry !== undefined || this.#quiet !== undefined) return
    if (!this.#enough()) return
    const restMs = Math.max(1, QUIET_MS - this.#quietMs())
    this.#quiet = this.#options.env.setTimer(() => {
      this.#quiet = undefined
      if (this.#isQuiet()) this.#start()
      else this.#startWhenQuiet()
    }, restMs)
  }

  #isBehind(): boolean {
    return this.#options.tail.bytes >= this.#options.eagerBytes
  }

  #isQuiet(): boolean {
    return this.#quietMs() >= QUIET_MS
  }

  /** Since the last append. */
  #quietMs(): number {
    return this.#options.env.monotonicMs() - this.#lastWakeMs
  }

  /** One batch now, also of a last shard that is not full: for a writer that has to wait. @throws StorageError */
  async relieve(): Promise<void> {
    await this.#next(Number.POSITIVE_INFINITY)
  }

  /** Seals all records up to the seq. @throws StorageError, the signal's reason, ClosedError */
  async seal(lastSeq: number, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      signal?.throwIfAborted()
      const { firstSeq } = this.#options.tail
      if (firstSeq === undefined || firstSeq > lastSeq) return
      if (this.#closed) throw new ClosedError()
      await this.#next(lastSeq)
    }
  }

  /** Removes the hot files that are sealed. */
  release(): Promise<void> {
    return this.#batches.run(() => this.#release())
  }

  /** Closes the segment that is written. @throws StorageError */
  finish(): Promise<void> {
    return this.#batches.run(() => this.#options.segments.finish())
  }

  /** Writes the shards of a segment to another one, and removes it. @throws ShardCorruptError, StorageError */
  rewrite(segment: string): Promise<void> {
    const { table, segments, storage } = this.#options
    return this.#batches.run(async () => {
      // What was begun in it goes on in the next one.
      segments.leave(segment)
      const shards = table.in(segment)
      for (let start = 0; start < shards.length; start += SHARDS_PER_SYNC) {
        const some = shards.slice(start, start + SHARDS_PER_SYNC)
        const framed: FramedShard[] = []
        for (const shard of some) framed.push({ frame: shard, bytes: await readShardBytes(storage, shard) })
        const placed = await segments.write(framed)
        for (const [index, shard] of some.entries()) table.replace(shard, placed[index]!)
      }
      await segments.drop(segment)
    })
  }

  /** Resolves when nothing runs any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#retry?.cancel()
    this.#quiet?.cancel()
    await this.#running
    await this.#batches.run(async () => undefined)
  }

  #enough(): boolean {
    return !this.#closed && this.#options.tail.bytes >= this.#options.shardBytes
  }

  async #run(): Promise<void> {
    try {
      while (this.#enough() && (this.#isBehind() || this.#isQuiet())) {
        const progress = await this.#next(0)
        if (!progress) break
        await this.#options.env.yield()
      }
      await this.#leaveHotFile()
    } catch (error) {
      this.#options.onError(error as MynahError)
      if (this.#closed) return
      this.#retry = this.#options.env.setTimer(() => {
        this.#retry = undefined
        this.#start()
      }, this.#retryMs)
      this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX)
    }
  }

  /** The next batch. @throws MynahError whatever fails, also an encoder that gets no memory */
  #next(force: number): Promise<boolean> {
    return this.#batches.run(() =>
      this.#batch(force).catch((cause: unknown) => {
        if (cause instanceof MynahError) throw cause
        throw new StorageError('segment', 'seal', { cause })
      }),
    )
  }

  /** Seals some shards; one that is not full only where it begins at or below `force`. False when there was none. */
  async #batch(force: number): Promise<boolean> {
    const { hot, tail, segments, table, shardBytes } = this.#options
    if (hot.synced < hot.head) await hot.sync()
    // What one write takes at most is also what counts as a backlog.
    const backlog = tail.bytes >= SHARDS_PER_SYNC * shardBytes
    const runs = this.#plan(force, backlog ? SHARDS_PER_SYNC : 1)
    const last = runs.at(-1)
    if (last === undefined) return false
    const written = this.#encode(runs, backlog).then((framed) => segments.write(framed))
    for (const shard of await this.seals.time(written)) table.add(shard)
    tail.drop(last.lastSeq)
    this.#retryMs = RETRY_MS
    await this.#release()
    return true
  }

  /** After a pause with nothing left to seal, the hot file would only hold what shards hold: it goes. */
  async #leaveHotFile(): Promise<void> {
    const { hot, tail } = this.#options
    if (tail.firstSeq !== undefined || this.#closed) return
    await hot.retire()
    await this.#release()
  }

  #release(): Promise<void> {
    return this.#options.hot.release(this.#options.tail.firstSeq ?? Number.POSITIVE_INFINITY)
  }

  #plan(force: number, count: number): readonly TailRun[] {
    const { hot, tail, shardBytes } = this.#options
    const runs: TailRun[] = []
    const bounds = { bytes: shardBytes, records: limits.blockRecords }
    let from = 0
    while (runs.length < count) {
      const run = tail.wholeGroup(from, hot.synced, shardBytes) ?? tail.run(from, hot.synced, bounds)
      // The newest records wait for more of them; a run that a hole ends never gets more.
      if (run === undefined) break
      if (run.lastSeq === hot.synced && run.bytes < shardBytes && run.firstSeq > force) break
      runs.push(run)
      from = run.lastSeq + 1
    }
    return runs
  }

  async #encode(runs: readonly TailRun[], backlog: boolean): Promise<readonly FramedShard[]> {
    const shards: FramedShard[] = []
    const queue = runs.entries()
    const encodeNext = async (): Promise<void> => {
      for (const [index, run] of queue) {
        // Building the columns holds the event loop for a moment: never twice without a breath.
        await this.#options.env.yield()
        shards[index] = await encodeRun(run, this.#options.env, backlog ? 'fast' : 'best')
      }
    }
    await Promise.all(Array.from({ length: backlog ? ENCODERS : 1 }, encodeNext))
    return shards
  }
}

async function encodeRun(run: TailRun, env: Env, effort: 'fast' | 'best'): Promise<FramedShard> {
  const { firstSeq, lastSeq, records, block } = run
  const span = lastSeq - firstSeq + 1
  const bytes = await encodeShard(records, firstSeq, span, { env, effort, ...(block && { block }) })
  const { rawBytes } = readShardHeader(bytes)
  const frame = {
    firstSeq,
    span,
    count: records.length,
    length: bytes.length,
    rawBytes,
    shardCrc: crc32(bytes),
  }
  return { frame, bytes }
}
