import { readable } from '../changes/ancestry.js'
import { valueBytes } from '../codec/value-size.js'
import type { Leaf } from '../document/tree.js'
import { acceptDocument, acceptId, acceptTarget } from '../document/validate.js'
import { TransactionOverError, TransactionTooLargeError, UnreachableError } from '../errors.js'
import type { Entry } from '../index/entry.js'
import { limits } from '../limits.js'
import type { LogRecord } from '../log/record.js'
import { Serial } from '../log/serial.js'
import { acceptIds, checkFunction, checkOptions } from './arguments.js'
import { assemble, plain } from './assemble.js'
import type { CommitQueue } from './commit-queue.js'
import type { Context } from './context.js'
import type { Document, Input, Ref, Stored } from './documents.js'
import { GroupPlan, type PutIntent, sameLeaves } from './plan.js'

type Maybe<T> = T | Promise<T>

/**
 * Documents as a transaction may use them: what it reads is checked again when it commits, what it wrote it reads.
 * Calls are done in the order in which they were made, also without waiting for one before the next. None touches the
 * network.
 */
export interface Transaction {
  /** Undefined where nothing of that id is known here. @throws UnreachableError where it is known and not held */
  get<T extends object = Document>(id: string): Promise<Stored<T> | undefined>
  /** @throws UnreachableError where one is known and not held */
  getMany<T extends object = Document>(ids: Iterable<string>): Promise<(Stored<T> | undefined)[]>
  /** As `put` of the database. @throws DocumentInvalidError, ConflictError, TransactionTooLargeError */
  put<T extends object>(doc: T & Input<T>, options?: { readonly overwrite?: boolean }): Promise<Stored<T>>
  /** As `delete` of the database. @throws ConflictError */
  delete(target: string | Ref): Promise<Ref | undefined>
}

/** How a transaction goes. */
export interface TransactionOptions {
  /** Ends it with the signal's reason, and nothing written, before its commit has begun. */
  readonly signal?: AbortSignal
}

/** What transactions need of the database. */
export interface TransactionGround {
  readonly context: Context
  readonly queue: CommitQueue
  readonly newId: () => string
  /** Runs what reads the index; again on the next index, where this one is damaged. */
  readonly reading: <R>(run: () => Promise<R>) => Promise<R>
}

/**
 * Runs a transaction until it has committed, and gives what `run` returned: again each time when a document that it
 * read, or found absent, was changed by somebody else meanwhile.
 *
 * Transactions are serializable, in the order of their commits. Documents change only in the commit queue, one group
 * after another, and a group's parts are planned one after another. In its place there a transaction looks whether each
 * document that it read still has the very leaves that it had (a leaf is named by all that led to it, so equal leaves
 * are an equal document). If so, all that it read is true at that moment, its writes follow from it, and they are planned
 * in that same turn: it is as if all of it had happened then. They are appended as one group with one checksum, told to
 * the index in one turn, and so seen, and found after a crash, all or not at all. A transaction that only read is checked
 * in the same way. When `run` throws, what it read is looked at too: it may have thrown only because two reads were of
 * different moments, and then runs again.
 */
export async function runTransaction<R>(
  ground: TransactionGround,
  run: (tx: Transaction) => Maybe<R>,
  options: TransactionOptions,
): Promise<R> {
  checkFunction('run', run)
  checkOptions('signal', options)
  const { signal } = options
  for (;;) {
    signal?.throwIfAborted()
    const attempt = new Attempt(ground, signal)
    let result: R
    try {
      result = await run(attempt)
    } catch (error) {
      await attempt.end()
      if (signal?.aborted || (await attempt.holds())) throw error
      continue
    }
    await attempt.end()
    signal?.throwIfAborted()
    if (await attempt.commit()) return result
  }
}

/** Seqs from here on are places in a transaction's own plan: no log is ever so long. */
const OWN_SEQ = 2 ** 52

type Write = (plan: GroupPlan) => void

/** One run of a transaction: the documents as it read them, and on top of them what it wrote. */
class Attempt implements Transaction {
  readonly #ground: TransactionGround
  readonly #signal: AbortSignal | undefined
  readonly #calls = new Serial()
  /** The leaves of each document when it was read. */
  readonly #read = new Map<string, readonly Leaf[]>()
  readonly #entries = new Map<string, Entry>()
  readonly #plan: GroupPlan
  readonly #writes: Write[] = []
  #bytes = 0
  #pending: Promise<unknown> | undefined
  #over = false

  constructor(ground: TransactionGround, signal: AbortSignal | undefined) {
    this.#ground = ground
    this.#signal = signal
    const { origin } = ground.context
    this.#plan = new GroupPlan({ origin, at: 0, firstSeq: OWN_SEQ, entries: this.#entries })
  }

