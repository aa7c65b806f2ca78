import { supersededOf } from '../changes/ancestry.js'
import { leafRecord } from '../changes/feed.js'
import { holdsPosition, type Position, positionAt } from '../changes/positions.js'
import { valueBytes } from '../codec/value-size.js'
import type { Leaf } from '../document/tree.js'
import type { DocumentIndex } from '../index/document-index.js'
import { boundsOf, type IdRange } from '../index/range.js'
import type { IdPrint, PartsFor, RangePart, RangeSum } from '../index/range-sums.js'
import type { LogRecord } from '../log/record.js'
import { type StoredCheckpoint, storeCheckpoint, storedCheckpoint } from './checkpoints.js'
import type { CommitQueue } from './commit-queue.js'
import type { Context } from './context.js'
import type { Evictor } from './evict.js'
import { feedPage } from './feed-page.js'
import { heldLeaves } from './held-leaves.js'
import { heldUnder } from './held-under.js'
import { unseenUpTo } from './index-home.js'
import type { IndexKeeper } from './index-keeper.js'
import { mergeRecords } from './merge.js'
import { owedCount, owedPage } from './owed.js'
import { ownShards } from './own-shards.js'
import type {
  BodySource,
  Checkpoint,
  FeedOptions,
  FeedPage,
  HeldAnswer,
  HeldUnder,
  LeafRef,
  MergeOptions,
  MergeReport,
  OwedPage,
  OwnShards,
  Parked,
  Replica,
  ReplicationSettings,
  ShardPage,
  TakeReport,
} from './replica.js'
import { takeShards } from './take.js'
import { isLeaf, together } from './together.js'

/** Bytes of bodies past which the other leaves of a document are told as stubs. */
const LEAVES_BYTES = 16 * 1024 * 1024

/** The `Replica` port of an open database. */
export class ReplicaPort implements Replica {
  readonly #context: Context
  readonly #queue: CommitQueue
  readonly #keeper: IndexKeeper
  readonly #listeners: Set<(position: Position) => void>
  readonly evict: Replica['evict']
  readonly closed: Promise<void>

  constructor(
    context: Context,
    queue: CommitQueue,
    keeper: IndexKeeper,
    listeners: Set<(position: Position) => void>,
    evictor: Evictor,
    closed: Promise<void>,
  ) {
    this.#context = context
    this.#queue = queue
    this.#keeper = keeper
    this.#listeners = listeners
    this.evict = (ids) => evictor.evict(ids)
    this.closed = closed
  }

  get id(): string {
    return this.#context.origin
  }

  get mode(): 'peer' | 'mirror' {
    return this.#context.mode
  }

  position(): Position {
    const { log } = this.#context
    return positionAt(log.incarnations, log.synced)
  }

  holds(position: Position): boolean {
    const { log } = this.#context
    return holdsPosition(log.incarnations, log.synced, position)
  }

  feed(options: FeedOptions): Promise<FeedPage> {
    return this.#keeper.use(() => feedPage(this.#context, options))
  }

  async missing(leaves: readonly LeafRef[]): Promise<readonly boolean[]> {
    const ids = [...new Set(leaves.map(({ id }) => id))]
    const entries = await this.#keeper.use(() => this.#context.index.lookup(ids))
    await this.#durable()
    return leaves.map((wanted) => {
      const leaf = entries.get(wanted.id)?.leaves.find(isLeaf(wanted))
      return leaf === undefined || leaf.bodySeq === 0
    })
  }

  async held(leaves: readonly LeafRef[]): Promise<HeldAnswer> {
    const { id, mode } = this
    const held = await this.#keeper.use(() => heldLeaves(this.#context, leaves))
    await this.#durable()
    return { id, mode, held }
  }

  sum(range: IdRange): Promise<RangeSum> {
    return this.#told((index) => index.sum(range))
  }

  sums(range: IdRange, borders: readonly string[]): Promise<readonly RangeSum[]> {
    return this.#told((index) => index.sums.sums(boundsOf(range), borders))
  }

  parts(range: IdRange, partsFor: PartsFor): Promise<readonly RangePart[]> {
    return this.#told((index) => index.sums.parts(boundsOf(range), partsFor))
  }

  prints(range: IdRange, most: number): Promise<readonly IdPrint[]> {
    return this.#told((index) => index.sums.prints(boundsOf(range), most))
  }

