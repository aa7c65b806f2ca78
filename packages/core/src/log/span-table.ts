import type { PlacedFrame } from './segment.js'
import type { SeqSpan } from './span.js'

/** A shard on disk: which seqs it covers and where it stands. */
export interface StoredShard extends PlacedFrame {
  readonly segment: string
}

export function lastSeqOf(shard: StoredShard): number {
  return shard.firstSeq + shard.span - 1
}

/** The shards in order of seq, none within another: finds the one that covers a seq. */
export class SpanTable {
  readonly #shards: StoredShard[] = []
  /** Segments of which some shard is found elsewhere. */
  readonly #thinned = new Set<string>()
  /** Sums over all shards. */
  records = 0
  storedBytes = 0
  rawBytes = 0

  get size(): number {
    return this.#shards.length
  }

  /** Those that another covers wholly are left out; of two with the same span the one that comes later counts. */
  add(shard: StoredShard): void {
    const end = lastSeqOf(shard)
    let index = this.#after(shard.firstSeq)
    const before = this.#shards[index - 1]
    const isSame = before?.firstSeq === shard.firstSeq && before.span === shard.span
    if (before !== undefined && lastSeqOf(before) >= end && !isSame) {
      this.#thinned.add(shard.segment)
      return
    }
    if (before?.firstSeq === shard.firstSeq) index--
    let until = index
    while (until < this.#shards.length && lastSeqOf(this.#shards[until]!) <= end) until++
    for (const covered of this.#shards.splice(index, until - index, shard)) {
      this.#count(covered, -1)
      this.#thinned.add(covered.segment)
    }
    this.#count(shard, 1)
  }

  /** Forgets one. */
  remove(shard: StoredShard): void {
    const index = this.#shards.indexOf(shard)
    if (index < 0) return
    this.#shards.splice(index, 1)
    this.#count(shard, -1)
  }

  /** Puts one in the place of another with the same records. */
  replace(old: StoredShard, shard: StoredShard): void {
    this.remove(old)
    this.add(shard)
  }

  /** The one that was put in the place of this one, alone or with others; undefined where that is as it was, or gone. */
  movedTo(old: StoredShard): StoredShard | undefined {
    const now = this.find(old.firstSeq)
    return now !== undefined && now !== old && lastSeqOf(now) >= lastSeqOf(old) ? now : undefined
  }

  /** Whether it is where its records are found. */
  has(shard: StoredShard): boolean {
    return this.find(shard.firstSeq) === shard
  }

  /** Those that stand in a segment. */
  in(segment: string): readonly StoredShard[] {
    return this.#shards.filter((shard) => shard.segment === segment)
  }

  /** Whether bytes of a segment are those of shards that are found elsewhere, as a compaction that was cut off leaves it. */
  isThinned(segment: string): boolean {
    return this.#thinned.has(segment)
  }

  find(seq: number): StoredShard | undefined {
    const shard = this.#shards[this.#after(seq) - 1]
    return shard !== undefined && lastSeqOf(shard) >= seq ? shard : undefined
  }

  /** The first shard that ends at or past the seq. */
  from(seq: number): StoredShard | undefined {
    return this.find(seq) ?? this.#shards[this.#after(seq)]
  }

  /** What the shards cover, in order, with those that touch made one. */
  spans(): readonly SeqSpan[] {
    const spans: { firstSeq: number; lastSeq: number }[] = []
    for (const shard of this.#shards) {
      const last = spans.at(-1)
      if (last !== undefined && shard.firstSeq <= last.lastSeq + 1) last.lastSeq = lastSeqOf(shard)
      else spans.push({ firstSeq: shard.firstSeq, lastSeq: lastSeqOf(shard) })
    }
    return spans
  }

  /** Index of the first shard that begins past the seq. */
  #after(seq: number): number {
    const last = this.#shards.at(-1)
    if (last === undefined || last.firstSeq <= seq) return this.#shards.length
    let low = 0
    let high = this.#shards.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#shards[middle]!.firstSeq <= seq) low = middle + 1
      else high = middle
    }
    return low
  }

  #count(shard: StoredShard, sign: 1 | -1): void {
    this.records += sign * shard.count
    this.storedBytes += sign * shard.length
    this.rawBytes += sign * shard.rawBytes
  }
}
