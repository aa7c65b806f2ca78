import type { Env } from '@mynah/core'
import {
  acceptId,
  type Checkpoint,
  compareUtf8,
  decodeRecords,
  type HeldAnswer,
  type LeafRef,
  type LogRecord,
  type OwedPage,
  type Position,
  type ShardPage,
} from '@mynah/core/replica'
import { DatabaseUnknownError } from '../errors.js'
import {
  type DatabaseInfo,
  decodeHeld,
  decodeInfo,
  decodeMissing,
  decodeOwed,
  decodePushAnswer,
  encodeFetch,
  encodeLeaves,
  type FetchItem,
  type PushAnswer,
} from '../protocol/messages.js'
import { headers, mediaTypes, subpaths, wireLimits } from '../protocol/names.js'
import { parsePosition, positionText } from '../protocol/position.js'
import { type AskedRange, decodeToldRanges, encodeAskedRanges, type ToldRanges } from '../protocol/ranges.js'
import { decodeShards, decodeShardsAnswer, encodeShards, type ShardsAnswer } from '../protocol/shards.js'
import type { Prefixes } from '../scope/part.js'
import { databaseOf } from '../transport/mirror-address.js'
import type { TransportAnswer } from '../transport/transport.js'
import { lastingStream } from './lasting-stream.js'
import { livePositions } from './live-positions.js'
import { type Call, MirrorCalls, type MirrorCallsOptions, priorities } from './mirror-calls.js'
import type { MirrorPace } from './pace.js'
import { newestOf, type PulledPage, type PullQuery, pullParameters } from './pull-query.js'

/** About what travels for a leaf, and for its body, before it is known. */
const LEAF_BYTES = 64
const BODY_BYTES = 512

const bytesIn = ({ body }: TransportAnswer): number => body.length

type CallRest = Pick<Call, 'signal' | 'answerType' | 'allowBytes' | 'priority' | 'onBytes'>

/** What a mirror tells of itself. */
export interface Told<T> {
  readonly told: T
  /** Nothing of it was told of a later place of the mirror's history. */
  readonly position: Position
}

/** What a client is made with. */
export type MirrorClientOptions = MirrorCallsOptions & {
  /** Of the database here. */
  readonly databaseId: string
  readonly env: Env
  readonly pace: MirrorPace
  /** Whether a database may be made there. */
  readonly mayCreate: boolean
  /** Called with what the mirror tells of other mirrors. */
  readonly onNamed: (mirrors: readonly string[]) => void
}

/**
 * The protocol's calls to one database of one mirror. Everything rejects with `MirrorUnreachableError` when the mirror
 * could not be asked, and with `MirrorAnswerError` when what came is not an answer of the protocol; an aborted call
 * rejects with the signal's reason.
 */
export class MirrorClient {
  readonly address: string
  readonly #options: MirrorClientOptions
  readonly #calls: MirrorCalls

  constructor(options: MirrorClientOptions) {
    this.address = options.address
    this.#options = options
    this.#calls = new MirrorCalls(options)
  }

  /** Raw bytes to be sent at once. */
  get pushBytes(): number {
    return this.#options.pace.up.bytes
  }

  /** What the database is, and which of the positions its history holds. @throws DatabaseUnknownError */
  async info(holds: readonly Position[], signal: AbortSignal): Promise<DatabaseInfo> {
    const query = holds.length === 0 ? '' : `?holds=${holds.map(positionText).join(',')}`
    const path = `${subpaths.database}${query}`
    const answer = await this.#calls.call({ method: 'GET', path, signal, answerType: mediaTypes.json })
    const info = this.#info(answer)
    if ((info.holds?.length ?? 0) !== holds.length)
      throw this.#calls.garbled(answer, 'holds do not answer the question')
    this.#options.onNamed(info.mirrors ?? [])
    return info
  }

  /** The same, of a database that is made where there is none. */
  async greet(holds: readonly Position[], signal: AbortSignal): Promise<DatabaseInfo> {
    try {
      return await this.info(holds, signal)
    } catch (error) {
      if (!(error instanceof DatabaseUnknownError)) throw error
      await this.create(signal)
      return this.info(holds, signal)
    }
  }

