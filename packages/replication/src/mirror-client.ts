import { CursorLostError, type Env } from '@mynah/core'
import {
  decodeRecords,
  type HeldAnswer,
  type LeafRef,
  type LogRecord,
  type Position,
} from '@mynah/core/replica'
import PQueue from 'p-queue'
import { unlessAborted } from './deferred.js'
import { DatabaseUnknownError, MirrorAnswerError, MirrorUnreachableError } from './errors.js'
import { linkedSignal } from './linked-signal.js'
import { LiveLines } from './live-lines.js'
import { databaseOf } from './mirror-address.js'
import { answerChecksum, requestChecksum } from './protocol/checksum.js'
import {
  type DatabaseInfo,
  decodeError,
  decodeHeld,
  decodeInfo,
  decodeLiveLine,
  decodeMissing,
  decodePushAnswer,
  encodeFetch,
  encodeLeaves,
  type FetchItem,
  type PushAnswer,
} from './protocol/messages.js'
import { headers, mediaTypes, subpaths, wireLimits } from './protocol/names.js'
import { parsePosition, positionText } from './protocol/position.js'
import { queryOf } from './protocol/query.js'
import type { Transport, TransportAnswer, TransportRequest } from './transport.js'

/** Background work has at most a push and a pull in flight; the rest is for reads. */
const REQUESTS_AT_ONCE = 4
const priorities = { background: 0, read: 1 } as const

export interface PullQuery {
  /** Exclusive; from the start without. */
  readonly since?: Position
  readonly bodies: boolean
  readonly whole?: boolean
  readonly prefixes?: readonly string[]
}

/** A page of a mirror's feed. */
export interface PulledPage {
  readonly records: readonly LogRecord[]
  readonly position: Position
  readonly more: boolean
}

export interface MirrorClientOptions {
  /** As `mirrorAddress` gives it. */
  readonly address: string
  /** The token as it is now. */
  readonly token: () => string | undefined
  /** Of the database here. */
  readonly databaseId: string
  readonly transport: Transport
  readonly env: Env
  /** Called with the bytes of bodies as they travel. */
  readonly onTraffic: (bytesUp: number, bytesDown: number) => void
}

type Call = Omit<TransportRequest, 'url' | 'headers' | 'answerBytesMax'> & {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly answerType: string
  readonly priority?: number
}

/**
 * The protocol's calls to one database of one mirror. Everything rejects with `MirrorUnreachableError` when the mirror
 * could not be asked, and with `MirrorAnswerError` when what came is not an answer of the protocol; an aborted call
 * rejects with the signal's reason.
 */
export class MirrorClient {
  readonly address: string
  readonly #options: MirrorClientOptions
  readonly #queue = new PQueue({ concurrency: REQUESTS_AT_ONCE })

  constructor(options: MirrorClientOptions) {
    this.address = options.address
    this.#options = options
  }

  /** What the database is, and which of the positions its history holds. @throws DatabaseUnknownError */
  async info(holds: readonly Position[], signal: AbortSignal): Promise<DatabaseInfo> {
    const query = holds.length === 0 ? '' : `?holds=${holds.map(positionText).join(',')}`
    const path = `${subpaths.database}${query}`
    const answer = await this.#call({ method: 'GET', path, signal, answerType: mediaTypes.json })
    const info = this.#info(answer)
    if ((info.holds?.length ?? 0) !== holds.length)
      throw this.#garbled(answer, 'holds do not answer the question')
    return info
  }

  /** Makes the database where there is none. */
  async create(signal: AbortSignal): Promise<DatabaseInfo> {
    const path = subpaths.database
    return this.#info(await this.#call({ method: 'PUT', path, signal, answerType: mediaTypes.json }))
  }

