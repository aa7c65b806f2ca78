import { valueBytes } from '../codec/value-size.js'
import { deepFreeze } from '../document/freeze.js'
import { uuidSource } from '../document/uuid.js'
import { acceptDocument, acceptTarget, acceptUnder } from '../document/validate.js'
import { ConflictError, MynahError, UnreachableError } from '../errors.js'
import { checkFunction, checkIterable, checkOptions } from './arguments.js'
import { assemble } from './assemble.js'
import { type CommitQueue, GROUP_BYTES, GROUP_IDS } from './commit-queue.js'
import type { Context } from './context.js'
import {
  type Document,
  type Input,
  type Outcome,
  type PutOptions,
  REMOVE,
  type ReadOptions,
  type Ref,
  type Stored,
} from './documents.js'
import type { PutIntent } from './plan.js'
import type { Reader } from './reader.js'

type Maybe<T> = T | Promise<T>

/** The application's writes: accepted and copied at once, then planned and committed in the queue. */
export class Writer {
  readonly #context: Context
  readonly #queue: CommitQueue
  readonly #reader: Reader
  /** A UUID of version 7. */
  readonly newId: () => string

  constructor(context: Context, queue: CommitQueue, reader: Reader) {
    this.#context = context
    this.#queue = queue
    this.#reader = reader
    this.newId = uuidSource(context.env)
  }

  async put<T extends object>(doc: T, options: PutOptions): Promise<Stored<T>> {
    checkOptions('put', options)
    options.signal?.throwIfAborted()
    return this.#put<T>(this.#intent(doc, options), options.signal)
  }

  async #put<T extends object>(intent: PutIntent, signal: AbortSignal | undefined): Promise<Stored<T>> {
    const rev = await this.#queue.submit({
      ids: [intent.id],
      bytes: intent.bytes,
      sync: this.#context.sync,
      plan: (plan) => {
        signal?.throwIfAborted()
        return plan.put(intent)
      },
    })
    return assemble<T>(intent.id, rev, intent.body)
  }

  async putMany<T extends object>(docs: Iterable<T>, options: PutOptions): Promise<Outcome<T>[]> {
    checkIterable('docs', docs)
    checkOptions('put', options)
    options.signal?.throwIfAborted()
    const intents = Array.from(docs, (doc) => refusable(() => this.#intent(doc, options)))
    const accepted = intents.filter((intent): intent is PutIntent => !(intent instanceof MynahError))
    const groups = inGroups(accepted).map((group) => this.#putGroup(group, options.signal))
    const revs = (await Promise.all(groups)).flat().values()
    return intents.map((intent) => {
      const rev = intent instanceof MynahError ? intent : revs.next().value!
      if (rev instanceof MynahError) return { ok: false, error: rev }
      const { id, body } = intent as PutIntent
      return { ok: true, doc: assemble<T>(id, rev, body) }
    })
  }

  /** One outcome for each; where the disk refuses, it is that of all. */
  async #putGroup(
    group: readonly PutIntent[],
    signal: AbortSignal | undefined,
  ): Promise<(string | MynahError)[]> {
    try {
      return await this.#queue.submit({
        ids: group.map((intent) => intent.id),
        bytes: group.reduce((sum, intent) => sum + intent.bytes, 0),
        sync: this.#context.sync,
        plan: (plan) => {
          signal?.throwIfAborted()
          return group.map((intent) => refusable(() => plan.put(intent)))
        },
      })
    } catch (error) {
      if (error instanceof MynahError) return group.map(() => error)
      throw error
    }
  }

  async update<T extends object = Document>(
    id: string,
    change: (doc: Readonly<Stored<T>> | undefined) => Maybe<Input<T> | typeof REMOVE | undefined>,
    options: { readonly signal?: AbortSignal },
  ): Promise<Stored<T> | undefined> {
    checkFunction('change', change)
    checkOptions('signal', options)
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
        const body = acceptUnder(id, after)
        const bytes = valueBytes(body)
        const intent = { id, rev: before?.rev, body, bytes, overwrite: false, repeatable: false }
        return await this.#put<T>(intent, options.signal)
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error
      }
    }
  }

  /** What an update starts from; nothing, where no mirror answers and the document is not known here. */
  async #forUpdate(id: string, options: ReadOptions): Promise<Stored | undefined> {
    try {
      const { doc } = await this.#reader.read(id, options)
      const leaves = (await this.#context.index.get(id))?.leaves ?? []
      // What is held may be older than what is known: nothing can be put on it.
      if (doc && !leaves.some((leaf) => leaf.rev === doc.rev)) throw new UnreachableError(id)
      return doc
    } catch (error) {
      if (error instanceof UnreachableError && (await this.#context.index.get(id)) === undefined)
        return undefined
      throw error
    }
  }

  async delete(target: string | Ref): Promise<Ref | undefined> {
    const { id, rev: named } = acceptTarget(target)
    const rev = await this.#queue.submit({
      ids: [id],
      bytes: 0,
      sync: this.#context.sync,
      plan: (plan) => plan.delete(id, named),
    })
    return rev === undefined ? undefined : { id, rev }
  }

  #intent(doc: object, options: PutOptions): PutIntent {
    const { id = this.newId(), rev, body } = acceptDocument(doc)
    return { id, rev, body, bytes: valueBytes(body), overwrite: options.overwrite === true, repeatable: true }
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
