import { pathOf, readable, supersededOf } from '../changes/ancestry.js'
import { valueBytes } from '../codec/value-size.js'
import { type Leaf, leafKey } from '../document/tree.js'
import { acceptId, acceptUnder } from '../document/validate.js'
import { ConflictError, TransactionTooLargeError, UnreachableError } from '../errors.js'
import { limits } from '../limits.js'
import type { LogRecord } from '../log/record.js'
import { checkFunction, checkOptions } from './arguments.js'
import { assemble } from './assemble.js'
import type { CommitQueue } from './commit-queue.js'
import type { Context } from './context.js'
import { type Document, type Input, REMOVE, type Stored } from './documents.js'
import type { Reader } from './reader.js'

type Maybe<T> = T | Promise<T>

/** A document that was changed in several places, none of which knew of the others. */
export interface Conflict<T = Document> {
  readonly id: string
  /** What it came to in each place: the winner, which `get` gives, then the others. In a list only those held here. */
  readonly leaves: readonly Stored<T>[]
  /** Revs of what is known and not held here. Always [] where `resolve` asks for a merge. */
  readonly missing: readonly string[]
  /** The newest revision that all of them came from, where it is still held here and was not a deletion. */
  readonly base?: Stored<T>
}

/** How `resolve` goes. */
export interface ResolveOptions {
  readonly signal?: AbortSignal
}

/** What resolving a conflict needs of the database. */
export interface ConflictGround {
  readonly context: Context
  readonly queue: CommitQueue
  readonly reader: Reader
  /** Runs what reads the index; again on the next index, where this one is damaged. */
  readonly reading: <R>(run: () => Promise<R>) => Promise<R>
}

/** Documents with several live leaves, in order of id. Nothing is fetched. */
export async function* listConflicts(context: Context): AsyncGenerator<Conflict> {
  for await (const id of context.index.conflicts()) {
    const live = liveOf((await context.index.get(id))?.leaves ?? [])
    if (live.length > 1) yield await conflictOf(context, id, live, [])
  }
}

/**
 * Merges what a document came to in several places: `merge` gets all of it, and what it returns becomes a child of the
 * winner, while every other live leaf ends under a tombstone; with `REMOVE` the winner does too. One commit: all of it or
 * nothing. When the leaves were others by then, `merge` is asked again. Revs follow from the leaves and the body alone, so
 * replicas that merge in the same way come to the same revisions, and not to a new conflict.
 */
export async function resolveConflict<T extends object>(
  ground: ConflictGround,
  id: string,
  merge: (conflict: Conflict<T>) => Maybe<Input<T> | typeof REMOVE>,
  options: ResolveOptions,
): Promise<Stored<T> | undefined> {
  const { context, queue, reader, reading } = ground
  acceptId(id)
  checkFunction('merge', merge)
  checkOptions('signal', options)
  const { signal } = options
  for (;;) {
    signal?.throwIfAborted()
    const live = await reading(async () => liveOf((await context.index.get(id))?.leaves ?? []))
    if (live.length < 2) {
      const { doc } = await reading(() => reader.read(id, signal ? { signal } : {}))
      return doc as unknown as Stored<T> | undefined
    }
    if (live.length >= limits.blockRecords)
      throw new TransactionTooLargeError(`the document has ${live.length} live leaves`)
    const conflict = await reading(() => wholeConflict(ground, id, live, signal))
    const merged = await merge(conflict as unknown as Conflict<T>)
    signal?.throwIfAborted()
    const body = merged === REMOVE ? undefined : acceptUnder(id, merged)
    try {
      const rev = await queue.submit({
        ids: [id],
        bytes: valueBytes(body ?? null),
        sync: context.sync,
        plan: (plan) => plan.resolve(id, live, body),
      })
      return body && assemble<T>(id, rev, body)
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error
    }
  }
}

/** With all leaves: what is not held is fetched, and used also where it cannot be kept. @throws UnreachableError */
async function wholeConflict(
  { context, reader }: ConflictGround,
  id: string,
  live: readonly Leaf[],
  signal: AbortSignal | undefined,
): Promise<Conflict> {
  const conflict = await conflictOf(context, id, live, [])
  if (conflict.missing.length === 0) return conflict
  const missing = new Set(conflict.missing)
  const wanted = live.filter(({ rev }) => missing.has(rev))
  const whole = await conflictOf(
    context,
    id,
    live,
    await reader.fetchBodies(id, wanted, signal ? { signal } : {}),
  )
  if (whole.missing.length > 0) throw new UnreachableError(id)
  return whole
}

/** @param fetched bodies that are used where none is held */
async function conflictOf(
  context: Context,
  id: string,
  live: readonly Leaf[],
  fetched: readonly LogRecord[],
): Promise<Conflict> {
  const { log, index } = context
  const came = new Map(fetched.map((record) => [leafKey(record), record]))
  const now = new Map(((await index.get(id))?.leaves ?? []).map((leaf) => [leafKey(leaf), leaf.bodySeq]))
  const leaves: Stored[] = []
  const missing: string[] = []
  for (const leaf of live) {
    const key = leafKey(leaf)
    // Its body may be held since, or not any more.
    const bodySeq = now.get(key) ?? leaf.bodySeq
    const held = bodySeq === 0 ? undefined : await readable(log, bodySeq)
    const body = held?.id === id && held.body !== undefined ? held.body : came.get(key)?.body
    if (body === undefined || body instanceof Uint8Array) missing.push(leaf.rev)
    else leaves.push(assemble(id, leaf.rev, body))
  }
  const base = await baseOf(context, id, live)
  return { id, leaves, missing, ...(base && { base }) }
}

/** The newest common ancestor. */
async function baseOf(
  { log, index }: Context,
  id: string,
  live: readonly Leaf[],
): Promise<Stored | undefined> {
  if (live.some(({ parent }) => parent === undefined)) return undefined
  const superseded = supersededOf(index, id)
  let common: readonly string[] | undefined
  for (const leaf of live) {
    const path = new Set(await pathOf(log, index, id, leaf, 0, superseded))
    common = common?.filter((rev) => path.has(rev)) ?? [...path]
    if (common.length === 0) return undefined
  }
  const row = (await index.history(id)).find(({ rev, bodySeq }) => rev === common?.[0] && bodySeq !== 0)
  const record = row && (await readable(log, row.bodySeq))
  if (record?.id !== id || record.deleted || record.body === undefined) return undefined
  return record.body instanceof Uint8Array ? undefined : assemble(id, record.rev, record.body)
}

function liveOf(leaves: readonly Leaf[]): readonly Leaf[] {
  return leaves.filter((leaf) => !leaf.deleted)
}
