import type { Database } from './database/database.js'
import { EmbeddedDatabase } from './database/embedded-database.js'
import type { Replica } from './database/replica.js'
import type { Env } from './env/env.js'
import type { LogRecord } from './log/record.js'
import { decodeShard, encodeShard, readShardHeader } from './log/shard.js'

export { compareUtf8 } from './bytes/compare.js'
export { crc32 } from './bytes/hash.js'
export { formatPosition, type Position, parsePosition } from './changes/positions.js'
export { unlessAborted, whenAborted } from './database/aborted.js'
export {
  acceptIds,
  callback,
  checkFunction,
  checkIterable,
  checkMembers,
  checkOptions,
  checkRead,
  flag,
  millisecondsFrom,
  oneOf,
  port,
} from './database/arguments.js'
export type {
  BodySource,
  Checkpoint,
  FeedOptions,
  FeedPage,
  HeldAnswer,
  HeldUnder,
  IdPrefixes,
  IdPrint,
  IdRange,
  LeafRef,
  MergeOptions,
  MergeOutcome,
  MergeReport,
  OwedPage,
  OwnShard,
  OwnShards,
  Parked,
  PartsFor,
  RangePart,
  RangeSum,
  Replica,
  ReplicationSettings,
  ShardPage,
  TakeCommit,
  TakeReport,
} from './database/replica.js'
export { deepFreeze } from './document/freeze.js'
export { uuidSource } from './document/uuid.js'
export { acceptDocument, acceptId, acceptRev, acceptTarget, acceptUnder } from './document/validate.js'

export { boundsWithin, shortest } from './index/prefixes.js'
export { type Bounds, boundsOf } from './index/range.js'

export type { LogRecord } from './log/record.js'

/** What replication may ask of an open database. @throws TypeError for anything that `open` did not make */
export function replicaOf(db: Database): Replica {
  if (!(db instanceof EmbeddedDatabase)) throw new TypeError('not a database that open() made')
  return db.replica
}

/** Records as the bytes of one shard, for the wire. At most `limits.blockRecords`. */
export function encodeRecords(records: readonly LogRecord[], env: Env): Promise<Uint8Array> {
  const numbered = records.map((record, i) => ({ seq: i + 1, record }))
  return encodeShard(numbered, 1, records.length, { env, effort: 'fast' })
}

/** The records of a shard from the wire, their bytes checked but not what they claim. @throws ShardCorruptError */
export async function decodeRecords(bytes: Uint8Array, env: Env): Promise<LogRecord[]> {
  const { block } = await decodeShard(bytes, 0, env)
  return Array.from({ length: block.count }, (_, i) => block.record(i))
}

/** How much a shard says to hold: records, and bytes of its block. @throws ShardCorruptError, FormatUnknownError */
export function shardSize(bytes: Uint8Array): { readonly records: number; readonly rawBytes: number } {
  const { count, rawBytes } = readShardHeader(bytes)
  return { records: count, rawBytes }
}
