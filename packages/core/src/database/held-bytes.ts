import type { Leaf } from '../document/tree.js'
import type { IndexCommit } from '../index/index-commit.js'
import { recordsBytes } from '../log/appended.js'
import type { LogRecord } from '../log/record.js'
import type { Context } from './context.js'

/** Records whose bodies are counted together. */
const BUCKET_SEQS = 256

interface Bucket {
  bytes: number
  count: number
}

/**
 * How many bytes the bodies of leaves take that are held, before compression. Kept in RAM, from a count over the index
 * after opening on, and only where a budget asks for it, so that nobody else pays. A body that goes takes with it the
 * average of those that were recorded near it: so the sum is right again when all of them are gone, and never drifts.
 */
export class HeldBytes {
  readonly #context: Context
  readonly #buckets = new Map<number, Bucket>()
  /** What changed while the count runs; undefined when it is over. */
  #late: { readonly seq: number; readonly bytes: number | undefined }[] | undefined = []
  #total = 0

  constructor(context: Context) {
    this.#context = context
  }

  /** Undefined until all is counted. */
  get total(): number | undefined {
    return this.#late === undefined ? this.#total : undefined
  }

  /** Counts what the index knows as held, and reads it in the log: as much as is held, and not more. @throws IndexCorruptError */
  async count(): Promise<void> {
    const { index, log, env } = this.#context
    this.#buckets.clear()
    this.#total = 0
    this.#late = []
    // As the entries are in this turn; what is applied from now on comes afterwards.
    const held = new Map<number, Set<number>>()
    for await (const [, { leaves }] of index.range({}))
      for (const { bodySeq } of leaves.filter(isCounted)) {
        const number = Math.floor(bodySeq / BUCKET_SEQS)
        const seqs = held.get(number)
        if (seqs) seqs.add(bodySeq)
        else held.set(number, new Set([bodySeq]))
      }
    for (const [number, seqs] of held) {
      const firstSeq = number * BUCKET_SEQS
      for await (const batch of log.scan(firstSeq, firstSeq + BUCKET_SEQS - 1))
        for (const { seq, record } of batch) if (seqs.has(seq)) this.#add(seq, recordsBytes([record]))
      await env.yield()
    }
    const late = this.#late
    this.#late = undefined
    for (const { seq, bytes } of late) this.#change(seq, bytes)
  }

  /** Follows a commit. */
  applied({ changes, seq: last }: IndexCommit, records: readonly LogRecord[]): void {
    const firstSeq = last - records.length + 1
    for (const { before, after } of changes) {
      const now = new Set(after.leaves.filter(isCounted).map(({ bodySeq }) => bodySeq))
      for (const leaf of before?.leaves ?? [])
        if (isCounted(leaf) && !now.delete(leaf.bodySeq)) this.#change(leaf.bodySeq, undefined)
      for (const seq of now) {
        const record = records[seq - firstSeq]
        if (record !== undefined) this.#change(seq, recordsBytes([record]))
      }
    }
  }

  /** About what the body recorded at a seq counts for. */
  bytesAt(seq: number): number {
    const bucket = this.#buckets.get(Math.floor(seq / BUCKET_SEQS))
    return bucket === undefined ? 0 : bucket.bytes / bucket.count
  }

  #change(seq: number, bytes: number | undefined): void {
    if (this.#late !== undefined) this.#late.push({ seq, bytes })
    else if (bytes === undefined) this.#remove(seq)
    else this.#add(seq, bytes)
  }

  #add(seq: number, bytes: number): void {
    const number = Math.floor(seq / BUCKET_SEQS)
    const bucket = this.#buckets.get(number)
    if (bucket === undefined) this.#buckets.set(number, { bytes, count: 1 })
    else {
      bucket.bytes += bytes
      bucket.count += 1
    }
    this.#total += bytes
  }

  #remove(seq: number): void {
    const number = Math.floor(seq / BUCKET_SEQS)
    const bucket = this.#buckets.get(number)
    if (bucket === undefined) return
    const bytes = Math.round(bucket.bytes / bucket.count)
    this.#total -= bytes
    bucket.bytes -= bytes
    bucket.count -= 1
    if (bucket.count === 0) this.#buckets.delete(number)
  }
}

/** A tombstone's body is nothing that could go. */
function isCounted({ bodySeq, deleted }: Leaf): boolean {
  return bodySeq !== 0 && !deleted
}
