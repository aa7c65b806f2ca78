import { ClosedError, IndexCorruptError, ReadOnlyError } from '../errors.js'
import { acceptIds, checkMode, checkOptions, checkRead } from './arguments.js'
import { watchChanges } from './change-stream.js'
import type { CommitQueue } from './commit-queue.js'
import type { Compaction, CompactOptions, CompactReport } from './compaction.js'
import { type Conflict, listConflicts, type ResolveOptions, resolveConflict } from './conflicts.js'
import type { Context } from './context.js'
import type { Database } from './database.js'
import type {
  Change,
  ChangesOptions,
  Document,
  Input,
  ListOptions,
  Moment,
  Outcome,
  PutOptions,
  REMOVE,
  Read,
  ReadOptions,
  Ref,
  Snapshot,
  Stored,
  Version,
} from './documents.js'
import { type Engine, engineOf } from './engine.js'
import type { Evictor } from './evict.js'
import { evictorOf } from './held-budget.js'
import type { Housekeeping } from './housekeeping.js'
import type { IndexKeeper } from './index-keeper.js'
import { listDocuments } from './list.js'
import { mergeRecords } from './merge.js'
import { seqOf } from './moment.js'
import { requireHistory } from './past.js'
import { Reader } from './reader.js'
import type { Replica } from './replica.js'
import { ReplicaPort } from './replica-port.js'
import { PastSnapshot, versionsOf } from './snapshot.js'
import { type Stats, statsOf } from './stats.js'
import { runTransaction, type Transaction, type TransactionOptions } from './transaction.js'
import { scanUntilClosed, untilClosed } from './until-closed.js'
import { type VerifyOptions, type VerifyReport, verify } from './verify.js'
import { Writer } from './writer.js'

type Maybe<T> = T | Promise<T>