  /** Makes the database where there is none. @throws DatabaseUnknownError where that may not be */
  async create(signal: AbortSignal): Promise<DatabaseInfo> {
    if (!this.#options.mayCreate) throw new DatabaseUnknownError(databaseOf(this.address))
    const path = subpaths.database
    return this.#info(await this.#calls.call({ method: 'PUT', path, signal, answerType: mediaTypes.json }))
  }

  /** Sends a shard of leaves. Resolves when the mirror has fsynced what it took. */
  async push(shard: Uint8Array, whole: boolean, signal: AbortSignal): Promise<PushAnswer> {
    const path = `${subpaths.records}${whole ? '?whole=1' : ''}`
    const answer = await this.#pushed(path, mediaTypes.shard, shard, signal)
    return this.#calls.decoded(answer, () => decodePushAnswer(answer.body))
  }

  /** The same with shards as they lie. */
  async pushShards(shards: readonly Uint8Array[], signal: AbortSignal): Promise<ShardsAnswer> {
    const body = encodeShards({ shards, lost: false })
    const answer = await this.#pushed(subpaths.shards, mediaTypes.shards, body, signal)
    return this.#calls.decoded(answer, () => decodeShardsAnswer(answer.body))
  }

  #pushed(path: string, type: string, body: Uint8Array, signal: AbortSignal): Promise<TransportAnswer> {
    const named = { 'content-type': type, [headers.database]: this.#options.databaseId }
    const rest = { body, signal, answerType: mediaTypes.message, allowBytes: body.length }
    const answered = this.#calls.call({ method: 'POST', path, headers: named, ...rest })
    return this.#options.pace.up.learn(answered, () => body.length)
  }

  /** A page of what changed. @throws CursorLostError when `since` is not in the mirror's history */
  async pull(asked: PullQuery, signal: AbortSignal): Promise<PulledPage> {
    const { pace, traffic } = this.#options
    const pageBytes = traffic.pageBytes(pace.down.bytes)
    const path = `${subpaths.records}?${pullParameters(asked, pageBytes)}`
    const allowBytes = pageBytes ?? wireLimits.pageBytes
    const call = { method: 'GET', path, signal, answerType: mediaTypes.shard, allowBytes } as const
    const answer = await pace.down.learn(this.#calls.call(call), bytesIn)
    const page = this.#page(answer)
    const after = this.#after(answer, asked.walk)
    const newest = newestOf(answer.headers, page.position)
    if (newest === undefined) throw this.#calls.garbled(answer, 'a newest place that is none')
    const records = await this.#records(answer)
    return { records, ...page, newest, ...(after === undefined ? {} : { after }) }
  }

  /**
   * Shards of the mirror's log, as they lie, from the one that stands for the seq behind `after` on.
   * @throws CursorLostError when `after` is not in the mirror's history
   */
  async shards(after: Position | undefined, signal: AbortSignal): Promise<ShardPage> {
    const { pace, traffic } = this.#options
    const allowBytes = traffic.pageBytes(pace.down.bytes) ?? wireLimits.copyBytes
    const query = new URLSearchParams({ bytes: String(allowBytes) })
    if (after !== undefined) query.set('after', positionText(after))
    const path = `${subpaths.shards}?${query}`
    const call = { method: 'GET', path, signal, answerType: mediaTypes.shards, allowBytes } as const
    const answer = await pace.down.learn(this.#calls.call(call), bytesIn)
    const page = this.#page(answer)
    if (answer.status === 204) return { shards: [], lost: false, ...page }
    return { ...this.#calls.decoded(answer, () => decodeShards(answer.body)), ...page }
  }

  /** Which of the leaves the mirror wants, in order. */
  async missing(leaves: readonly LeafRef[], signal: AbortSignal): Promise<readonly boolean[]> {
    const answer = await this.#post(subpaths.missing, encodeLeaves(leaves), {
      ...{ signal, answerType: mediaTypes.message, allowBytes: leaves.length * LEAF_BYTES },
    })
    return this.#calls.decoded(answer, () => decodeMissing(answer.body, leaves.length))
  }

  /** Which of the leaves the mirror holds, and who says so. */
  async held(leaves: readonly LeafRef[], signal: AbortSignal): Promise<HeldAnswer> {
    const question = encodeLeaves(leaves)
    const answer = await this.#post(subpaths.held, question, { signal, answerType: mediaTypes.message })
    return this.#calls.decoded(answer, () => decodeHeld(answer.body, leaves.length))
  }

  /** As much of what is asked for as goes at once. */
  #some(path: string, body: Uint8Array, rest: CallRest): Promise<TransportAnswer> {
    const { pace, traffic } = this.#options
    const bytes = traffic.pageBytes(pace.down.bytes)
    const answered = this.#post(bytes === undefined ? path : `${path}&bytes=${bytes}`, body, rest)
    return pace.down.learn(answered, bytesIn)
  }

  #post(path: string, body: Uint8Array, rest: CallRest): Promise<TransportAnswer> {
    const headers = { 'content-type': mediaTypes.message }
    return this.#calls.call({ method: 'POST', path, headers, body, ...rest })
  }

