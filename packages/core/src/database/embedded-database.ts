import { valueBytes } from '../codec/value-size.js'
import { uuidSource } from '../document/uuid.js'
import { acceptDocument, acceptId, acceptRev } from '../document/validate.js'
import {
  ClosedError,
  ConflictError,
  DocumentInvalidError,
  MynahError,
  ReadOnlyError,
  UnreachableError,
} from '../errors.js'
import { watchChanges } from './change-stream.js'
import { CommitQueue, GROUP_BYTES, GROUP_IDS } from './commit-queue.js'
import type { Context } from './context.js'
import type { Database } from './database.js'
import {
  type Change,
  type ChangesOptions,
  type Document,
  type Input,
  type ListOptions,
  type Outcome,
  type PutOptions,
  REMOVE,
  type Read,
  type ReadOptions,
  type Ref,
  type Stored,
} from './documents.js'
import { mergeRecords } from './merge.js'
import type { PutIntent } from './plan.js'
import { assemble, Reader } from './reader.js'
import type { Replica } from './replica.js'
import { ReplicaPort } from './replica-port.js'
import { type Stats, statsOf } from './stats.js'
import type { VerifyOptions, VerifyReport } from './verify.js'

type Maybe<T> = T | Promise<T>

/** How long a relaxed write may wait for its fsync. */
const RELAXED_SYNC_MS = 200

/** What only the one who opened the files can do. */
export interface Housekeeping {
  readonly close: () => Promise<void>
  readonly verify: (options: VerifyOptions, queue: CommitQueue) => Promise<VerifyReport>
  readonly indexBytes: () => Promise<number>
}

/** The database in this process: a thin facade over the commit queue and the reader. */
export class EmbeddedDatabase implements Database {
  readonly #context: Context
  readonly #housekeeping: Housekeeping
  readonly #queue: CommitQueue
  readonly #reader: Reader
  readonly #newId: () => string
  readonly #listeners = new Set<Parameters<Replica['onCommit']>[0]>()
  #announceClose: () => void = () => undefined
  readonly replica: Replica
  #told = 0
  #syncing = false
  #closed: Promise<void> | undefined

