import type { Timer } from '../env/env.js'
import { ClosedError, IndexCorruptError } from '../errors.js'
import { Serial } from '../log/serial.js'
import type { StoredShard } from '../log/span-table.js'
import { checkOptions } from './arguments.js'
import type { CommitQueue } from './commit-queue.js'
import type { Context } from './context.js'
import type { IndexHome } from './index-home.js'
import type { IndexKeeper } from './index-keeper.js'
import { DocumentSieve } from './sieve.js'

/** What a compaction may be told. */
export interface CompactOptions {
  /** Ends it between two shards; what was done stays. */
  readonly signal?: AbortSignal
  /** Told of the sealed bytes that are rewritten, as far as they are known to need it. */
  readonly onProgress?: (progress: { readonly doneBytes: number; readonly totalBytes: number }) => void
}

/** What a compaction came to. Bytes are those of files. */
export interface CompactReport {
  /** Of the log, before and after. */
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** Of the index. */
  readonly indexBytesBefore: number
  readonly indexBytesAfter: number
  /** Records that are gone, and others of which only the body is. */
  readonly recordsDropped: number
  readonly bodiesDropped: number
  /** Segments that are gone: what was left of them is in fewer or smaller ones. */
  readonly segmentsRewritten: number
}

/** Of a segment's records, how many have to be dead for it to be rewritten: where it was asked for, and by itself. */
const ASKED_SHARE = 1 / 20
const OWN_SHARE = 1 / 4
/** By itself it begins when more than half of what is sealed is dead, and so much. */
const DEAD_SHARE = 1 / 2
const DEAD_BYTES = 4 * 1024 * 1024
/** It waits for a pause of the writes, but not for ever. */
const QUIET_MS = 1_000
const QUIET_MS_MAX = 60_000
const RETRY_MS = 1_000
const RETRY_MS_MAX = 60_000
/** Attempts at the same shards: what is written meanwhile, and damage, may make what was decided void. */
const ATTEMPTS = 3

/** Rewrites what is sealed without what nobody needs: when asked, and by itself when there is much of it. */
export class Compaction {
  readonly #context: Context
  readonly #queue: CommitQueue
  readonly #keeper: IndexKeeper
  readonly #home: IndexHome
  readonly #settle: () => Promise<void>
  readonly #runs = new Serial()
  readonly #over = new AbortController()
  #timer: Timer | undefined
  #dueMs: number | undefined
  #lastCommitMs = 0
  #retryMs = RETRY_MS
  /** Dead bodies that were left when it last ran by itself. */
  #left = 0

  /** @param settle resolves when damage that was found is settled */
  constructor(
    context: Context,
    queue: CommitQueue,
    keeper: IndexKeeper,
    home: IndexHome,
    settle: () => Promise<void>,
  ) {
    this.#context = context
    this.#queue = queue
    this.#keeper = keeper
    this.#home = home
    this.#settle = settle
  }

  /** About how many of the sealed bytes are of bodies that no leaf has. */
  get deadBytes(): number {
    const { sealedRecords, sealedBytes } = this.#context.log.stats()
    const { total } = this.#context.index.dead
    return sealedRecords === 0 ? 0 : Math.round(sealedBytes * Math.min(1, total / sealedRecords))
  }

