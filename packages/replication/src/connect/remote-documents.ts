import {
  type Change,
  type ChangesOptions,
  ConflictError,
  type Document,
  DocumentInvalidError,
  type Documents,
  type Env,
  type Fields,
  type Input,
  type ListOptions,
  MynahError,
  type Outcome,
  type PutOptions,
  REMOVE,
  type Read,
  type ReadOptions,
  type Ref,
  type Stored,
  UnreachableError,
  type Value,
} from '@mynah/core'
import {
  acceptDocument,
  acceptIds,
  acceptRev,
  acceptTarget,
  acceptUnder,
  checkFunction,
  checkIterable,
  checkOptions,
  checkRead,
  deepFreeze,
  uuidSource,
} from '@mynah/core/replica'
import PQueue from 'p-queue'
import { MirrorRefusedError, MirrorUnreachableError } from '../errors.js'
import {
  decodeDocument,
  decodeOutcomes,
  decodePage,
  decodeRead,
  decodeRev,
} from '../protocol/document-answers.js'
import { documentJson } from '../protocol/document-json.js'
import { decodeInfo } from '../protocol/messages.js'
import { mediaTypes } from '../protocol/names.js'
import { inBatches, linesOf, type Outgoing } from './document-lines.js'
import type { DocumentsClient, DocumentsRequest } from './documents-client.js'
import { remoteChanges } from './remote-changes.js'

type Maybe<T> = T | Promise<T>
type Members = { readonly [member: string]: Value | undefined }

/** Reads of one `getMany` at a time. */
const READS_AT_ONCE = 8
const LIST_PAGE = 500
/** How long a read waits for the answer, unless it says otherwise. */
const WAIT_MS = 2_000

/** The documents of a mirror's database, each call a request to it: nothing is kept here. */
export class RemoteDocuments implements Documents {
  readonly #client: DocumentsClient
  readonly #env: Env
  readonly #newId: () => string

  constructor(client: DocumentsClient, env: Env) {
    this.#client = client
    this.#env = env
    this.#newId = uuidSource(env)
  }

  async put<T extends object>(doc: T & Input<T>, options: PutOptions = {}): Promise<Stored<T>> {
    checkOptions('put', options)
    return this.#put<T>(this.#outgoing(doc), options, {})
  }

