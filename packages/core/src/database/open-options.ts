import type { Env } from '../env/env.js'
import type { DerivedStore } from '../index/level.js'
import type { Storage } from '../storage/storage.js'
import type { IndexProgress } from './index-home.js'

/** How a database is opened. */
export interface OpenOptions {
  /** Remembered. Default: as remembered, else 'peer'. */
  readonly mode?: 'peer' | 'mirror'
  /** Default true. */
  readonly createIfMissing?: boolean
  /** Default false. */
  readonly readOnly?: boolean
  /** 'sync' (the default): a resolved write survives power loss. 'relaxed': it survives the end of the process. */
  readonly durability?: 'sync' | 'relaxed'
  /** Decoded shards and index entries kept in RAM, bytes. Default 32 MiB. */
  readonly cacheBytes?: number
  /** Raw bytes sealed into one shard. Default 64 KiB. */
  readonly shardBytes?: number
  /**
   * On a peer: about how many bytes of bodies, before compression, are held; what was used longest ago is evicted first, in
   * the background, as far as a mirror has it. Default: any.
   */
  readonly heldBytes?: number
  /** The port under the log. Default: files in the folder `location`; RAM for ':memory:'. */
  readonly storage?: Storage
  /** Opens the store of derived data. Default: `level`. */
  readonly level?: (location: string) => DerivedStore
  /** Clock, randomness and timers. */
  readonly env?: Env
  /** Told how far the index follows the log, while opening has to build it anew or to catch up. */
  readonly onProgress?: (progress: { readonly phase: 'index' } & IndexProgress) => void
}

/** What counts where an option is not given, bytes. */
export const openDefaults = { cacheBytes: 32 * 1024 * 1024, shardBytes: 64 * 1024 } as const
