import { compareBytes } from '../bytes/compare.js'
import type { Leaf } from '../document/tree.js'
import { addFingerprint, subtractFingerprint } from './fingerprint.js'

/** What is kept of a set of ids; changed in place. */
export interface Tally {
  /** How many. */
  ids: number
  /** The highest seq at which one of them changed, or more. */
  seq: number
  /** Of their fingerprints, mod 2^256: 32 bytes, big-endian. */
  readonly sum: Uint8Array
}

/** One id's fingerprint before and after a change of it, and the seq of that. */
export interface Print {
  readonly id: string
  /** Undefined for an id that was not known. */
  readonly before: Uint8Array | undefined
  readonly after: Uint8Array
  readonly seq: number
}

export function emptyTally(): Tally {
  return { ids: 0, seq: 0, sum: new Uint8Array(32) }
}

export function copyTally({ ids, seq, sum }: Tally): Tally {
  return { ids, seq, sum: sum.slice() }
}

export function addTally(to: Tally, other: Tally): void {
  to.ids += other.ids
  if (other.seq > to.seq) to.seq = other.seq
  addFingerprint(to.sum, other.sum)
}

/** Takes a part out. The highest seq stays: whose it was is not known. */
export function subtractTally(from: Tally, part: Tally): void {
  from.ids -= part.ids
  subtractFingerprint(from.sum, part.sum)
}

export function addPrint(to: Tally, { before, after, seq }: Print): void {
  if (before) subtractFingerprint(to.sum, before)
  else to.ids += 1
  addFingerprint(to.sum, after)
  if (seq > to.seq) to.seq = seq
}

/** Whether count and sum are the same. */
export function sameTally(a: Pick<Tally, 'ids' | 'sum'>, b: Pick<Tally, 'ids' | 'sum'>): boolean {
  return a.ids === b.ids && compareBytes(a.sum, b.sum) === 0
}

/** The newest seq at which one of a document's leaves became known. */
export function changeSeq(leaves: readonly Leaf[]): number {
  return leaves.reduce((newest, leaf) => Math.max(newest, leaf.seq), 0)
}
