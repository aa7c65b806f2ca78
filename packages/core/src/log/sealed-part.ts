import { ShardCorruptError } from '../errors.js'
import type { HotTail } from './hot-tail.js'
import type { LogReader } from './log-reader.js'
import type { LostRecords } from './lost-records.js'
import { lastSeqOf, type SpanTable } from './span-table.js'

/** Part of what is sealed, as it lies. */
export interface SealedPart {
  /** In order of seq; the first may begin before what was asked for, where shards were put together since. */
  readonly shards: readonly SealedShard[]
  /** What is covered up to: `after`, where there is no shard. */
  readonly lastSeq: number
  /** Whether the next seq is sealed too. */
  readonly more: boolean
  /** Whether some of what is covered was lost: these shards are not all that was there. */
  readonly lost: boolean
}

/** The bytes of a shard, with the right checksum, and where it begins. */
export interface SealedShard {
  readonly firstSeq: number
  readonly bytes: Uint8Array
}

/** A shard of more bytes is not given out: it would not fit into an answer. */
const SHARD_BYTES_MAX = 32 * 1024 * 1024

interface Parts {
  readonly tail: HotTail
  readonly table: SpanTable
  readonly lost: LostRecords
  readonly reader: LogReader
}

/** Reads shards from the one that stands for the seq behind `after` on; see `Log.sealed`. @throws StorageError */
export async function sealedPart(
  { tail, table, lost: lostRecords, reader }: Parts,
  after: number,
  bounds: { readonly bytes: number; readonly records: number },
): Promise<SealedPart> {
  const shards: SealedShard[] = []
  let lastSeq = after
  let lost = false
  let bytes = 0
  let records = 0
  for (;;) {
    const stored = table.from(lastSeq + 1)
    const hot = tail.nextSeq(lastSeq + 1)
    const isNext = stored !== undefined && (hot === undefined || hot >= stored.firstSeq)
    if (!isNext || stored.length > SHARD_BYTES_MAX) return { shards, lastSeq, more: false, lost }
    const fits = bytes + stored.length <= bounds.bytes && records + stored.count <= bounds.records
    if (shards.length > 0 && !fits) return { shards, lastSeq, more: true, lost }
    // What neither a shard nor the tail has is lost.
    lost ||= stored.firstSeq > lastSeq + 1
    try {
      const { at, found } = await reader.bytes(stored)
      shards.push({ firstSeq: at.firstSeq, bytes: found })
      lastSeq = lastSeqOf(at)
      bytes += at.length
      records += at.count
    } catch (error) {
      if (!(error instanceof ShardCorruptError)) throw error
      await lostRecords.record()
      lost = true
      lastSeq = lastSeqOf(stored)
    }
  }
}