  /** Seals all and rewrites every segment of which a twentieth is dead. Calls wait for each other. */
  compact(options: CompactOptions = {}): Promise<CompactReport> {
    checkOptions('work', options)
    return this.#runs.run(async () => {
      const { log } = this.#context
      options.signal?.throwIfAborted()
      await this.#keeper.use(() => this.#context.index.flush())
      await log.seal(options.signal ? { signal: options.signal } : {})
      return this.#run(ASKED_SHARE, options)
    })
  }

  /** To be called after each commit: begins by itself when there is enough, and a pause. */
  wake(): void {
    const { env } = this.#context
    this.#lastCommitMs = env.monotonicMs()
    if (this.#timer !== undefined || !this.#isDue()) return
    this.#dueMs ??= this.#lastCommitMs
    this.#wait(QUIET_MS)
  }

  /** Ends what runs; resolves when nothing does. */
  async close(): Promise<void> {
    this.#over.abort(new ClosedError())
    this.#timer?.cancel()
    await this.#runs.run(async () => undefined)
  }

  #isDue(): boolean {
    const { index, log, readOnly, closing } = this.#context
    const { total } = index.dead
    // What stands in the way of what is left may still do so.
    if (readOnly || closing || total <= 1.1 * this.#left) return false
    const { sealedRecords } = log.stats()
    return total > sealedRecords * DEAD_SHARE && this.deadBytes >= DEAD_BYTES
  }

  #wait(delayMs: number): void {
    if (this.#over.signal.aborted) return
    const { env } = this.#context
    this.#timer = env.setTimer(() => {
      this.#timer = undefined
      const nowMs = env.monotonicMs()
      const restMs = this.#lastCommitMs + QUIET_MS - nowMs
      if (restMs > 0 && nowMs - (this.#dueMs ?? nowMs) < QUIET_MS_MAX) this.#wait(restMs)
      else void this.#byItself()
    }, delayMs)
  }

  async #byItself(): Promise<void> {
    try {
      await this.#runs.run(() => this.#run(OWN_SHARE, {}))
      this.#left = this.#context.index.dead.total
      this.#retryMs = RETRY_MS
      this.#dueMs = undefined
    } catch {
      if (this.#over.signal.aborted) return
      // Nothing is lost by it: what it has to say, compact() says to whoever asks.
      this.#wait(this.#retryMs)
      this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX)
    }
  }

  async #run(share: number, { signal, onProgress }: CompactOptions): Promise<CompactReport> {
    const { log, manifest } = this.#context
    const stop = new AbortController()
    // By hand: Node keeps a composed signal for as long as somebody listens to it.
    const signals = [this.#over.signal, ...(signal ? [signal] : [])]
    const abort = () => stop.abort(signals.find(({ aborted }) => aborted)?.reason)
    for (const one of signals) one.addEventListener('abort', abort)
    try {
      if (signals.some(({ aborted }) => aborted)) abort()
      stop.signal.throwIfAborted()
      const bytesBefore = log.stats().diskBytes
      const indexBytesBefore = await this.#home.bytes(manifest.data.index)
      await log.closeSegment()
      const done = await this.#rewrite(this.#candidates(share), stop.signal, onProgress)
      await this.#keeper.use(() => this.#context.index.flush())
      if (done.recordsDropped + done.bodiesDropped > 0)
        await this.#keeper.use(() => this.#context.index.shrink(stop.signal))
      return {
        bytesBefore,
        bytesAfter: log.stats().diskBytes,
        indexBytesBefore,
        indexBytesAfter: await this.#home.bytes(manifest.data.index),
        ...done,
      }
    } finally {
      for (const one of signals) one.removeEventListener('abort', abort)
    }
  }

  /** The shards of segments of which so much is dead, or which another compaction left in part, in order of seq. */
  #candidates(share: number): readonly StoredShard[] {
    const { index, log } = this.#context
    return log.compactor
      .closed()
      .filter(({ shards, isThinned }) => {
        let dead = 0
        let records = 0
        for (const { firstSeq, span, count } of shards) {
          dead += index.dead.between(firstSeq, firstSeq + span - 1, index.root.seq)
          records += count
        }
        return isThinned || dead > records * share
      })
      .flatMap(({ shards }) => shards)
      .sort((a, b) => a.firstSeq - b.firstSeq)
  }

  async #rewrite(
    shards: readonly StoredShard[],
    signal: AbortSignal,
    onProgress: CompactOptions['onProgress'],
  ): Promise<Pick<CompactReport, 'recordsDropped' | 'bodiesDropped' | 'segmentsRewritten'>> {
    const totalBytes = shards.reduce((sum, { length }) => sum + length, 0)
    const done = { recordsDropped: 0, bodiesDropped: 0, segmentsRewritten: 0 }
    let doneBytes = 0
    let attempts = 0
    for (let at = 0; at < shards.length && attempts < ATTEMPTS; ) {
      signal.throwIfAborted()
      await this.#settle()
      const part = await this.#part(shards.slice(at), signal)
      attempts = part.shards === 0 ? attempts + 1 : 0
      for (const { length } of shards.slice(at, at + part.shards)) doneBytes += length
      at += part.shards
      done.recordsDropped += part.recordsDropped
      done.bodiesDropped += part.bodiesDropped
      done.segmentsRewritten += part.segments
      onProgress?.({ doneBytes, totalBytes })
      await this.#keeper.use(() => this.#context.index.flush())
    }
    signal.throwIfAborted()
    return done
  }

  /** The first shards, as many as count at once; none where what was decided did not hold. */
  async #part(
    shards: readonly StoredShard[],
    signal: AbortSignal,
  ): Promise<{ shards: number; segments: number; recordsDropped: number; bodiesDropped: number }> {
    const { log } = this.#context
    const none = { shards: 0, segments: 0, recordsDropped: 0, bodiesDropped: 0 }
    const { index } = this.#context
    try {
      return await log.compactor.exclusively(async () => {
        const sieve = new DocumentSieve(this.#context, this.#queue)
        const { done, ...part } = await log.compactor.rewrite(shards, sieve, signal)
        if (!done) return none
        return { ...part, recordsDropped: sieve.counts.records, bodiesDropped: sieve.counts.bodies }
      })
    } catch (error) {
      if (!(error instanceof IndexCorruptError)) throw error
      await this.#keeper.mended(index)
      return none
    }
  }
}
