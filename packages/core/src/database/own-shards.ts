import { readable } from '../changes/ancestry.js'
import { positionAt } from '../changes/positions.js'
import { FormatUnknownError, ShardCorruptError } from '../errors.js'
import type { Block } from '../log/block.js'
import { decodeShard, readShardHeader } from '../log/shard.js'
import type { Context } from './context.js'
import type { LeafRef, OwnShard, OwnShards, Replica } from './replica.js'

/** Of a shard's records, one in so many may be superseded: a mirror would keep bodies that no leaf has. */
const DEAD_PART = 4
/** Bytes of blocks that are given out at once, unless one alone is more. */
const RAW_BYTES = 8 * 1024 * 1024
/** Records looked at before others get their turn. */
const SLICE = 1_024

/**
 * What is sealed behind a seq and may be pushed as it lies: shards of nothing but revisions that were written here, with
 * their bodies, whole transactions, nearly all of them the only leaves of their documents. Each is read from the disk and
 * decoded, so that what is damaged is not given out. A shard that begins at or before `after`, as shards were put together
 * since, cannot go so, nor one behind what was lost, nor one that begins within a transaction: of such ones it is told
 * where they end.
 */
export async function ownShards(
  context: Context,
  { after, signal, ...bounds }: Parameters<Replica['ownShards']>[0],
): Promise<OwnShards> {
  const { log, env } = context
  const found = await log.sealed(after, bounds)
  const shards: OwnShard[] = []
  let lastSeq = after
  let rawBytes = 0
  for (const { firstSeq, bytes } of found.shards) {
    signal?.throwIfAborted()
    const header = readShardHeader(bytes, firstSeq)
    rawBytes += header.rawBytes
    if (shards.length > 0 && (firstSeq !== lastSeq + 1 || rawBytes > RAW_BYTES)) break
    const end = firstSeq + header.span - 1
    const fits = bytes.length <= bounds.bytes && header.count <= bounds.records && firstSeq === lastSeq + 1
    // Behind another one it begins where that one's transactions end.
    const begins = shards.length > 0 || !(await goesOn(context, firstSeq - 1))
    const shard = fits && begins ? await ownShard(context, firstSeq, bytes) : undefined
    // One that can go ends those that cannot, and the other way round.
    if (shard === undefined ? shards.length > 0 : shards.length === 0 && lastSeq > after) break
    if (shard !== undefined) shards.push(shard)
    lastSeq = end
    await env.yield()
  }
  return { shards, position: positionAt(log.incarnations, lastSeq) }
}

/** Whether the record at a seq is followed by another of its transaction. */
async function goesOn({ log }: Context, seq: number): Promise<boolean> {
  return seq > 0 && (await readable(log, seq))?.continues === true
}

/** Undefined where a record is none to be pushed so, or cannot be read. @throws IndexCorruptError */
async function ownShard(
  { env, origin, index }: Context,
  firstSeq: number,
  bytes: Uint8Array,
): Promise<OwnShard | undefined> {
  try {
    const { block } = await decodeShard(bytes, firstSeq, env)
    const ids: string[] = []
    const seqs: number[] = []
    let continues = false
    for (let at = 0; at < block.count; at++) {
      if (at % SLICE === SLICE - 1) await env.yield()
      const head = block.head(at)
      if (head.kind !== 'revision' || head.supplies || head.origin !== origin) return undefined
      ids.push(head.id)
      seqs.push(firstSeq + block.offsetAt(at))
      continues = head.continues
    }
    if (continues) return undefined
    const goes: OwnShard = { bytes, ids, leaf: (at) => leafAt(block, at) }
    const { root } = index
    // As many ids as records: each document has one, and with it one leaf.
    if (root.ids === root.seq && (seqs.at(-1) ?? 0) <= root.seq) return goes
    const entries = await index.lookup([...new Set(ids)])
    let dead = 0
    for (const [at, id] of ids.entries()) {
      const leaves = entries.get(id)?.leaves
      // A page that passed another leaf left it to be told here, where the document changed last.
      if (leaves?.length !== 1) return undefined
      if (leaves[0]!.seq !== seqs[at]) dead += 1
    }
    return dead * DEAD_PART > ids.length ? undefined : goes
  } catch (error) {
    if (error instanceof ShardCorruptError || error instanceof FormatUnknownError) return undefined
    throw error
  }
}

function leafAt(block: Block, at: number): LeafRef {
  const { id, rev, bodyHash } = block.record(at)
  return { id, rev, ...(bodyHash && { bodyHash }) }
}
