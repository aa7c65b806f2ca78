import { checkClaims } from '../document/tree.js'
import { acceptBody } from '../document/validate.js'
import type { Env } from '../env/env.js'
import { MynahError, ShardCorruptError } from '../errors.js'
import { limits } from '../limits.js'
import type { Block } from '../log/block.js'
import type { LogRecord } from '../log/record.js'
import { decodeShard } from '../log/shard.js'

/** A shard from elsewhere, each of its records looked at. */
export interface OpenedShard {
  readonly bytes: Uint8Array
  readonly span: number
  /** Seqs of the records, less the first that the shard stands for. */
  readonly offsets: readonly number[]
  /** The records without their bodies. */
  readonly heads: readonly LogRecord[]
  /** Whether it may be taken as it lies, as far as it shows without what is known here. */
  readonly sound: boolean
  /** Whether each record is a revision that brings its body, as those of a push are. */
  readonly whole: boolean
  /** Bytes of the block. */
  readonly rawBytes: number
}

/** Seqs that a shard may use up: what compaction left of so many is better taken record by record. */
const SPAN_MAX = 16 * 1024 * 1024
/** Records looked at before others get their turn, and for how long: few bytes may say many large bodies. */
const SLICE = 256
const SLICE_MS = 20

/**
 * Decodes a shard and checks all of it: checksums, lengths, and each record's id, path and body. A native rev, and the
 * hash of a foreign one, follow from the body, so that no body can be another's.
 * @throws ShardCorruptError, FormatUnknownError
 */
export async function openShard(bytes: Uint8Array, env: Env): Promise<OpenedShard> {
  const { span, block, rawBytes } = await decodeShard(bytes, 0, env)
  const offsets: number[] = []
  const heads: LogRecord[] = []
  const now = env.now()
  let sound = span <= SPAN_MAX
  let whole = true
  let together = 0
  let sinceMs = env.monotonicMs()
  for (let index = 0; index < block.count; index++) {
    if (index % SLICE === SLICE - 1 || env.monotonicMs() - sinceMs > SLICE_MS) {
      await env.yield()
      sinceMs = env.monotonicMs()
    }
    const head = headOf(block, index)
    if (head === undefined) {
      sound = false
      continue
    }
    offsets.push(block.offsetAt(index))
    heads.push(head)
    whole &&= head.kind === 'revision' && !head.supplies
    together = head.continues ? together + 1 : 0
    // What arrives here did not arrive after now; and a transaction is not longer than one that is written here.
    if (head.at > now || together >= limits.transactionRecords) sound = false
  }
  // What comes next in this log would be taken for a part of that transaction.
  if (together > 0) sound = false
  return { bytes, span, offsets, heads, sound, whole, rawBytes }
}

/** The records, to be merged one by one. @throws ShardCorruptError */
export async function recordsOfShard({ bytes }: OpenedShard, env: Env): Promise<readonly LogRecord[]> {
  const { block } = await decodeShard(bytes, 0, env)
  return Array.from({ length: block.count }, (_, index) => block.record(index))
}

/** Undefined where the record would be refused. @throws ShardCorruptError where it cannot be read */
function headOf(block: Block, index: number): LogRecord | undefined {
  const record = block.record(index)
  const { kind, id, path, deleted, at, origin, supplies, continues } = record
  try {
    const { body } = record
    if (body !== undefined && !(body instanceof Uint8Array)) acceptBody(body)
    const { rev, bodyHash } = record
    const head = {
      kind,
      id,
      rev,
      path,
      deleted,
      at,
      origin,
      supplies,
      continues,
      ...(bodyHash && { bodyHash }),
    }
    checkClaims(head)
    return head
  } catch (error) {
    if (error instanceof ShardCorruptError || !(error instanceof MynahError)) throw error
    return undefined
  }
}