  get<T extends object = Document>(id: string): Promise<Stored<T> | undefined> {
    return this.#call(async () => {
      await this.#load([acceptId(id)])
      return (await this.#document(id)) as Stored<T> | undefined
    })
  }

  getMany<T extends object = Document>(ids: Iterable<string>): Promise<(Stored<T> | undefined)[]> {
    const wanted = acceptIds(ids)
    return this.#call(async () => {
      await this.#load(wanted)
      const docs: (Stored | undefined)[] = []
      for (const id of wanted) docs.push(await this.#document(id))
      return docs as (Stored<T> | undefined)[]
    })
  }

  async put<T extends object>(doc: T, options: { readonly overwrite?: boolean } = {}): Promise<Stored<T>> {
    // Taken in now: the caller may change it right after the call.
    const { id = this.#ground.newId(), rev, body } = acceptDocument(doc)
    const bytes = valueBytes(body)
    const overwrite = options.overwrite === true
    const intent: PutIntent = { id, rev, body, bytes, overwrite, repeatable: true }
    return this.#call(async () => {
      await this.#load([id])
      this.#requireRoom(bytes)
      const written = this.#plan.put(intent)
      this.#writes.push((plan) => plan.put(intent))
      this.#bytes += bytes
      return assemble<T>(id, written, body)
    })
  }

  async delete(target: string | Ref): Promise<Ref | undefined> {
    const { id, rev: named } = acceptTarget(target)
    return this.#call(async () => {
      await this.#load([id])
      this.#requireRoom(0)
      const rev = this.#plan.delete(id, named)
      this.#writes.push((plan) => plan.delete(id, named))
      return rev === undefined ? undefined : { id, rev }
    })
  }

  /** Lets no more calls in, and waits for those that nobody waited for. */
  async end(): Promise<void> {
    this.#over = true
    await this.#pending?.catch(() => undefined)
  }

  /** Writes all of it; false when what it read is true no more. */
  commit(): Promise<boolean> {
    return this.#submit(this.#bytes, (plan) => {
      if (!this.#isCurrent(plan)) return false
      plan.together(() => {
        for (const write of this.#writes) write(plan)
      })
      return true
    })
  }

  /** Whether what it read is true at one moment; also where that cannot be told any more. */
  async holds(): Promise<boolean> {
    try {
      return await this.#submit(0, (plan) => this.#isCurrent(plan))
    } catch {
      return true
    }
  }

  async #submit(bytes: number, plan: (plan: GroupPlan) => boolean): Promise<boolean> {
    if (this.#read.size === 0) return true
    const { queue, context } = this.#ground
    return queue.submit({ ids: [...this.#read.keys()], bytes, sync: context.sync, plan })
  }

  #isCurrent(plan: GroupPlan): boolean {
    for (const [id, leaves] of this.#read) if (!sameLeaves(plan.leaves(id), leaves)) return false
    return true
  }

  #call<R>(run: () => Promise<R>): Promise<R> {
    if (this.#over) return Promise.reject(new TransactionOverError())
    const call = this.#calls.run(async () => {
      this.#signal?.throwIfAborted()
      return this.#ground.reading(run)
    })
    this.#pending = call
    return call
  }

  async #load(ids: readonly string[]): Promise<void> {
    const unread = ids.filter((id) => !this.#read.has(id))
    if (unread.length === 0) return
    const entries = await this.#ground.context.index.lookup(unread)
    for (const id of unread) {
      const entry = entries.get(id)
      this.#read.set(id, entry?.leaves ?? [])
      if (entry !== undefined) this.#entries.set(id, entry)
    }
  }

  async #document(id: string): Promise<Stored | undefined> {
    const leaf = this.#plan.leaves(id)[0]
    if (leaf === undefined || leaf.deleted) return undefined
    const record = await this.#record(leaf)
    if (record?.id !== id) throw new UnreachableError(id)
    return assemble(id, leaf.rev, plain(record))
  }

  async #record({ bodySeq }: Leaf): Promise<LogRecord | undefined> {
    if (bodySeq >= OWN_SEQ) return this.#plan.records[bodySeq - OWN_SEQ]
    return bodySeq === 0 ? undefined : readable(this.#ground.context.log, bodySeq)
  }

  /** @throws TransactionTooLargeError where another write does not fit */
  #requireRoom(bytes: number): void {
    const { length } = this.#plan.records
    if (length >= limits.transactionRecords)
      throw new TransactionTooLargeError(`it writes more than ${limits.transactionRecords} records`)
    if (length > 0 && this.#bytes + bytes > limits.transactionBytes)
      throw new TransactionTooLargeError(`its documents have more than ${limits.transactionBytes} bytes`)
  }
}