  async putMany<T extends object>(
    docs: Iterable<T & Input<T>>,
    options: PutOptions = {},
  ): Promise<Outcome<T>[]> {
    this.#client.requireOpen()
    checkIterable('docs', docs)
    checkOptions('put', options)
    options.signal?.throwIfAborted()
    const outgoing = Array.from(docs, (doc) => {
      try {
        return this.#outgoing(doc)
      } catch (error) {
        if (error instanceof MynahError) return error
        throw error
      }
    })
    const outcomes: Outcome<T>[] = []
    const accepted = outgoing.filter((one): one is Outgoing => !(one instanceof MynahError))
    for (const batch of inBatches(accepted)) {
      try {
        outcomes.push(...(await this.#putBatch<T>(batch, options)))
      } catch (error) {
        options.signal?.throwIfAborted()
        if (!(error instanceof MynahError)) throw error
        // Of the others it is known what became of them.
        outcomes.push(...batch.map(() => ({ ok: false, error }) as const))
      }
    }
    const answered = outcomes.values()
    return outgoing.map((one) =>
      one instanceof MynahError ? { ok: false, error: one } : answered.next().value!,
    )
  }

  async update<T extends object = Document>(
    id: string,
    change: (doc: Readonly<Stored<T>> | undefined) => Maybe<Input<T> | typeof REMOVE | undefined>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Stored<T> | undefined> {
    checkFunction('change', change)
    for (;;) {
      const before = await this.get<T>(id, options)
      const after = await change(before && deepFreeze(before))
      options.signal?.throwIfAborted()
      if (after === undefined) return before
      try {
        if (after === REMOVE) {
          if (before) await this.delete({ id, rev: before.rev })
          return undefined
        }
        const outgoing = this.#outgoing({ ...acceptUnder(id, after), id })
        // Of two who make the same of nothing, too, only one may take it for its own.
        const headers = before ? { 'if-match': `"${before.rev}"` } : { 'if-none-match': '*' }
        return await this.#put<T>(outgoing, options, headers)
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error
      }
    }
  }

  async delete(target: string | Ref): Promise<Ref | undefined> {
    const { id, rev } = acceptTarget(target)
    const path = `${pathOf(id)}${rev === undefined ? '' : `?rev=${rev}`}`
    const answer = await this.#client.json({ method: 'DELETE', path, id })
    return typeof answer === 'string' ? undefined : { id, rev: this.#decoded(() => decodeRev(answer)) }
  }

  async get<T extends object = Document>(
    id: string,
    options: ReadOptions = {},
  ): Promise<Stored<T> | undefined> {
    checkRead(id, options)
    const query = options.rev === undefined ? '' : `?rev=${acceptRev(options.rev)}`
    const answer = await this.#read({ method: 'GET', path: `${pathOf(id)}${query}`, id }, options)
    return typeof answer === 'string' ? undefined : this.#decoded(() => decodeDocument<T>(answer))
  }

  async read<T extends object = Document>(id: string, options: ReadOptions = {}): Promise<Read<T>> {
    checkRead(id, options)
    const query = new URLSearchParams({ details: 'true' })
    if (options.rev !== undefined) query.set('rev', acceptRev(options.rev))
    if (options.strict) query.set('strict', 'true')
    const answer = await this.#read({ method: 'GET', path: `${pathOf(id)}?${query}`, id }, options)
    return this.#decoded(() => decodeRead<T>(answer))
  }

  async getMany<T extends object = Document>(
    ids: Iterable<string>,
    options: ReadOptions = {},
  ): Promise<(Stored<T> | undefined)[]> {
    this.#client.requireOpen()
    const wanted = acceptIds(ids)
    checkOptions('read', options)
    const queue = new PQueue({ concurrency: READS_AT_ONCE })
    try {
      return await Promise.all(wanted.map((id) => queue.add(() => this.get<T>(id, options))))
    } finally {
      queue.clear()
    }
  }

  async *list<T extends object = Document>(range: ListOptions = {}): AsyncGenerator<Stored<T>> {
    checkOptions('list', range)
    const { signal, limit = Number.POSITIVE_INFINITY, reverse = false, ...bounds } = range
    const query = new URLSearchParams({ reverse: String(reverse) })
    for (const [name, text] of Object.entries(bounds)) if (text !== undefined) query.set(name, text)
    for (let left = limit; left > 0; ) {
      query.set('limit', String(Math.min(left, LIST_PAGE)))
      const answer = await this.#client.json({ method: 'GET', path: `/docs?${query}`, signals: [signal] })
      const { docs, next } = this.#decoded(() => decodePage<T>(answer))
      for (const doc of docs) {
        yield doc
        this.#client.requireOpen()
        signal?.throwIfAborted()
        left -= 1
      }
      if (next === undefined) return
      query.set(reverse ? 'lt' : 'gt', next)
      query.delete(reverse ? 'lte' : 'gte')
    }
  }

  async count(): Promise<number> {
    const text = await this.#client.text({ method: 'GET', path: '' })
    const { documents } = this.#decoded(() => decodeInfo(text))
    if (documents === undefined) {
      const detail = 'the token reaches a part, and that is not counted'
      throw new MirrorRefusedError(this.#client.address, 'MYNAH_FORBIDDEN', detail)
    }
    return documents
  }

  changes<T extends object = Document>(options: ChangesOptions = {}): AsyncGenerator<Change<T>> {
    return remoteChanges<T>(this.#client, this.#env, options)
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  #outgoing(doc: object): Outgoing {
    this.#client.requireOpen()
    const { id = this.#newId(), rev, body } = acceptDocument(doc)
    const json = documentJson({ id, ...(rev !== undefined && { rev }), ...body })
    return { id, rev, body, json: new TextEncoder().encode(json) }
  }

  async #put<T extends object>(
    { id, body, json }: Outgoing,
    options: PutOptions,
    headers: Readonly<Record<string, string>>,
  ): Promise<Stored<T>> {
    const path = `${pathOf(id)}${options.overwrite ? '?overwrite=true' : ''}`
    const asked = { method: 'PUT', path, headers, body: json, id, signals: [options.signal] } as const
    const answer = await this.#client.json(asked)
    return storedOf<T>(
      id,
      this.#decoded(() => decodeRev(answer)),
      body,
    )
  }

  async #putBatch<T extends object>(batch: readonly Outgoing[], options: PutOptions): Promise<Outcome<T>[]> {
    const path = `/docs${options.overwrite ? '?overwrite=true' : ''}`
    const text = await this.#client.text({
      method: 'POST',
      path,
      type: mediaTypes.lines,
      body: linesOf(batch),
      signals: [options.signal],
    })
    return this.#decoded(() => decodeOutcomes(text, batch.length)).map((outcome, index): Outcome<T> => {
      const { id, body } = batch[index]!
      if (typeof outcome === 'string') return { ok: true, doc: storedOf<T>(id, outcome, body) }
      return { ok: false, error: this.#client.failure(outcome, 200, { id }) }
    })
  }

  /** A read that no mirror answers, in time, is one that nothing is held for. */
  async #read(request: DocumentsRequest, options: ReadOptions): Promise<Value | 'unknown' | 'deleted'> {
    const late = new AbortController()
    const timer = this.#env.setTimer(() => late.abort(), options.waitMs ?? WAIT_MS)
    try {
      return await this.#client.json({ ...request, signals: [late.signal, options.signal] })
    } catch (cause) {
      options.signal?.throwIfAborted()
      if (late.signal.aborted || cause instanceof MirrorUnreachableError)
        throw new UnreachableError(request.id ?? '', { cause })
      throw cause
    } finally {
      timer.cancel()
    }
  }

  #decoded<R>(decode: () => R): R {
    return this.#client.decoded(200, decode)
  }
}

/**
 * Where a document is, below the database's address.
 * @throws DocumentInvalidError for the two ids that no URL can carry: a segment of dots is taken away, however written
 */
function pathOf(id: string): string {
  if (id === '.' || id === '..') throw new DocumentInvalidError('id', 'cannot be part of a URL')
  return `/docs/${encodeURIComponent(id)}`
}

function storedOf<T extends object>(id: string, rev: string, body: Fields): Stored<T> {
  const members: Members = body
  return { id, rev, ...members } as unknown as Stored<T>
}