/** The database in this process: a thin facade over the commit queue and the reader. */
export class EmbeddedDatabase implements Database {
  readonly #context: Context
  readonly #housekeeping: Housekeeping
  readonly #queue: CommitQueue
  readonly #keeper: IndexKeeper
  readonly #engine: Engine
  readonly #compaction: Compaction
  readonly #reader: Reader
  readonly #writer: Writer
  readonly #evictor: Evictor
  #announceClose: () => void = () => undefined
  readonly replica: Replica
  #closed: Promise<void> | undefined
  readonly #reading = <R>(run: () => Promise<R>): Promise<R> =>
    untilClosed(this.#context, this.#keeper.use(run))

  constructor(context: Context, housekeeping: Housekeeping) {
    this.#context = context
    this.#housekeeping = housekeeping
    const engine = engineOf(context, housekeeping.home)
    ;({ queue: this.#queue, keeper: this.#keeper, compaction: this.#compaction } = engine)
    this.#engine = engine
    this.#reader = new Reader(context, (records) =>
      mergeRecords(context, this.#queue, records, { whole: true }),
    )
    this.#writer = new Writer(context, this.#queue, this.#reader)
    this.#evictor = evictorOf(context, this.#queue, this.#keeper)
    context.pins.onListed(() => this.#engine.news.tell())
    const closed = new Promise<void>((resolve) => {
      this.#announceClose = resolve
    })
    const { listeners } = this.#engine.news
    this.replica = new ReplicaPort(context, this.#queue, this.#keeper, listeners, this.#evictor, closed)
  }

  get id(): string {
    return this.#context.origin
  }

  get mode(): 'peer' | 'mirror' {
    return this.#context.mode
  }

  async setMode(mode: 'peer' | 'mirror'): Promise<void> {
    this.#requireWritable()
    checkMode(mode)
    // Between two commits: what is dropped by a peer is dropped before it is asked as a mirror.
    await this.#queue.alone(async () => {
      await this.#context.manifest.update(() => ({ mode }))
      this.#context.mode = mode
    })
    for (const tell of this.#context.onMode) tell()
  }

  async put<T extends object>(doc: T, options: PutOptions = {}): Promise<Stored<T>> {
    this.#requireWritable()
    return this.#writer.put<T>(doc, options)
  }

  async putMany<T extends object>(docs: Iterable<T>, options: PutOptions = {}): Promise<Outcome<T>[]> {
    this.#requireWritable()
    return this.#writer.putMany<T>(docs, options)
  }

  async update<T extends object = Document>(
    id: string,
    change: (doc: Readonly<Stored<T>> | undefined) => Maybe<Input<T> | typeof REMOVE | undefined>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Stored<T> | undefined> {
    this.#requireWritable()
    return this.#keeper.use(() => this.#writer.update<T>(id, change, options))
  }

  async delete(target: string | Ref): Promise<Ref | undefined> {
    this.#requireWritable()
    return this.#writer.delete(target)
  }

  async transaction<R>(run: (tx: Transaction) => Maybe<R>, options: TransactionOptions = {}): Promise<R> {
    this.#requireWritable()
    return runTransaction({ ...this.#ground(), newId: this.#writer.newId }, run, options)
  }

  async *conflicts(): AsyncGenerator<Conflict> {
    this.#requireOpen()
    yield* scanUntilClosed(
      this.#context,
      this.#keeper.scan(() => listConflicts(this.#context)),
    )
  }

  async resolve<T extends object = Document>(
    id: string,
    merge: (conflict: Conflict<T>) => Maybe<Input<T> | typeof REMOVE>,
    options: ResolveOptions = {},
  ): Promise<Stored<T> | undefined> {
    this.#requireWritable()
    return resolveConflict<T>({ ...this.#ground(), reader: this.#reader }, id, merge, options)
  }

  async get<T extends object = Document>(id: string, options?: ReadOptions): Promise<Stored<T> | undefined> {
    this.#requireOpen()
    checkRead(id, options)
    const hot = options === undefined ? this.#atOnce(() => this.#reader.hot(id)) : undefined
    return (hot ?? (await this.#reading(() => this.#reader.read(id, options))).doc) as Stored<T> | undefined
  }

  async read<T extends object = Document>(id: string, options?: ReadOptions): Promise<Read<T>> {
    this.#requireOpen()
    checkRead(id, options)
    const { rev, signal, freshness = 'index' } = options ?? {}
    const mayBeHot = rev === undefined && signal === undefined && freshness === 'index'
    const hot = mayBeHot ? this.#atOnce(() => this.#reader.hotRead(id)) : undefined
    return (hot ?? (await this.#reading(() => this.#reader.read(id, options)))) as Read<T>
  }

  async getMany<T extends object = Document>(
    ids: Iterable<string>,
    options?: ReadOptions,
  ): Promise<(Stored<T> | undefined)[]> {
    this.#requireOpen()
    const wanted = acceptIds(ids)
    checkOptions('read', options)
    return (await this.#reading(() => this.#reader.getMany(wanted, options))) as (Stored<T> | undefined)[]
  }

  async *list<T extends object = Document>(range?: ListOptions): AsyncGenerator<Stored<T>> {
    this.#requireOpen()
    for await (const doc of scanUntilClosed(
      this.#context,
      this.#keeper.scan(() => listDocuments(this.#context, this.#reader, range)),
    )) {
      yield doc as Stored<T>
      this.#requireOpen()
    }
  }

  async count(): Promise<number> {
    this.#requireOpen()
    return this.#context.index.root.documents
  }

  async *changes<T extends object = Document>(options: ChangesOptions = {}): AsyncGenerator<Change<T>> {
    this.#requireOpen()
    const changes = watchChanges(this.#context, this.#keeper, this.replica, options)
    yield* scanUntilClosed(this.#context, changes as AsyncGenerator<Change<T>>)
  }

  async evict(ids: Iterable<string>): Promise<number> {
    this.#requireWritable()
    return untilClosed(this.#context, this.#evictor.evict(ids))
  }

  async *history<T extends object = Document>(
    id: string,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Version<T>> {
    this.#requireOpen()
    const versions = this.#keeper.scan(() => versionsOf(this.#context, id, options))
    yield* scanUntilClosed(this.#context, versions as AsyncGenerator<Version<T>>)
  }

  async at(moment: Moment): Promise<Snapshot> {
    this.#requireOpen()
    const seq = await this.#reading(() => seqOf(this.#context, moment))
    requireHistory(this.#context, seq)
    return new PastSnapshot(seq, this.#context, this.#reader, (run) => {
      this.#requireOpen()
      return this.#reading(run)
    })
  }

  async pin(ids: Iterable<string>): Promise<void> {
    this.#requireWritable()
    await this.#context.pins.add(acceptIds(ids))
  }

  async unpin(ids: Iterable<string>): Promise<void> {
    this.#requireWritable()
    await this.#context.pins.delete(acceptIds(ids))
  }

  async seal(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#requireWritable()
    checkOptions('work', options)
    await this.#context.index.flush()
    await this.#context.log.seal(options)
  }

  async compact(options: CompactOptions = {}): Promise<CompactReport> {
    this.#requireWritable()
    return untilClosed(this.#context, this.#compaction.compact(options))
  }

  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.#requireOpen()
    return untilClosed(
      this.#context,
      verify(this.#context, this.#keeper, () => this.#engine.damage.settle(), options),
    )
  }

  async stats(): Promise<Stats> {
    this.#requireOpen()
    const indexBytes = await this.#housekeeping.home.bytes(this.#context.manifest.data.index)
    return this.#reading(() =>
      statsOf(this.#context, indexBytes, this.#compaction.deadBytes, this.#keeper.progress),
    )
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#context.closing = true
    this.#announceClose()
    this.#engine.news.tell()
    await this.#compaction.close()
    await this.#keeper.close()
    await this.#queue.close()
    await this.#housekeeping.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #ground() {
    return { context: this.#context, queue: this.#queue, reading: this.#reading }
  }

  #atOnce<R>(read: () => R): R | undefined {
    try {
      return read()
    } catch (error) {
      // A read that may wait has the index rebuilt.
      if (error instanceof IndexCorruptError) return undefined
      throw error
    }
  }

  #requireOpen(): void {
    if (this.#closed) throw new ClosedError()
  }

  #requireWritable(): void {
    this.#requireOpen()
    if (this.#context.readOnly) throw new ReadOnlyError()
  }
}
