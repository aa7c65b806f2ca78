import type { Finding } from './finding.js'
import type { HotTail } from './hot-tail.js'
import type { Manifest } from './manifest.js'
import { Serial } from './serial.js'
import { mergeSpans, type SeqSpan, spanFrom } from './span.js'
import { lastSeqOf, type SpanTable, type StoredShard } from './span-table.js'

export interface LostRecordsOptions {
  readonly manifest: Manifest
  readonly tail: HotTail
  readonly table: SpanTable
  /** What is known as lost already. */
  readonly lost: readonly SeqSpan[]
  /** The last seq that the index has seen. */
  readonly watermark: number
  readonly readOnly: boolean
}

/**
 * Which records damage took: those that the manifest lists, and those that were found lost since. A shard that is given
 * up is never read again in this life, so that a record does not come and go; it is looked at anew by the next open.
 */
export class LostRecords {
  readonly #options: LostRecordsOptions
  /** What was found while the log is open. */
  readonly findings: Finding[] = []
  #spans: readonly SeqSpan[]
  #followed: number
  /** Findings that the manifest does not know of. */
  #unrecorded = 0
  readonly #recording = new Serial()
  readonly #listeners: (() => void)[] = []

  constructor(options: LostRecordsOptions) {
    this.#options = options
    this.#followed = options.watermark
    this.#spans = options.lost
  }

  get spans(): readonly SeqSpan[] {
    return this.#spans
  }

  get count(): number {
    return this.#spans.reduce((sum, { firstSeq, lastSeq }) => sum + lastSeq + 1 - firstSeq, 0)
  }

  has(seq: number): boolean {
    const { tail, table } = this.#options
    const span = spanFrom(this.#spans, seq)
    if (span === undefined || span.firstSeq > seq) return false
    return tail.get(seq) === undefined && table.find(seq) === undefined
  }

  /** The index has seen every record: from now on it knows what is lost. */
  followed(): void {
    this.#followed = Number.MAX_SAFE_INTEGER
  }

  /** Counts the shard's records as lost from now on; others are told when that is recorded. */
  giveUp(shard: StoredShard, fault: string): void {
    const { table } = this.#options
    if (table.find(shard.firstSeq) !== shard) return
    const span = { firstSeq: shard.firstSeq, lastSeq: lastSeqOf(shard) }
    table.remove(shard)
    this.#spans = mergeSpans([...this.#spans, span])
    this.findings.push({ file: shard.segment, fault, ...span })
    this.#unrecorded += 1
  }

  /** Makes durable that what was given up is lost, and every checkpoint void. @throws StorageError */
  record(): Promise<void> {
    if (this.#unrecorded === 0 || this.#options.readOnly) return Promise.resolve()
    return this.#recording.run(async () => {
      const recorded = this.#unrecorded
      if (recorded === 0) return
      const doubt = this.#spans.some(({ lastSeq }) => lastSeq > this.#followed)
      await this.#options.manifest.update(({ damage }) => ({
        lost: this.#spans,
        damage: damage + 1,
        ...(doubt && { doubt }),
      }))
      this.#unrecorded -= recorded
      for (const listener of this.#listeners) listener()
    })
  }

  /** Calls each time when more was recorded as lost. */
  onRecorded(listener: () => void): void {
    this.#listeners.push(listener)
  }
}
