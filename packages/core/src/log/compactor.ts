import { crc32 } from '../bytes/hash.js'
import type { Env } from '../env/env.js'
import { MynahError, ShardCorruptError, StorageError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import { recordsBytes } from './appended.js'
import { CompactedSegment, withClosed } from './compacted-segment.js'
import type { FileNumbers } from './file-name.js'
import { add, fitsBehind, type Gathered, isEnough, SHARD_BYTES_MIN } from './gathered.js'
import { type LogReader, recordsOf } from './log-reader.js'
import type { LostRecords } from './lost-records.js'
import type { Manifest, ManifestData } from './manifest.js'
import { readShardBytes } from './patient-read.js'
import type { Sequenced } from './record.js'
import { Serial } from './serial.js'
import { encodeShard, readShardHeader } from './shard.js'
import { mergeSpans, type SeqSpan } from './span.js'
import { lastSeqOf, type SpanTable, type StoredShard } from './span-table.js'

/** A segment past this length is closed, and what is in it counts. */
const SEGMENT_BYTES = 16 * 1024 * 1024

/** What decides which records stay. */
export interface Sieve {
  /** What is to be left of records, which come in order of seq: some of them, or others in their places. */
  sift(records: readonly Sequenced[]): Promise<readonly Sequenced[]>
  /** So much has gathered that what is written is to count before there is more. */
  readonly full: boolean
  /** As the manifest is to have it before any of this counts. */
  history(data: ManifestData): Partial<ManifestData>
  /**
   * Calls `change` while no record is appended, and follows it: the spans are those of the shards whose records were
   * sifted. False, without a call, when what was sifted does not hold any more.
   */
  commit(spans: readonly SeqSpan[], change: () => Promise<void>): Promise<boolean>
}

/** What a rewrite came to. */
export interface Rewritten {
  /** False where what was sifted did not hold any more: nothing has changed. */
  readonly done: boolean
  /** Up to which of the shards, exclusive. */
  readonly shards: number
  /** Segments that are gone. */
  readonly segments: number
}

export interface CompactorOptions {
  readonly storage: Storage
  readonly env: Env
  readonly manifest: Manifest
  readonly numbers: FileNumbers
  readonly table: SpanTable
  readonly reader: LogReader
  readonly lost: LostRecords
  readonly shardBytes: number
  readonly onError: (error: MynahError) => void
}

interface ClosedSegment {
  /** In order of seq. */
  readonly shards: readonly StoredShard[]
  /** Whether the file has bytes of shards that stand elsewhere by now. */
  readonly isThinned: boolean
}

/**
 * Writes shards anew without records that nobody needs. The result is a segment of its own, which counts from the moment
 * that the manifest names it in the place of those that it makes superfluous: whatever ends the process, the old shards
 * count or the new ones do. Seqs stay as they are, and so do spans: a shard stands for those that it was made from.
 */
export class Compactor {
  readonly #options: CompactorOptions
  readonly #upkeep = new Serial()
  /** Bytes of files, written less removed. */
  writtenBytes = 0
  /** Segments that a copy of the manifest on disk may name, though the one in RAM does not. */
  #undecided: CompactedSegment[] = []

  constructor(options: CompactorOptions) {
    this.#options = options
  }

  /** Runs what must not find shards in other places, or a derived index behind, when it ends: one after another. */
  exclusively<T>(run: () => Promise<T>): Promise<T> {
    return this.#upkeep.run(run)
  }

  /** The shards that stand in segments that never change again, by segment. */
  closed(): readonly ClosedSegment[] {
    const { manifest, table } = this.#options
    return manifest.data.segments
      .filter(({ closed }) => closed)
      .map(({ name }) => ({ shards: table.in(name), isThinned: table.isThinned(name) }))
  }

  /**
   * Writes the first of these shards anew, as many as make a segment or fill the sieve, in order of seq. To be called
   * within `exclusively`. Ends early, with what is done, when the signal fires. A shard that cannot be read counts as lost.
   * @throws StorageError: then nothing has changed
   */
  async rewrite(shards: readonly StoredShard[], sieve: Sieve, signal: AbortSignal): Promise<Rewritten> {
    const { storage, env, manifest, numbers } = this.#options
    await this.#decide()
    const output = new CompactedSegment({
      storage,
      env,
      database: manifest.data.id,
      number: numbers.take(),
    })
    try {
      const { taken, sources } = await this.#write(shards, sieve, output, signal)
      if (output.frames.length === 0) return { done: true, shards: taken, segments: 0 }
      if (
        !this.#rids(sources) &&
        output.frames.every(({ shardCrc }, i) => sources[i]?.shardCrc === shardCrc)
      ) {
        // They are as they were: there is nothing to gain.
        await output.discard()
        const done = await sieve.commit(spansOf(sources), async () => undefined)
        return { done, shards: done ? taken : 0, segments: 0 }
      }
      await output.close()
      const done = await this.#switch(output, sources, sieve)
      if (done === undefined) await output.discard()
      return { done: done !== undefined, shards: done === undefined ? 0 : taken, segments: done ?? 0 }
    } catch (cause) {
      if (!this.#undecided.includes(output)) await output.discard()
      if (cause instanceof ShardCorruptError) return { done: false, shards: 0, segments: 0 }
      if (cause instanceof MynahError) throw cause
      throw new StorageError(output.name, 'compact to', { cause })
    }
  }

  async #write(
    shards: readonly StoredShard[],
    sieve: Sieve,
    output: CompactedSegment,
    signal: AbortSignal,
  ): Promise<{ readonly taken: number; readonly sources: readonly StoredShard[] }> {
    const { env, shardBytes } = this.#options
    const sources: StoredShard[] = []
    let gathered: Gathered | undefined
    let taken = 0
    const flush = async (): Promise<void> => {
      if (gathered === undefined) return
      await this.#put(gathered, output)
      sources.push(...gathered.sources)
      gathered = undefined
    }
    for (const shard of shards) {
      if (signal.aborted || sieve.full || output.length >= SEGMENT_BYTES) break
      await env.yield()
      const next = await this.#sift(shard, sieve)
      taken += 1
      if (next === undefined) continue
      if (gathered === undefined || !fitsBehind(gathered, next, shardBytes)) {
        await flush()
        gathered = next
      } else add(gathered, next)
      if (isEnough(gathered, shardBytes)) await flush()
    }
    await flush()
    return { taken, sources }
  }

  /** Undefined where its records are lost, or cannot be read now. */
  async #sift(shard: StoredShard, sieve: Sieve): Promise<Gathered | undefined> {
    const { reader, table, lost, env, onError } = this.#options
    if (!table.has(shard)) return undefined
    let records: readonly Sequenced[]
    try {
      records = recordsOf(await reader.probe(shard))
      // What is wrong with a body shows only when it is decoded.
      for (const { record } of records) void record.body
    } catch (error) {
      // What the disk refuses now stays where it is.
      if (error instanceof StorageError) onError(error)
      else if (error instanceof ShardCorruptError) {
        lost.giveUp(shard, error.detail)
        await lost.record()
      } else throw error
      return undefined
    }
    await env.yield()
    const kept = await sieve.sift(records)
    const isWhole =
      kept.length === records.length && kept.every((one, i) => one.record === records[i]!.record)
    return {
      firstSeq: shard.firstSeq,
      lastSeq: lastSeqOf(shard),
      sources: [shard],
      records: [...kept],
      bytes: SHARD_BYTES_MIN + recordsBytes(kept.map(({ record }) => record)),
      rawBytes: shard.count === 0 ? 0 : (shard.rawBytes * kept.length) / shard.count,
      asIs: isWhole ? shard : undefined,
    }
  }

  async #put(gathered: Gathered, output: CompactedSegment): Promise<void> {
    const { storage, env } = this.#options
    if (gathered.asIs) {
      await output.add({ frame: gathered.asIs, bytes: await readShardBytes(storage, gathered.asIs) })
      return
    }
    const { firstSeq, lastSeq, records } = gathered
    await env.yield()
    const span = lastSeq - firstSeq + 1
    const bytes = await encodeShard(records, firstSeq, span, { env, effort: 'best' })
    const { rawBytes } = readShardHeader(bytes)
    const shardCrc = crc32(bytes)
    const frame = { firstSeq, span, count: records.length, length: bytes.length, rawBytes, shardCrc }
    await output.add({ frame, bytes })
  }

  /** Whether a segment goes with these shards that takes more room than they do. */
  #rids(sources: readonly StoredShard[]): boolean {
    const { table } = this.#options
    const names = new Set(sources.map(({ segment }) => segment))
    return [...names].some(
      (name) => table.isThinned(name) && table.in(name).every((shard) => sources.includes(shard)),
    )
  }

  /** Removes what was left when the manifest could not be written, though one of its copies may have been. @throws StorageError */
  async #decide(): Promise<void> {
    if (this.#undecided.length === 0) return
    await this.#options.manifest.update(() => ({}))
    for (const output of this.#undecided) await output.discard()
    this.#undecided = []
  }

  /** Puts the new shards in the place of the old ones; gives how many segments went, or undefined when it may not. */
  async #switch(
    output: CompactedSegment,
    sources: readonly StoredShard[],
    sieve: Sieve,
  ): Promise<number | undefined> {
    const { manifest, table, storage } = this.#options
    const lengths = new Map((await storage.list()).map(({ name, length }) => [name, length]))
    const gone = new Set<string>()
    const moved = new Set(sources)
    const done = await sieve.commit(spansOf(sources), async () => {
      for (const name of new Set(sources.map(({ segment }) => segment)))
        if (table.in(name).every((shard) => moved.has(shard))) gone.add(name)
      this.#undecided.push(output)
      await manifest.update((data) => ({
        segments: withClosed(
          data.segments.filter(({ name }) => !gone.has(name)),
          output.name,
        ),
        nextFile: Math.max(data.nextFile, output.number + 1),
        ...sieve.history(data),
      }))
      this.#undecided = []
      for (const frame of output.frames) table.add({ ...frame, segment: output.name })
    })
    if (!done) return undefined
    this.writtenBytes += output.length
    for (const name of gone) {
      this.writtenBytes -= lengths.get(name) ?? 0
      // Harmless when it fails: a file that nothing names and whose records stand elsewhere is removed by the next open.
      await storage.remove(name).catch(this.#options.onError)
    }
    return gone.size
  }
}

function spansOf(shards: readonly StoredShard[]): readonly SeqSpan[] {
  return mergeSpans(shards.map((shard) => ({ firstSeq: shard.firstSeq, lastSeq: lastSeqOf(shard) })))
}
