import { generationOf } from '../document/revision.js'
import { type Leaf, leafKey } from '../document/tree.js'
import type { DocumentIndex } from '../index/document-index.js'
import type { HistoryRow } from '../index/entry.js'
import { limits } from '../limits.js'
import type { Sieve } from '../log/compactor.js'
import type { ManifestData } from '../log/manifest.js'
import type { LogRecord, Sequenced } from '../log/record.js'
import type { SeqSpan } from '../log/span.js'
import type { CommitQueue } from './commit-queue.js'
import type { Context } from './context.js'
import { isHeld, neededBodies } from './keep.js'

/** Records of which something went: past so many, what is written is to count before there is more. */
const RECORDS = 65_536

/** What becomes of a record: it stays, or without its body, or not at all. */
type Fate = 'whole' | 'stub' | 'gone'

/** Superseded revisions of a document that keep their records below a seq. */
interface Remaining {
  below: number
  readonly revs: Set<string>
}

/**
 * Decides which records stay. A leaf keeps its record, and its body where it is held; so does what stands for a leaf that
 * is not held. Of any other revision goes the body, and with it the whole record where nothing hangs on that: a root says
 * no more than the path of its child does; one past the limit of ancestors may go when what it superseded is gone, as
 * whoever replays the log would take that for a leaf again. One between two of its transaction tells that they belong
 * together, and stays. docs/decisions/0015-what-compaction-keeps.md
 */
export class DocumentSieve implements Sieve {
  readonly #context: Context
  readonly #queue: CommitQueue
  readonly #index: DocumentIndex
  /** The last seq when it began: what is appended later may change what was decided. */
  #checked: number
  readonly #damage: number
  /** Documents of which something went; true for those with a single leaf, which is held. */
  readonly #documents = new Map<string, boolean>()
  readonly #forgotten: { readonly id: string; readonly seq: number }[] = []
  readonly #emptied: { readonly id: string; readonly row: HistoryRow }[] = []
  readonly #gone = new Set<number>()
  readonly #dropped: number[] = []
  readonly #kept: number[] = []
  readonly #needed = new Map<string, ReadonlySet<number>>()
  readonly #remaining = new Map<string, Remaining>()
  /** The record before the present one, in the same part. */
  #last: { readonly seq: number; readonly continues: boolean } | undefined
  /** Whether the present record stands between two others of its transaction. */
  #isWithin = false
  #historySince = 0
  #historyTime = Number.NEGATIVE_INFINITY
  /** Records that went, and others that lost their bodies. */
  readonly counts = { records: 0, bodies: 0 }

  constructor(context: Context, queue: CommitQueue) {
    this.#context = context
    this.#queue = queue
    this.#index = context.index
    this.#checked = context.index.root.seq
    this.#damage = context.manifest.data.damage
  }

  get full(): boolean {
    return this.counts.records + this.counts.bodies >= RECORDS
  }

