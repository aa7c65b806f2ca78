import { LRUCache } from 'lru-cache'
import type { Env } from '../env/env.js'
import { ShardCorruptError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import { readShardBytes } from './patient-read.js'
import { decodeShard, type Shard } from './shard.js'
import type { StoredShard } from './span-table.js'

/**
 * Reads a shard from its segment and decodes it.
 * @throws ShardCorruptError, StorageError
 */
export async function readShard(storage: Storage, stored: StoredShard, env: Env): Promise<Shard> {
  const { firstSeq, span } = stored
  const shard = await decodeShard(await readShardBytes(storage, stored), firstSeq, env)
  if (shard.span !== span) throw new ShardCorruptError(firstSeq, `it covers ${shard.span} seqs, not ${span}`)
  return shard
}

/**
 * What a shard whose columns are all decoded takes in RAM, about: its bytes, objects for the columns, and their integers.
 * Measured on readings (27 KB of 330, 59 KB of 1,000) and texts (78 KB of 20); deeply nested documents take up to twice
 * as much.
 */
function decodedBytes({ rawBytes, count }: Shard): number {
  return rawBytes + Math.min(4 * rawBytes, 16_384) + 40 * count
}

/** Decoded shards, least recently used out first; those who want one at the same time share its decoding. */
export class ShardCache {
  readonly #storage: Storage
  readonly #env: Env
  readonly #shards: LRUCache<StoredShard, Shard>
  readonly #decoding = new Map<StoredShard, Promise<Shard>>()
  hits = 0
  misses = 0

  /** @param bytes bound on the sum of the decoded bytes */
  constructor(storage: Storage, env: Env, bytes: number) {
    this.#storage = storage
    this.#env = env
    this.#shards = new LRUCache({
      maxSize: Math.max(1, bytes),
      sizeCalculation: decodedBytes,
    })
  }

  get bytes(): number {
    return this.#shards.calculatedSize
  }

  /** What is decoded already; not counted as a use. */
  peek(stored: StoredShard): Shard | undefined {
    return this.#shards.peek(stored)
  }

  /** What is decoded already. */
  held(stored: StoredShard): Shard | undefined {
    const shard = this.#shards.get(stored)
    if (shard !== undefined) this.hits++
    return shard
  }

  /** @throws ShardCorruptError, StorageError */
  async get(stored: StoredShard): Promise<Shard> {
    const known = this.held(stored)
    if (known !== undefined) return known
    const running = this.#decoding.get(stored)
    if (running !== undefined) return running
    this.misses++
    const decoding = readShard(this.#storage, stored, this.#env).finally(() => this.#decoding.delete(stored))
    this.#decoding.set(stored, decoding)
    const shard = await decoding
    this.#shards.set(stored, shard)
    return shard
  }

  clear(): void {
    this.#shards.clear()
  }
}
