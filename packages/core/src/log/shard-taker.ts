import { crc32 } from '../bytes/hash.js'
import type { Env } from '../env/env.js'
import type { Storage } from '../storage/storage.js'
import { CompactedSegment, withClosed } from './compacted-segment.js'
import type { FileNumbers } from './file-name.js'
import type { HotWriter } from './hot-writer.js'
import type { Manifest } from './manifest.js'
import { readShardHeader } from './shard.js'
import type { SpanTable } from './span-table.js'

/** A shard of another log: its bytes, which `decodeShard` has passed. */
export interface TakenShard {
  readonly bytes: Uint8Array
}

export interface ShardTakerOptions {
  readonly storage: Storage
  readonly env: Env
  readonly manifest: Manifest
  readonly numbers: FileNumbers
  readonly table: SpanTable
  readonly hot: HotWriter
}

/**
 * Puts shards of another log behind what is here, as they are. They become a segment of their own, which is whole and
 * durable before the manifest names it: from that moment on they count, all of them.
 *
 *   manifest: its number is taken ──► segment written, synced ──► manifest: its name ──► seqs, spans
 *
 * What ends before the name leaves a file that the next open removes, as its number was taken and nothing names it.
 * Where the name could not be written to both copies of the manifest, one of them may have it. Nothing else gets these
 * seqs before both copies are without it: the hot file was left, so that the next append has to name another one first,
 * and the next call takes a number.
 */
export class ShardTaker {
  readonly #options: ShardTakerOptions
  /** Bytes of segments written. */
  writtenBytes = 0

  constructor(options: ShardTakerOptions) {
    this.#options = options
  }

  /** Gives the seq at which the first begins. One call at a time, and nothing is appended meanwhile. @throws StorageError */
  async take(shards: readonly TakenShard[]): Promise<number> {
    const { storage, env, manifest, numbers, table, hot } = this.#options
    const headers = shards.map(({ bytes }) => readShardHeader(bytes))
    const span = headers.reduce((sum, header) => sum + header.span, 0)
    return hot.leap(span, async (firstSeq, begun) => {
      const output = new CompactedSegment({
        storage,
        env,
        database: manifest.data.id,
        number: numbers.take(),
      })
      await manifest.update((data) => ({ nextFile: Math.max(data.nextFile, output.number + 1) }))
      try {
        let seq = firstSeq
        for (const [index, { bytes }] of shards.entries()) {
          const { span: seqs, count, rawBytes } = headers[index]!
          const length = bytes.length
          const frame = { firstSeq: seq, span: seqs, count, length, rawBytes, shardCrc: crc32(bytes) }
          await output.add({ frame, bytes })
          seq += seqs
        }
        await output.close()
      } catch (error) {
        await output.discard()
        throw error
      }
      await manifest.update((data) => ({ segments: withClosed(data.segments, output.name), ...begun(data) }))
      this.writtenBytes += output.length
      for (const frame of output.frames) table.add({ ...frame, segment: output.name })
    })
  }
}