  /** Those of the leaves that the mirror holds, as many as fit, with whole paths; for a read, somebody waits for them. */
  async fetch(
    items: readonly FetchItem[],
    work: 'read' | 'background',
    signal: AbortSignal,
    onBytes?: (bytes: number) => void,
  ): Promise<readonly LogRecord[]> {
    const answer = await this.#some(`${subpaths.fetch}?whole=1`, encodeFetch(items), {
      signal,
      answerType: mediaTypes.shard,
      priority: priorities[work],
      ...(work === 'background' && { allowBytes: items.length * BODY_BYTES }),
      ...(onBytes && { onBytes }),
    })
    return this.#records(answer)
  }

  /** What the mirror knows of the first of the ranges, at least one. */
  async ranges(asked: readonly AskedRange[], signal: AbortSignal): Promise<Told<ToldRanges>> {
    const answer = await this.#post(subpaths.ranges, encodeAskedRanges(asked), {
      signal,
      answerType: mediaTypes.message,
      allowBytes: asked.length * LEAF_BYTES,
    })
    const told = this.#calls.decoded(answer, () => decodeToldRanges(answer.body, asked))
    return this.#told(answer, told)
  }

  /** All leaves of the first of the documents, with whole paths: one document at least, where one of them is there. */
  async documents(
    ids: readonly string[],
    bodies: boolean,
    signal: AbortSignal,
  ): Promise<Told<readonly LogRecord[]>> {
    const answer = await this.#some(
      `${subpaths.fetch}?whole=1${bodies ? '' : '&stubs=1'}`,
      encodeFetch(ids.map((id) => ({ id }))),
      { signal, answerType: mediaTypes.shard, allowBytes: ids.length * (bodies ? BODY_BYTES : LEAF_BYTES) },
    )
    return this.#told(answer, await this.#records(answer))
  }

  /** A page of the leaves whose bodies the mirror is to hold and does not. */
  async owed(after: string | undefined, signal: AbortSignal): Promise<Told<OwedPage>> {
    const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`
    const path = `${subpaths.owed}${query}`
    const allowBytes = wireLimits.owedLeaves * LEAF_BYTES
    const call = { method: 'GET', path, signal, answerType: mediaTypes.message, allowBytes } as const
    const answer = await this.#calls.call(call)
    const told = this.#calls.decoded(answer, () => decodeOwed(answer.body))
    return this.#told(answer, told)
  }

  /** As `livePositions`, of a stream that lasts. */
  live(prefixes: Prefixes, signal: AbortSignal): AsyncGenerator<Position | undefined, never> {
    const open = () => livePositions(this.#calls, prefixes, signal)
    return lastingStream(open, { ...this.#options, signal })
  }

  #info(answer: TransportAnswer): DatabaseInfo {
    return this.#calls.decoded(answer, () => decodeInfo(new TextDecoder().decode(answer.body)))
  }

  /** What a page says of its place. */
  #page(answer: TransportAnswer): { readonly position: Position; readonly more: boolean } {
    const position = this.#position(answer)
    const more = answer.headers[headers.more]
    if (position === undefined || (more !== '0' && more !== '1'))
      throw this.#calls.garbled(answer, 'no position')
    return { position, more: more === '1' }
  }

  #told<T>(answer: TransportAnswer, told: T): Told<T> {
    const position = this.#position(answer)
    if (position === undefined) throw this.#calls.garbled(answer, 'no position')
    return { told, position }
  }

  /** How far a page of a part of the ids came. */
  #after(answer: TransportAnswer, walk: Checkpoint['walk']): string | undefined {
    const text = answer.headers[headers.after]
    if (text === undefined) return undefined
    const after = this.#calls.decoded(answer, () => acceptId(decodeURIComponent(text)))
    if (walk !== undefined && compareUtf8(after, walk.after) <= 0)
      throw this.#calls.garbled(answer, 'a page that does not go on')
    return after
  }

  #position(answer: TransportAnswer): Position | undefined {
    return parsePosition(answer.headers[headers.position] ?? '')
  }

  async #records(answer: TransportAnswer): Promise<readonly LogRecord[]> {
    if (answer.status === 204) return []
    try {
      return await decodeRecords(answer.body, this.#options.env)
    } catch (cause) {
      throw this.#calls.garbled(answer, 'a shard that cannot be read', { cause })
    }
  }
}
