import { limits } from '../limits.js'
import type { Sequenced } from './record.js'
import type { StoredShard } from './span-table.js'

/** About what a shard takes that holds next to nothing. */
export const SHARD_BYTES_MIN = 512

/** Shards that become one. */
export interface Gathered {
  readonly firstSeq: number
  lastSeq: number
  readonly sources: StoredShard[]
  readonly records: Sequenced[]
  bytes: number
  /** About what their block takes before compression. */
  rawBytes: number
  /** The shard as it stands, while that is all, and all of it is left. */
  asIs: StoredShard | undefined
}

/** As large as a shard is made: by what its records take as JSON, and by its block. docs/decisions/0008 */
export function isEnough({ bytes, rawBytes }: Gathered, shardBytes: number): boolean {
  return bytes >= shardBytes && rawBytes >= shardBytes / 2
}

/** Whether both may become one shard. */
export function fitsBehind(before: Gathered, next: Gathered, shardBytes: number): boolean {
  const stays = ({ asIs, bytes }: Gathered) => asIs !== undefined && bytes >= shardBytes / 2
  return (
    before.lastSeq + 1 === next.firstSeq &&
    !isEnough(before, shardBytes) &&
    next.bytes <= shardBytes &&
    before.records.length + next.records.length <= limits.blockRecords &&
    !stays(before) &&
    !stays(next)
  )
}

/** Puts what comes next behind. */
export function add(before: Gathered, next: Gathered): void {
  before.lastSeq = next.lastSeq
  before.bytes += next.bytes - SHARD_BYTES_MIN
  before.rawBytes += next.rawBytes
  before.asIs = undefined
  before.sources.push(...next.sources)
  for (const record of next.records) before.records.push(record)
}
