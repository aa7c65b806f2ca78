import type { Env } from '../env/env.js'
import type { MynahError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import type { Manifest } from './manifest.js'

export interface LogOptions {
  readonly storage: Storage
  readonly env: Env
  readonly manifest: Manifest
  /** The last seq that the index covers: what is missing at or below it is damage, not a torn end. */
  readonly watermark: number
  readonly readOnly: boolean
  /** Bytes of records sealed into one shard, about as many as they take as JSON. */
  readonly shardBytes: number
  /** Decoded shards kept in RAM. */
  readonly cacheBytes: number
  /** Unsealed bytes past which a write waits for the sealer. Default 32 MiB. */
  readonly hotBytesMax?: number
  /** Told of failures that no caller waits for; all of them are tried again. */
  readonly onError?: (error: MynahError) => void
}
