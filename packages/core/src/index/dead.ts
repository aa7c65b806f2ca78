import { ByteReader } from '../bytes/byte-reader.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import { parseValue } from './checksum.js'
import { deadBounds, numberAtEnd } from './keys.js'
import type { DerivedStore } from './level.js'

/** Seqs that share one count. */
const BUCKET_SEQS = 4_096

/**
 * How many bodies in the log no leaf has any more, counted for every 4,096 seqs: what tells compaction where it pays.
 * All of it is in RAM, and each bucket that changed is written with the index's next batch.
 */
export class DeadBodies {
  readonly #buckets = new Map<number, number>()
  #touched = new Set<number>()
  /** Of all buckets. */
  total = 0

  /** @throws IndexCorruptError */
  static async load(store: DerivedStore): Promise<DeadBodies> {
    const dead = new DeadBodies()
    const iterator = store.iterator(deadBounds)
    try {
      for (const [key, value] of await iterator.all())
        dead.#set(
          numberAtEnd(key),
          parseValue(key, value, (bytes) => new ByteReader(bytes).varint()),
        )
    } finally {
      await iterator.close()
    }
    dead.#touched.clear()
    return dead
  }

  /** Whether there is something to write. */
  get dirty(): boolean {
    return this.#touched.size > 0
  }

  /** The body at the seq is no leaf's any more. */
  add(seq: number): void {
    const bucket = Math.floor(seq / BUCKET_SEQS)
    this.#set(bucket, (this.#buckets.get(bucket) ?? 0) + 1)
  }

  /**
   * What compaction left within spans of seqs: `dropped` bodies are gone, `kept` dead ones are still there. A bucket that
   * lies within is counted anew, so that no error stays; of the others what was dropped goes off.
   */
  settle(
    spans: readonly { readonly firstSeq: number; readonly lastSeq: number }[],
    left: { readonly dropped: readonly number[]; readonly kept: readonly number[] },
  ): void {
    const isWhole = (bucket: number) => {
      const first = bucket * BUCKET_SEQS
      return spans.some(({ firstSeq, lastSeq }) => first >= firstSeq && first + BUCKET_SEQS - 1 <= lastSeq)
    }
    for (const bucket of [...this.#buckets.keys()]) if (isWhole(bucket)) this.#set(bucket, 0)
    for (const seq of left.kept) if (isWhole(Math.floor(seq / BUCKET_SEQS))) this.add(seq)
    for (const seq of left.dropped) {
      const bucket = Math.floor(seq / BUCKET_SEQS)
      if (!isWhole(bucket)) this.#set(bucket, Math.max(0, (this.#buckets.get(bucket) ?? 0) - 1))
    }
  }

  /** About how many there are from one seq to another, both included: as if those of a bucket lay evenly up to `head`. */
  between(firstSeq: number, lastSeq: number, head: number): number {
    let count = 0
    const last = Math.floor(lastSeq / BUCKET_SEQS)
    for (let bucket = Math.floor(firstSeq / BUCKET_SEQS); bucket <= last; bucket++) {
      const dead = this.#buckets.get(bucket)
      if (dead === undefined) continue
      const first = Math.max(1, bucket * BUCKET_SEQS)
      const end = Math.min((bucket + 1) * BUCKET_SEQS - 1, head)
      count += (dead * (Math.min(lastSeq, end) + 1 - Math.max(firstSeq, first))) / (end + 1 - first)
    }
    return count
  }

  /** The buckets that are to be written, with their counts as of this turn; they then count as written. */
  takeTouched(): ReadonlyMap<number, number> {
    const taken = new Map([...this.#touched].map((bucket) => [bucket, this.#buckets.get(bucket) ?? 0]))
    this.#touched = new Set()
    return taken
  }

  /** Marks buckets as not written. */
  touch(buckets: Iterable<number>): void {
    for (const bucket of buckets) this.#touched.add(bucket)
  }

  #set(bucket: number, count: number): void {
    this.total += count - (this.#buckets.get(bucket) ?? 0)
    if (count === 0) this.#buckets.delete(bucket)
    else this.#buckets.set(bucket, count)
    this.#touched.add(bucket)
  }
}

/** The bytes of a bucket's count: a varint. */
export function encodeDead(count: number): Uint8Array {
  const writer = new ByteWriter(8)
  writer.varint(count)
  return writer.finish()
}
