import type { LogRecord, Sequenced } from './record.js'
import { mergeSpans, type SeqSpan } from './span.js'

interface TailGroup {
  /** All its records as one block, while none is gone. */
  payload: Uint8Array | undefined
  firstSeq: number
  count: number
  bytes: number
}

/** Consecutive records, as one shard may take them. */
export interface TailRun extends SeqSpan {
  readonly records: readonly Sequenced[]
  /** Their part of the bytes of the groups that brought them. */
  readonly bytes: number
  /** The block of a whole group that is a shard by itself: made once, for the hot file. */
  readonly block?: Uint8Array
}

/** What a run may come to. */
export interface RunBounds {
  readonly bytes: number
  readonly records: number
}

/** The records that no shard holds yet, in RAM, in order of seq. */
export class HotTail {
  readonly #records = new Map<number, LogRecord>()
  #groups: TailGroup[] = []
  /** Groups before this index are gone. */
  #front = 0
  #bytes = 0

  /** Records held. */
  get count(): number {
    return this.#records.size
  }

  /** Sum of the payloads that brought them. */
  get bytes(): number {
    return this.#bytes
  }

  /** Undefined when it is empty. */
  get firstSeq(): number | undefined {
    return this.#groups[this.#front]?.firstSeq
  }

  get(seq: number): LogRecord | undefined {
    return this.#records.get(seq)
  }

  /** Groups come in order of seq. */
  add(firstSeq: number, records: readonly LogRecord[], bytes: number, payload?: Uint8Array): void {
    if (records.length === 0) return
    for (let index = 0; index < records.length; index++) this.#records.set(firstSeq + index, records[index]!)
    this.#groups.push({ firstSeq, count: records.length, bytes, payload })
    this.#bytes += bytes
  }

  /** What is held, in order, with what touches made one. */
  spans(): readonly SeqSpan[] {
    return mergeSpans(
      this.#groups
        .slice(this.#front)
        .map(({ firstSeq, count }) => ({ firstSeq, lastSeq: firstSeq + count - 1 })),
    )
  }

  /** The first seq held at or past `seq`. */
  nextSeq(seq: number): number | undefined {
    const group = this.#groups[this.#indexFrom(seq)]
    return group === undefined ? undefined : Math.max(group.firstSeq, seq)
  }

  /** Consecutive records from the first at or past `from`, to `to` at most, until they reach a bound; at least one. */
  run(from: number, to: number, bounds: RunBounds): TailRun | undefined {
    const firstSeq = this.nextSeq(from)
    if (firstSeq === undefined || firstSeq > to) return undefined
    const records: Sequenced[] = []
    let bytes = 0
    let seq = firstSeq
    for (let index = this.#indexFrom(from); index < this.#groups.length; index++) {
      const group = this.#groups[index]!
      if (group.firstSeq > seq) break
      const each = group.bytes / group.count
      for (const end = group.firstSeq + group.count; seq < end; seq++) {
        if (seq > to || bytes >= bounds.bytes || records.length >= bounds.records)
          return { firstSeq, lastSeq: seq - 1, records, bytes }
        records.push({ seq, record: this.#records.get(seq)! })
        bytes += each
      }
    }
    return { firstSeq, lastSeq: seq - 1, records, bytes }
  }

  /** The group that begins at `from`, when it makes a shard by itself: not small, and its block not large. */
  wholeGroup(from: number, to: number, shardBytes: number): TailRun | undefined {
    const firstSeq = this.nextSeq(from)
    const group = firstSeq === undefined ? undefined : this.#groups[this.#indexFrom(firstSeq)]
    if (group?.payload === undefined || group.firstSeq !== firstSeq) return undefined
    const lastSeq = firstSeq + group.count - 1
    const fits = group.bytes >= shardBytes / 2 && group.payload.length <= shardBytes / 2
    if (!fits || lastSeq > to) return undefined
    const records = Array.from({ length: group.count }, (_, i) => ({
      seq: firstSeq + i,
      record: this.#records.get(firstSeq + i)!,
    }))
    return { firstSeq, lastSeq, records, bytes: Math.max(group.bytes, shardBytes), block: group.payload }
  }

  /** Forgets the records up to the seq: they are sealed. */
  drop(lastSeq: number): void {
    for (let group = this.#groups[this.#front]; group !== undefined; group = this.#groups[this.#front]) {
      const gone = Math.min(group.count, lastSeq + 1 - group.firstSeq)
      if (gone <= 0) break
      for (let index = 0; index < gone; index++) this.#records.delete(group.firstSeq + index)
      const bytes = gone === group.count ? group.bytes : (group.bytes / group.count) * gone
      this.#bytes -= bytes
      group.bytes -= bytes
      group.payload = undefined
      group.firstSeq += gone
      group.count -= gone
      if (group.count > 0) break
      this.#front++
    }
    if (this.#front < this.#groups.length / 2) return
    this.#groups = this.#groups.slice(this.#front)
    this.#front = 0
    if (this.#groups.length === 0) this.#bytes = 0
  }

  /** Index of the first group that ends at or past the seq. */
  #indexFrom(seq: number): number {
    let low = this.#front
    let high = this.#groups.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const group = this.#groups[middle]!
      if (group.firstSeq + group.count <= seq) low = middle + 1
      else high = middle
    }
    return low
  }
}