  history({ historySince, historyTime = this.#historyTime }: ManifestData): Partial<ManifestData> {
    const since = Math.max(historySince, this.#historySince)
    const time = Math.max(historyTime, this.#historyTime)
    return { historySince: since, ...(Number.isFinite(time) && { historyTime: time }) }
  }

  /** @throws IndexCorruptError */
  async sift(records: readonly Sequenced[]): Promise<readonly Sequenced[]> {
    const entries = await this.#index.lookup([...new Set(records.map(({ record }) => record.id))])
    const kept: Sequenced[] = []
    for (const { seq, record } of records) {
      const leaves = entries.get(record.id)?.leaves ?? []
      // Whether one continues that is not known, or not looked at, nobody knows.
      this.#isWithin = record.continues && (this.#last?.seq !== seq - 1 || this.#last.continues)
      this.#last = { seq, continues: record.continues }
      const fate = await this.#fateOf(seq, record, leaves)
      if (fate === 'whole') kept.push({ seq, record })
      else if (fate === 'stub') kept.push({ seq, record: stubOf(record) })
    }
    return kept
  }

  async commit(spans: readonly SeqSpan[], change: () => Promise<void>): Promise<boolean> {
    // What was appended meanwhile is looked through before the writers have to wait for it.
    if (!(await this.#holds())) return false
    let done = false
    await this.#queue.alone(async () => {
      if (!(await this.#holds())) return
      // What took the place of others has to outlast a power cut as they would have.
      await this.#context.log.sync()
      await change()
      this.#index.compacted({
        spans,
        forgotten: this.#forgotten,
        emptied: this.#emptied,
        dropped: this.#dropped,
        kept: this.#kept,
      })
      done = true
    })
    return done
  }

  async #fateOf(seq: number, record: LogRecord, leaves: readonly Leaf[]): Promise<Fate> {
    const own = leaves.find((leaf) => leaf.bodySeq === seq) ?? leaves.find((leaf) => leaf.seq === seq)
    if (own?.bodySeq === seq || leaves.length === 0) return 'whole'
    if (own !== undefined) return this.#ofLeaf(seq, record, leaves)
    const simple = leaves.length === 1 && isHeld(this.#context.log, leaves[0]!)
    // The rev of a record with a body is dear: a root's is not needed.
    if (simple && isNativeRoot(record)) return this.#let(seq, record, leaves, 'gone')
    const key = leafKey(record)
    const again = leaves.find((leaf) => leafKey(leaf) === key)
    if (again !== undefined) {
      if (!record.supplies) return this.#ofLeaf(seq, record, leaves)
      // Evicted bodies stay so for whoever replays the log.
      const evicts = record.kind === 'stub' && again.bodySeq === 0
      return evicts ? 'whole' : this.#let(seq, record, leaves, 'gone', true)
    }
    if (!simple && (await this.#isNeeded(seq, record.id, leaves))) {
      if (record.kind === 'revision') this.#kept.push(seq)
      return 'whole'
    }
    return this.#ofSuperseded(seq, record, leaves)
  }

  /** A record by which a leaf is known and that is not where its body is. */
  async #ofLeaf(seq: number, record: LogRecord, leaves: readonly Leaf[]): Promise<Fate> {
    if (record.kind === 'stub') return 'whole'
    await this.#empty(record.id, seq)
    return this.#let(seq, record, leaves, 'stub', true)
  }

  /** The history is to say that the body at this seq is gone. */
  async #empty(id: string, seq: number): Promise<void> {
    const [row] = await this.#index.history(id, { from: seq, before: seq + 1 })
    if (row?.bodySeq === seq) this.#emptied.push({ id, row })
  }

  async #ofSuperseded(seq: number, record: LogRecord, leaves: readonly Leaf[]): Promise<Fate> {
    const { id, rev, path, supplies, deleted } = record
    if (supplies) {
      const row = (await this.#index.history(id)).find(({ bodySeq }) => bodySeq === seq)
      if (row) this.#emptied.push({ id, row })
      return this.#let(seq, record, leaves, 'gone')
    }
    const isRoot = path.length === 0 && generationOf(rev) === 1 && !deleted
    if (isRoot || (isPast(rev, leaves) && (await this.#isLast(seq, record)))) {
      return this.#let(seq, record, leaves, 'gone')
    }
    if (record.kind === 'stub') return 'whole'
    await this.#empty(id, seq)
    return this.#let(seq, record, leaves, 'stub')
  }

  async #isNeeded(seq: number, id: string, leaves: readonly Leaf[]): Promise<boolean> {
    const { log } = this.#context
    if (leaves.every((leaf) => isHeld(log, leaf))) return false
    const known = this.#needed.get(id) ?? (await neededBodies(log, this.#index, id, leaves))
    this.#needed.set(id, known)
    return known.has(seq)
  }

  /** Whether nothing is left of what it superseded. */
  async #isLast(seq: number, { id, path }: LogRecord): Promise<boolean> {
    const remaining = this.#remaining.get(id) ?? { below: 0, revs: new Set() }
    this.#remaining.set(id, remaining)
    // Records come in order, so that of all below it is known by now whether they go.
    const rows = await this.#index.history(id, { from: remaining.below, before: seq })
    for (const row of rows) if (!this.#gone.has(row.seq)) remaining.revs.add(row.rev)
    remaining.below = seq
    return !path.some((rev) => remaining.revs.has(rev))
  }

  async #let(
    seq: number,
    record: LogRecord,
    leaves: readonly Leaf[],
    wanted: 'stub' | 'gone',
    isLeaf = false,
  ): Promise<Fate> {
    const { id, kind, supplies, at } = record
    const stays = wanted === 'gone' && this.#isWithin
    if (stays && (kind === 'stub' || supplies)) return 'whole'
    const fate = stays ? 'stub' : wanted
    if (stays) await this.#empty(id, seq)
    this.#documents.set(id, leaves.length === 1 && isHeld(this.#context.log, leaves[0]!))
    if (kind === 'revision') this.#dropped.push(seq)
    if (fate === 'stub') this.counts.bodies += 1
    else {
      this.counts.records += 1
      if (!isLeaf) this.#historyTime = Math.max(this.#historyTime, at)
      if (!supplies) {
        this.#forgotten.push({ id, seq })
        this.#gone.add(seq)
      }
    }
    // Nothing that was superseded later than the newest leaf came to be is missing.
    if (!isLeaf) for (const leaf of leaves) this.#historySince = Math.max(this.#historySince, leaf.seq)
    return fate
  }

  /** Whether what was appended since leaves all that was decided as it is. */
  async #holds(): Promise<boolean> {
    const { log, index, manifest } = this.#context
    const { damage, settled = 0 } = manifest.data
    if (index !== this.#index || damage !== this.#damage || settled !== damage) return false
    // The log may be ahead of it for a moment.
    const to = index.root.seq
    const changed = new Set<string>()
    for await (const batch of log.scan(this.#checked + 1, to))
      for (const { record } of batch) if (this.#documents.has(record.id)) changed.add(record.id)
    for (const [id, { leaves }] of await index.lookup([...changed])) {
      // One that followed a single leaf that was held, and is held, has that among its ancestors: there is no other.
      if (!this.#documents.get(id) || leaves.length !== 1 || !isHeld(log, leaves[0]!)) return false
    }
    this.#checked = to
    return true
  }
}

/** A revision without ancestors that was written by a database of ours. */
function isNativeRoot(record: LogRecord): boolean {
  const { kind, path, supplies, deleted } = record
  // Asked for its hash, a record would work it out.
  return kind === 'revision' && path.length === 0 && !supplies && !deleted && !('bodyHash' in record)
}

/** Whether no leaf can have the revision among the ancestors that are kept. */
function isPast(rev: string, leaves: readonly Leaf[]): boolean {
  const generation = generationOf(rev)
  return leaves.every((leaf) => {
    const own = generationOf(leaf.rev)
    return own !== limits.generation && own - generation > limits.ancestors
  })
}

function stubOf(record: LogRecord): LogRecord {
  const { id, rev, path, deleted, at, origin, supplies, continues, bodyHash } = record
  const stub = { kind: 'stub', id, rev, path, deleted, at, origin, supplies, continues } as const
  return bodyHash === undefined ? stub : { ...stub, bodyHash }
}
