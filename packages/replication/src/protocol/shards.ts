import type { Position } from '@mynah/core/replica'
import { Packr } from 'msgpackr'
import { MessageInvalidError } from '../errors.js'
import { wireLimits } from './names.js'
import { positionText } from './position.js'
import { Shape } from './shape.js'

/**
 * Several shards in one answer, or one push, version 1, big-endian. What a shard's own bytes mean: docs/formats/shard.md.
 *
 *   offset  size  field
 *   0       4     magic     "MYSS"
 *   4       1     version   1
 *   5       1     flags     1: some of what they cover was lost; others are refused
 *   6       2     reserved  zero
 *   8             for each shard: its length (4 bytes), its bytes
 */
const MAGIC = 0x4d595353
const VERSION = 1
const LOST = 1
const HEADER_BYTES = 8
const LENGTH_BYTES = 4

/** Values of an answer without its list, generously: members may be added. */
const ANSWER_VALUES = 64

/** What an answer of `shards` tells, but for its place. */
export interface ToldShards {
  readonly shards: readonly Uint8Array[]
  /** Whether some of what they cover was lost. */
  readonly lost: boolean
}

/** The bytes of an answer of shards, as they lie. */
export function encodeShards({ shards, lost }: ToldShards): Uint8Array {
  const length = shards.reduce((sum, shard) => sum + LENGTH_BYTES + shard.length, HEADER_BYTES)
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC)
  view.setUint8(4, VERSION)
  view.setUint8(5, lost ? LOST : 0)
  let offset = HEADER_BYTES
  for (const shard of shards) {
    view.setUint32(offset, shard.length)
    bytes.set(shard, offset + LENGTH_BYTES)
    offset += LENGTH_BYTES + shard.length
  }
  return bytes
}

/** The answer to a push of shards: all that was taken is fsynced. */
export interface ShardsAnswer {
  readonly position: Position
  /** What was new took exactly the seqs from `before` + 1 to `position.seq`, with nothing of others in between. */
  readonly before: number
  /** Records that were new or whose body was. */
  readonly taken: number
  /** Places of the records that were not taken, counted through all shards, rising: they are to be pushed as records. */
  readonly left: readonly number[]
}

export function encodeShardsAnswer({ position, before, taken, left }: ShardsAnswer): Uint8Array {
  const packr = new Packr({ useRecords: false, variableMapSize: true })
  return new Uint8Array(packr.pack({ position: positionText(position), before, taken, left }))
}

/** @throws MessageInvalidError */
export function decodeShardsAnswer(bytes: Uint8Array): ShardsAnswer {
  const shape = new Shape('answer to a push of shards')
  const message = shape.object(shape.msgpack(bytes, ANSWER_VALUES + wireLimits.copyRecords))
  let least = 0
  return {
    position: shape.position(message.position),
    before: shape.count(message.before),
    taken: shape.count(message.taken),
    left: shape.array(message.left, wireLimits.copyRecords).map((value) => {
      const at = shape.count(value)
      if (at < least) shape.fail('places that do not rise')
      least = at + 1
      return at
    }),
  }
}

/** The shards are views of `bytes`; `what` names the message. @throws MessageInvalidError */
export function decodeShards(bytes: Uint8Array, what = 'answer about shards'): ToldShards {
  const refuse = (detail: string): never => {
    throw new MessageInvalidError(what, detail)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < HEADER_BYTES || view.getUint32(0) !== MAGIC) refuse('not shards')
  if (view.getUint8(4) !== VERSION) refuse(`unknown version ${view.getUint8(4)}`)
  const flags = view.getUint8(5)
  if ((flags & ~LOST) !== 0 || view.getUint16(6) !== 0) refuse('unknown bits')
  const shards: Uint8Array[] = []
  for (let offset = HEADER_BYTES; offset < bytes.length; ) {
    if (bytes.length - offset < LENGTH_BYTES) refuse('it ends within a length')
    const length = view.getUint32(offset)
    offset += LENGTH_BYTES
    if (length > bytes.length - offset) refuse('it ends within a shard')
    if (shards.push(bytes.subarray(offset, offset + length)) > wireLimits.copyShards)
      refuse('too many shards')
    offset += length
  }
  return { shards, lost: flags === LOST }
}