  async #told<T>(read: (index: DocumentIndex) => Promise<T>): Promise<T> {
    const found = await this.#keeper.use(() => read(this.#context.index))
    await this.#durable()
    return found
  }

  get owedUpTo(): number {
    return this.#context.manifest.data.owed?.at(-1)?.lastSeq ?? 0
  }

  get pinned(): number {
    return this.#context.pins.listed
  }

  owed(options: Parameters<Replica['owed']>[0]): Promise<OwedPage> {
    return this.#keeper.use(() => owedPage(this.#context, options))
  }

  owedCount(): Promise<number> {
    return this.#keeper.use(() => owedCount(this.#context))
  }

  async reconciled(): Promise<void> {
    const { manifest, log } = this.#context
    if (manifest.data.doubt)
      await manifest.update((data) => ({ doubt: false, ...unseenUpTo(data, log.head) }))
  }

  merge(records: readonly LogRecord[], options?: MergeOptions): Promise<MergeReport> {
    return mergeRecords(this.#context, this.#queue, records, options)
  }

  async shards({ after, ...bounds }: Parameters<Replica['shards']>[0]): Promise<ShardPage> {
    const { log } = this.#context
    const { shards, lastSeq, more, lost } = await log.sealed(after, bounds)
    const position = positionAt(log.incarnations, lastSeq)
    return { shards: shards.map(({ bytes }) => bytes), position, more, lost }
  }

  ownShards(options: Parameters<Replica['ownShards']>[0]): Promise<OwnShards> {
    return this.#keeper.use(() => ownShards(this.#context, options))
  }

  takeShards(
    shards: readonly Uint8Array[],
    { from = 'mirror' }: { readonly from?: 'peer' | 'mirror' } = {},
  ): Promise<TakeReport> {
    return takeShards(this.#context, this.#queue, shards, from)
  }

  bodies(
    wanted: readonly LeafRef[],
    options: { readonly whole?: boolean } = {},
  ): Promise<readonly LogRecord[]> {
    return this.#keeper.use(() => this.#bodies(wanted, options))
  }

  async #bodies(
    wanted: readonly LeafRef[],
    options: { readonly whole?: boolean },
  ): Promise<readonly LogRecord[]> {
    const entries = await this.#context.index.lookup([...new Set(wanted.map(({ id }) => id))])
    const records: LogRecord[] = []
    for (const ref of wanted) {
      const leaf = entries.get(ref.id)?.leaves.find(isLeaf(ref))
      if (leaf === undefined || leaf.bodySeq === 0) continue
      const record = await this.#record(ref.id, leaf, options.whole === true)
      if (record.body !== undefined) records.push(record)
    }
    await this.#durable()
    return records
  }

  async heldUnder(leaves: readonly LeafRef[]): Promise<HeldUnder> {
    const found = await this.#keeper.use(() => heldUnder(this.#context, leaves))
    await this.#durable()
    return found
  }

  together(leaves: readonly LeafRef[]): Promise<readonly (readonly LeafRef[])[]> {
    return this.#keeper.use(() => together(this.#context, leaves))
  }

  leaves(id: string): Promise<readonly LogRecord[]> {
    return this.#keeper.use(() => this.#leaves(id))
  }

  async #leaves(id: string): Promise<readonly LogRecord[]> {
    const { log, index } = this.#context
    const records: LogRecord[] = []
    let bytes = 0
    const leaves = (await index.get(id))?.leaves ?? []
    const superseded = supersededOf(index, id)
    for (const leaf of leaves) {
      const options = { bodies: bytes < LEAVES_BYTES, since: 0, superseded }
      const record = await leafRecord(log, index, id, leaf, options)
      bytes += valueBytes(record.body ?? null)
      records.push(record)
    }
    await this.#durable()
    return records
  }

  #record(id: string, leaf: Leaf, whole: boolean): Promise<LogRecord> {
    const { log, index } = this.#context
    return leafRecord(log, index, id, leaf, { bodies: true, since: whole ? 0 : leaf.seq })
  }

  /** What is told to others must not be lost here: what was found before this call is durable after it. */
  async #durable(): Promise<void> {
    const { log } = this.#context
    if (log.synced < log.head) await log.sync()
  }

  onCommit(listener: (position: Position) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  onMode(listener: () => void): () => void {
    this.#context.onMode.add(listener)
    return () => this.#context.onMode.delete(listener)
  }

  useSource(source: BodySource | undefined): void {
    this.#context.source = source
  }

  async checkpoint(key: string, direction: 'push' | 'pull'): Promise<Checkpoint | undefined> {
    const stored = await this.#stored(key, direction)
    const own = direction === 'push' ? stored?.checkpoint.source : stored?.checkpoint.target
    return own && this.holds(own) ? stored?.checkpoint : undefined
  }

  async setCheckpoint(
    key: string,
    direction: 'push' | 'pull',
    checkpoint: Checkpoint,
    parked?: readonly Parked[],
  ): Promise<void> {
    const kept = parked ?? (await this.#stored(key, direction))?.parked ?? []
    await this.#keeper.use(() =>
      storeCheckpoint(this.#context.index, key, direction, { checkpoint, parked: kept }),
    )
  }

  async parked(key: string): Promise<readonly Parked[]> {
    return (await this.#stored(key, 'push'))?.parked ?? []
  }

  #stored(key: string, direction: 'push' | 'pull'): Promise<StoredCheckpoint | undefined> {
    return this.#keeper.use(() => storedCheckpoint(this.#context.index, key, direction))
  }

  settings(): ReplicationSettings {
    return this.#context.manifest.data.replication
  }

  async setSettings(replication: ReplicationSettings): Promise<void> {
    await this.#context.manifest.update(() => ({ replication }))
  }
}
