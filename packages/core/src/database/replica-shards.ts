import type { Position } from '../changes/positions.js'
import type { MynahError } from '../errors.js'
import type { LeafRef } from './leaf-ref.js'

/** Shards of a replica's log, as they lie. */
export interface ShardPage {
  readonly shards: readonly Uint8Array[]
  /** What they cover up to; the next page's `after`. */
  readonly position: Position
  /** Whether what follows is sealed too. What is not is told by the feed. */
  readonly more: boolean
  /** Whether some of what is covered was lost: who has these shards does not know all that is known here. */
  readonly lost: boolean
}

/** One commit of what was taken. */
export interface TakeCommit {
  /** What was new took the seqs from `before` + 1 to `position.seq`, with nothing of others in between. */
  readonly before: number
  readonly position: Position
  /** Every document that is told at one of these seqs has one leaf, and came with its body. */
  readonly given: boolean
}

/** What became of shards that were taken. All but what is refused or detached is durable. */
export interface TakeReport {
  readonly commits: readonly TakeCommit[]
  /** Documents that changed. */
  readonly changed: readonly string[]
  /** Documents with a revision whose path ends at one unknown here: to be asked for whole. */
  readonly detached: readonly string[]
  readonly refused: readonly MynahError[]
  /** How many of the shards could not be taken as they lie: their records were merged. */
  readonly merged: number
  /** How many records were new, or brought a body that was lacking. */
  readonly taken: number
  /** Of a peer's: places of the records that were refused or detached, counted through all shards. */
  readonly left: readonly number[]
}

/** Shards to be pushed as they lie. */
export interface OwnShards {
  /** Each begins right behind the one before, the first right behind `after`. */
  readonly shards: readonly OwnShard[]
  /** What they cover up to; where there are none, up to where nothing can go so. */
  readonly position: Position
}

/** A shard of which each record was written here, and has its body. */
export interface OwnShard {
  readonly bytes: Uint8Array
  /** Of its records, in order. */
  readonly ids: readonly string[]
  /** The leaf that the record at a place is, or was. */
  leaf(at: number): LeafRef
}