  /** Sends a shard of leaves. Resolves when the mirror has fsynced what it took. */
  async push(shard: Uint8Array, whole: boolean, signal: AbortSignal): Promise<PushAnswer> {
    const answer = await this.#call({
      method: 'POST',
      path: `${subpaths.records}${whole ? '?whole=1' : ''}`,
      headers: { 'content-type': mediaTypes.shard, [headers.database]: this.#options.databaseId },
      body: shard,
      signal,
      answerType: mediaTypes.message,
    })
    return this.#decoded(answer, () => decodePushAnswer(answer.body))
  }

  /** A page of what changed. @throws CursorLostError when `since` is not in the mirror's history */
  async pull(asked: PullQuery, signal: AbortSignal): Promise<PulledPage> {
    const query = new URLSearchParams({ bodies: asked.bodies ? '1' : '0' })
    if (asked.since !== undefined) query.set('since', positionText(asked.since))
    if (asked.whole === true) query.set('whole', '1')
    for (const prefix of asked.prefixes ?? []) query.append('prefix', prefix)
    const path = `${subpaths.records}?${query}`
    const answer = await this.#call({ method: 'GET', path, signal, answerType: mediaTypes.shard })
    const position = this.#position(answer)
    const more = answer.headers[headers.more]
    if (position === undefined || (more !== '0' && more !== '1')) throw this.#garbled(answer, 'no position')
    return { records: await this.#records(answer), position, more: more === '1' }
  }

  /** Which of the leaves the mirror wants, in order. */
  async missing(leaves: readonly LeafRef[], signal: AbortSignal): Promise<readonly boolean[]> {
    const answer = await this.#askOf(leaves, subpaths.missing, signal)
    return this.#decoded(answer, () => decodeMissing(answer.body, leaves.length))
  }

  /** Which of the leaves the mirror holds, and who says so. */
  async held(leaves: readonly LeafRef[], signal: AbortSignal): Promise<HeldAnswer> {
    const answer = await this.#askOf(leaves, subpaths.held, signal)
    return this.#decoded(answer, () => decodeHeld(answer.body, leaves.length))
  }

  #askOf(leaves: readonly LeafRef[], path: string, signal: AbortSignal): Promise<TransportAnswer> {
    const headers = { 'content-type': mediaTypes.message }
    const answerType = mediaTypes.message
    return this.#call({ method: 'POST', path, headers, body: encodeLeaves(leaves), signal, answerType })
  }

  /** Those of the leaves that the mirror holds, as many as fit; for a read that somebody waits for. */
  async fetch(
    items: readonly FetchItem[],
    whole: boolean,
    signal: AbortSignal,
  ): Promise<readonly LogRecord[]> {
    const answer = await this.#call({
      method: 'POST',
      path: `${subpaths.fetch}${whole ? '?whole=1' : ''}`,
      headers: { 'content-type': mediaTypes.message },
      body: encodeFetch(items),
      signal,
      answerType: mediaTypes.shard,
      priority: priorities.read,
    })
    return this.#records(answer)
  }

  /**
   * The mirror's position now and after each of its commits; undefined for each sign of life in between. Without end,
   * but for a failure or the signal, which is also the way to leave it while it waits.
   */
  async *live(followed: AbortSignal): AsyncGenerator<Position | undefined, never> {
    const { signal, release } = linkedSignal(followed)
    try {
      return yield* this.#live(signal)
    } finally {
      release()
    }
  }

  async *#live(signal: AbortSignal): AsyncGenerator<Position | undefined, never> {
    const request = this.#request({
      method: 'GET',
      path: subpaths.live,
      signal,
      answerType: mediaTypes.lines,
    })
    const stream = await this.#reached(signal, () => this.#options.transport.stream(request))
    if (stream.status !== 200 || !isType(stream.headers, mediaTypes.lines)) {
      throw this.#garbled(stream, 'not a live stream')
    }
    const chunks = stream.body[Symbol.asyncIterator]()
    const lines = new LiveLines()
    for (;;) {
      const chunk = await this.#reached(signal, () => chunks.next())
      if (chunk.done === true) throw new MirrorUnreachableError(this.address, 'the live stream ended')
      this.#options.onTraffic(0, chunk.value.length)
      const positions = this.#decoded(stream, () => lines.take(chunk.value).map(decodeLiveLine))
      yield positions.findLast((position) => position !== undefined)
    }
  }

  #request(call: Call): TransportRequest {
    const token = this.#options.token()
    return {
      method: call.method,
      url: `${this.address}${call.path}`,
      headers: {
        accept: call.answerType,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        [headers.checksum]: this.#checksum(call),
        ...call.headers,
      },
      ...(call.body === undefined ? {} : { body: call.body }),
      answerBytesMax: call.answerType === mediaTypes.shard ? wireLimits.shardBytes : wireLimits.messageBytes,
      signal: call.signal,
    }
  }

  #checksum({ method, path, body }: Call): string {
    const [subpath = '', search = ''] = path.split('?')
    const query = queryOf(new URLSearchParams(search))
    return requestChecksum({ method, database: databaseOf(this.address), subpath, query }, body)
  }

  async #call(call: Call): Promise<TransportAnswer> {
    const request = this.#request(call)
    const asked = request.headers[headers.checksum] ?? ''
    const answer = await this.#queue.add(() => this.#ask(request), {
      priority: call.priority ?? priorities.background,
    })
    this.#options.onTraffic(call.body?.length ?? 0, answer.body.length)
    const isEmpty = answer.status === 204 && call.answerType === mediaTypes.shard
    if (!isEmpty && answer.status !== 200 && answer.status !== 201) throw this.#failure(answer)
    if (!isEmpty && !isType(answer.headers, call.answerType))
      throw this.#garbled(answer, `not ${call.answerType}`)
    if (answer.headers[headers.checksum] !== answerChecksum(asked, answer.headers, answer.body))
      throw this.#garbled(answer, 'not what the mirror said to this: its checksum is another')
    return answer
  }

  async #ask(request: TransportRequest): Promise<TransportAnswer> {
    const { signal, release } = linkedSignal(request.signal)
    try {
      return await this.#reached(signal, () => this.#options.transport.request({ ...request, signal }))
    } finally {
      release()
    }
  }

  async #reached<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    try {
      return await unlessAborted(ask(), signal)
    } catch (cause) {
      signal.throwIfAborted()
      throw new MirrorUnreachableError(this.address, cause instanceof Error ? cause.message : String(cause), {
        cause,
      })
    }
  }

  #failure(answer: TransportAnswer): Error {
    if (!isType(answer.headers, mediaTypes.json))
      return this.#garbled(answer, 'not an answer of the protocol')
    const { code, message } = this.#decoded(answer, () => decodeError(new TextDecoder().decode(answer.body)))
    if (code === 'MYNAH_DATABASE_UNKNOWN') return new DatabaseUnknownError(databaseOf(this.address))
    if (code === 'MYNAH_CURSOR_LOST') return new CursorLostError(/"(.+)"/.exec(message)?.[1] ?? message)
    return new MirrorAnswerError(this.address, answer.status, message, { answerCode: code })
  }

  #info(answer: TransportAnswer): DatabaseInfo {
    return this.#decoded(answer, () => decodeInfo(new TextDecoder().decode(answer.body)))
  }

  #position(answer: TransportAnswer): Position | undefined {
    return parsePosition(answer.headers[headers.position] ?? '')
  }

  async #records(answer: TransportAnswer): Promise<readonly LogRecord[]> {
    if (answer.status === 204) return []
    try {
      return await decodeRecords(answer.body, this.#options.env)
    } catch (cause) {
      throw this.#garbled(answer, 'a shard that cannot be read', { cause })
    }
  }

  #decoded<T>(answer: { readonly status: number }, decode: () => T): T {
    try {
      return decode()
    } catch (cause) {
      throw this.#garbled(answer, cause instanceof Error ? cause.message : String(cause), { cause })
    }
  }

  #garbled(answer: { readonly status: number }, detail: string, options?: ErrorOptions): MirrorAnswerError {
    return new MirrorAnswerError(this.address, answer.status, detail, options)
  }
}

function isType(headers: Readonly<Record<string, string>>, type: string): boolean {
  return (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() === type
}
