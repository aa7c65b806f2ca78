import { readable } from '../changes/ancestry.js'
import { acceptId } from '../document/validate.js'
import { ClosedError, UnreachableError } from '../errors.js'
import { acceptIds, checkOptions } from './arguments.js'
import { assemble } from './assemble.js'
import type { Context } from './context.js'
import type { Document, Snapshot, Stored, Version } from './documents.js'
import { absent, isToldAnew, placesOf, requireHistory, stillLeaf, toldAt, winnerAt } from './past.js'
import type { Reader } from './reader.js'

/** Runs a read of the index, which stays open meanwhile. */
type Reading = <R>(run: () => Promise<R>) => Promise<R>

const BATCH = 64

/** What this replica knew at a seq, read from the log as it is now. */
export class PastSnapshot implements Snapshot {
  readonly seq: number
  readonly #context: Context
  readonly #reader: Reader
  readonly #reading: Reading

  constructor(seq: number, context: Context, reader: Reader, reading: Reading) {
    this.seq = seq
    this.#context = context
    this.#reader = reader
    this.#reading = reading
  }

  async get<T extends object = Document>(
    id: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Stored<T> | undefined> {
    acceptId(id)
    checkOptions('signal', options)
    return (await this.#getMany([id], options))[0] as Stored<T> | undefined
  }

  async getMany<T extends object = Document>(
    ids: Iterable<string>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<(Stored<T> | undefined)[]> {
    const wanted = acceptIds(ids)
    checkOptions('signal', options)
    return (await this.#getMany(wanted, options)) as (Stored<T> | undefined)[]
  }

  async #getMany(ids: readonly string[], { signal }: { readonly signal?: AbortSignal }) {
    const docs: (Stored | undefined)[] = []
    try {
      for (let i = 0; i < ids.length; i += BATCH) {
        signal?.throwIfAborted()
        requireHistory(this.#context, this.seq)
        const slice = ids.slice(i, i + BATCH)
        docs.push(...(await this.#reading(() => Promise.all(slice.map((id) => this.#get(id, signal))))))
      }
    } finally {
      // Dropped while it was read: `historySince` had risen before.
      requireHistory(this.#context, this.seq)
    }
    return docs
  }

  async #get(id: string, signal: AbortSignal | undefined): Promise<Stored | undefined> {
    const found = await winnerAt(this.#context, id, this.seq)
    if (found === undefined || found.leaf.deleted) return undefined
    const { leaf, body } = found
    if (body) return assemble(id, leaf.rev, body)
    const now = await stillLeaf(this.#context, id, leaf)
    if (now) {
      const fetched = await this.#reader.leafBody(id, now, signal ? { signal } : {})
      return fetched && assemble(id, leaf.rev, fetched)
    }
    const { log } = this.#context
    if (leaf.bodySeq !== 0 && (await readable(log, leaf.bodySeq)) === undefined)
      throw absent(this.#context, id, leaf.bodySeq)
    throw new UnreachableError(id)
  }
}

/** Every revision of a document that is recorded here, the newest first. @throws RecordLostError at the end, where some were lost */
export async function* versionsOf(
  context: Context,
  id: string,
  options: { readonly signal?: AbortSignal },
): AsyncGenerator<Version> {
  acceptId(id)
  checkOptions('signal', options)
  const { signal } = options
  let lost: Error | undefined
  const places = await placesOf(context, id)
  for (const place of places) {
    signal?.throwIfAborted()
    if (context.closing) throw new ClosedError()
    if (isToldAnew(place, places)) continue
    const told = await toldAt(context, place)
    if (told === undefined) {
      const { historySince } = context.manifest.data
      if (place.seq >= historySince || context.log.isLost(place.seq)) lost ??= absent(context, id, place.seq)
      continue
    }
    const { record, body } = told
    const { rev, deleted } = record
    const doc = body && !deleted ? { doc: assemble(id, rev, body) } : {}
    yield { rev, seq: place.seq, at: new Date(record.at), deleted, ...doc }
  }
  if (lost) throw lost
}