  constructor(context: Context, housekeeping: Housekeeping) {
    this.#context = context
    this.#housekeeping = housekeeping
    this.#told = context.log.synced
    this.#queue = new CommitQueue(context, () => this.#committed())
    this.#reader = new Reader(context, (records) =>
      mergeRecords(context, this.#queue, records, { whole: true }),
    )
    this.#newId = uuidSource(context.env)
    const closed = new Promise<void>((resolve) => {
      this.#announceClose = resolve
    })
    this.replica = new ReplicaPort(context, this.#queue, this.#listeners, closed)
  }

  get id(): string {
    return this.#context.origin
  }

  get mode(): 'peer' | 'mirror' {
    return this.#context.mode
  }

  async setMode(mode: 'peer' | 'mirror'): Promise<void> {
    this.#requireWritable()
    await this.#context.manifest.update(() => ({ mode }))
    this.#context.mode = mode
  }

  async put<T extends object>(doc: T, options: PutOptions = {}): Promise<Stored<T>> {
    this.#requireWritable()
    options.signal?.throwIfAborted()
    return this.#put<T>(this.#intent(doc, options))
  }

  async #put<T extends object>(intent: PutIntent): Promise<Stored<T>> {
    const rev = await this.#queue.submit({
      ids: [intent.id],
      bytes: intent.bytes,
      sync: this.#context.sync,
      plan: (plan) => plan.put(intent),
    })
    return assemble<T>(intent.id, rev, intent.body)
  }

  async putMany<T extends object>(docs: Iterable<T>, options: PutOptions = {}): Promise<Outcome<T>[]> {
    this.#requireWritable()
    options.signal?.throwIfAborted()
    const intents = Array.from(docs, (doc) => refusable(() => this.#intent(doc, options)))
    const accepted = intents.filter((intent): intent is PutIntent => !(intent instanceof MynahError))
    const groups = inGroups(accepted).map((group) => this.#putGroup(group))
    const revs = new Map((await Promise.all(groups)).flatMap((group) => [...group]))
    return intents.map((intent) => {
      const rev = intent instanceof MynahError ? intent : revs.get(intent)!
      if (rev instanceof MynahError) return { ok: false, error: rev }
      const { id, body } = intent as PutIntent
      return { ok: true, doc: assemble<T>(id, rev, body) }
    })
  }

  /** One outcome for each; where the disk refuses, it is that of all. */
  async #putGroup(group: readonly PutIntent[]): Promise<Map<PutIntent, string | MynahError>> {
    try {
      return await this.#queue.submit({
        ids: group.map((intent) => intent.id),
        bytes: group.reduce((sum, intent) => sum + intent.bytes, 0),
        sync: this.#context.sync,
        plan: (plan) => new Map(group.map((intent) => [intent, refusable(() => plan.put(intent))])),
      })
    } catch (error) {
      if (error instanceof MynahError) return new Map(group.map((intent) => [intent, error]))
      throw error
    }
  }

  async update<T extends object = Document>(
    id: string,
    change: (doc: Readonly<Stored<T>> | undefined) => Maybe<Input<T> | typeof REMOVE | undefined>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Stored<T> | undefined> {
    this.#requireWritable()
    for (;;) {
      options.signal?.throwIfAborted()
      const before = await this.#forUpdate(id, options)
      const after = await change(before && (deepFreeze(before) as unknown as Stored<T>))
      options.signal?.throwIfAborted()
      if (after === undefined) return before as unknown as Stored<T> | undefined
      try {
        if (after === REMOVE) {
          if (before) await this.delete({ id, rev: before.rev })
          return undefined
        }
        const { id: given, rev: _, ...members } = after as unknown as Document
        if (given !== undefined && given !== id)
          throw new DocumentInvalidError('id', `it is not ${JSON.stringify(id)}`)
        const doc = { ...members, id, ...(before && { rev: before.rev }) }
        return await this.#put<T>({ ...this.#intent(doc, {}), repeatable: false })
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error
      }
    }
  }

  /** What an update starts from; nothing, where no mirror answers and the document is not known here. */
  async #forUpdate(id: string, options: ReadOptions): Promise<Stored | undefined> {
    try {
      return (await this.#reader.read(id, options)).doc
    } catch (error) {
      if (error instanceof UnreachableError && (await this.#context.index.get(id)) === undefined)
        return undefined
      throw error
    }
  }

  async delete(target: string | Ref): Promise<Ref | undefined> {
    this.#requireWritable()
    const id = acceptId(typeof target === 'string' ? target : target.id)
    const named = typeof target === 'string' ? undefined : acceptRev(target.rev)
    const rev = await this.#queue.submit({
      ids: [id],
      bytes: 0,
      sync: this.#context.sync,
      plan: (plan) => plan.delete(id, named),
    })
    return rev === undefined ? undefined : { id, rev }
  }

  async get<T extends object = Document>(id: string, options?: ReadOptions): Promise<Stored<T> | undefined> {
    this.#requireOpen()
    const hot = options === undefined ? this.#reader.hot(id) : undefined
    return (hot ?? (await this.#reader.read(id, options)).doc) as Stored<T> | undefined
  }

  async read<T extends object = Document>(id: string, options?: ReadOptions): Promise<Read<T>> {
    this.#requireOpen()
    return (await this.#reader.read(id, options)) as Read<T>
  }

  async getMany<T extends object = Document>(
    ids: Iterable<string>,
    options?: ReadOptions,
  ): Promise<(Stored<T> | undefined)[]> {
    this.#requireOpen()
    return (await this.#reader.getMany(ids, options)) as (Stored<T> | undefined)[]
  }

  async *list<T extends object = Document>(range?: ListOptions): AsyncGenerator<Stored<T>> {
    this.#requireOpen()
    for await (const doc of this.#reader.list(range)) {
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
    yield* watchChanges(this.#context, this.replica, options) as AsyncGenerator<Change<T>>
  }

  async seal(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#requireWritable()
    await this.#context.index.flush()
    await this.#context.log.seal(options)
  }

  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    this.#requireOpen()
    return this.#housekeeping.verify(options, this.#queue)
  }

  async stats(): Promise<Stats> {
    this.#requireOpen()
    return statsOf(this.#context, await this.#housekeeping.indexBytes())
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#announceClose()
    await this.#queue.close()
    await this.#housekeeping.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #intent(doc: object, options: PutOptions): PutIntent {
    const { id = this.#newId(), rev, body } = acceptDocument(doc)
    return { id, rev, body, bytes: valueBytes(body), overwrite: options.overwrite === true, repeatable: true }
  }

  #requireOpen(): void {
    if (this.#closed) throw new ClosedError()
  }

  #requireWritable(): void {
    this.#requireOpen()
    if (this.#context.readOnly) throw new ReadOnlyError()
  }

  /** After each group: tells who waits for durable commits, and has the index flushed when it is time. */
  #committed(): void {
    const { log, index, env } = this.#context
    if (log.synced < log.head && !this.#syncing) {
      this.#syncing = true
      env.setTimer(() => void this.#syncRelaxed(), RELAXED_SYNC_MS)
    }
    if (log.synced > this.#told) {
      this.#told = log.synced
      const position = this.replica.position()
      for (const listener of this.#listeners) listener(position)
    }
    // What could not be written stays in RAM and in the log, and is tried again with the next flush.
    if (index.flushDue) void index.flush().catch(() => undefined)
  }

  async #syncRelaxed(): Promise<void> {
    try {
      await this.#context.log.sync()
    } catch {
      // The log has moved to a new file, or will with the next write, which then reports what is wrong.
    }
    this.#syncing = false
    if (this.#closed === undefined) this.#committed()
  }
}

/** In order, each of a size that one commit group takes. */
function inGroups(intents: readonly PutIntent[]): PutIntent[][] {
  const groups: PutIntent[][] = []
  let bytes = 0
  for (const intent of intents) {
    const last = groups.at(-1)
    if (last && last.length < GROUP_IDS && bytes < GROUP_BYTES) last.push(intent)
    else {
      groups.push([intent])
      bytes = 0
    }
    bytes += intent.bytes
  }
  return groups
}

function refusable<R>(run: () => R): R | MynahError {
  try {
    return run()
  } catch (error) {
    if (error instanceof MynahError) return error
    throw error
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    Object.freeze(value)
    for (const item of Object.values(value)) deepFreeze(item)
  }
  return value
}
