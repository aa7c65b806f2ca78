import { CursorLostError } from '@mynah/core'
import PQueue from 'p-queue'
import { answeredError, DatabaseUnknownError, MirrorAnswerError, MirrorUnreachableError } from '../errors.js'
import { answerChecksum, requestChecksum } from '../protocol/checksum.js'
import { decodeError } from '../protocol/messages.js'
import { headers, mediaTypes, wireLimits } from '../protocol/names.js'
import { queryOf } from '../protocol/query.js'
import { linkedSignal } from '../timing/linked-signal.js'
import type { AddressClass } from '../transport/address-class.js'
import { databaseOf } from '../transport/mirror-address.js'
import { reached } from '../transport/reached.js'
import type { Transport, TransportAnswer, TransportRequest, TransportStream } from '../transport/transport.js'
import type { HoldOff } from './hold-off.js'
import type { Traffic } from './traffic.js'

/** Background work has at most a push and a pull in flight; the rest is for reads. */
const REQUESTS_AT_ONCE = 4
/** A first line, and headers that every message has. */
const HEAD_BYTES = 100
/** The higher goes first. */
export const priorities = { background: 0, read: 1 } as const

/** Which mirror is asked, and by what. */
export interface MirrorCallsOptions {
  /** As `mirrorAddress` gives it. */
  readonly address: string
  /** The token as it is now. */
  readonly token: () => string | undefined
  /** Where the mirror may be: `within` of a request. */
  readonly within?: () => readonly AddressClass[] | undefined
  readonly transport: Transport
  readonly traffic: Traffic
  readonly holdOff: HoldOff
}

/** One request, before what all requests have in common. */
export type Call = Omit<TransportRequest, 'url' | 'headers' | 'answerBytesMax'> & {
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly answerType: string
  readonly priority?: number
  /** About how many bytes will travel: what waits until so many may. Without, it counts and does not wait. */
  readonly allowBytes?: number
}

/** Requests to one database of one mirror, as the protocol wants all of them: their headers, checksums and failures. */
export class MirrorCalls {
  readonly address: string
  readonly #options: MirrorCallsOptions
  readonly #queue = new PQueue({ concurrency: REQUESTS_AT_ONCE })

  constructor(options: MirrorCallsOptions) {
    this.address = options.address
    this.#options = options
  }

  /** An answer that is one of the protocol, and to this request. */
  async call(call: Call): Promise<TransportAnswer> {
    const request = this.#request(call)
    const asked = request.headers[headers.checksum] ?? ''
    const answer = await this.#allowed(call, request)
    const isEmpty = answer.status === 204 && isOfShards(call)
    if (!isEmpty && answer.status !== 200 && answer.status !== 201) throw this.#failure(answer)
    if (!isEmpty && !isType(answer.headers, call.answerType))
      throw this.garbled(answer, `not ${call.answerType}`)
    if (answer.headers[headers.checksum] !== answerChecksum(asked, answer.headers, answer.body))
      throw this.garbled(answer, 'not what the mirror said to this: its checksum is another')
    return answer
  }

  /** A stream that began; its chunks are to be read with `chunk`. */
  async stream(call: Call): Promise<TransportStream> {
    const request = this.#request(call)
    const stream = await reached(this.address, call.signal, () => this.#options.transport.stream(request))
    this.#options.traffic.count({ up: 0, down: 0, heads: headBytes(request) + headBytes(stream) })
    if (stream.status !== 200 || !isType(stream.headers, call.answerType)) {
      throw this.garbled(stream, 'not a live stream')
    }
    return stream
  }

  /** The next chunk of a stream. */
  async chunk(chunks: AsyncIterator<Uint8Array>, signal: AbortSignal): Promise<Uint8Array> {
    const chunk = await reached(this.address, signal, () => chunks.next())
    if (chunk.done === true) throw new MirrorUnreachableError(this.address, 'the live stream ended')
    this.#options.traffic.count({ up: 0, down: chunk.value.length, heads: 0 })
    return chunk.value
  }

  /** What a decoder gives, or a failure that says that the answer is none. */
  decoded<T>(answer: { readonly status: number }, decode: () => T): T {
    try {
      return decode()
    } catch (cause) {
      throw this.garbled(answer, cause instanceof Error ? cause.message : String(cause), { cause })
    }
  }

  /** What is thrown where an answer is none of the protocol. */
  garbled(answer: { readonly status: number }, detail: string, options?: ErrorOptions): MirrorAnswerError {
    return new MirrorAnswerError(this.address, answer.status, detail, options)
  }

  #request(call: Call): TransportRequest {
    const token = this.#options.token()
    const within = this.#options.within?.()
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
      answerBytesMax: isOfShards(call) ? wireLimits.shardBytes : wireLimits.messageBytes,
      signal: call.signal,
      ...(within && { within }),
    }
  }

  /** The answer, when what travels for it may, and is counted. */
  async #allowed(
    { allowBytes: allowed, signal, priority = priorities.background, onBytes: told }: Call,
    request: TransportRequest,
  ): Promise<TransportAnswer> {
    const { traffic, holdOff } = this.#options
    // Background work ends with its session, which does not begin anew before.
    if (priority === priorities.read && holdOff.leftMs > 0)
      throw new MirrorUnreachableError(
        this.address,
        `it wants to be left alone for ${holdOff.leftMs} ms more`,
      )
    if (allowed !== undefined) await traffic.allow(allowed, signal)
    const up = request.body?.length ?? 0
    let came = 0
    const onBytes = (bytes: number) => {
      came += bytes
      told?.(bytes)
    }
    try {
      const answer = await this.#queue.add(() => this.#ask({ ...request, onBytes }), { priority })
      holdOff.learn(answer)
      const heads = headBytes(request) + headBytes(answer)
      traffic.count({ up, down: answer.body.length, heads, allowed })
      return answer
    } catch (error) {
      traffic.lose(up + came, allowed)
      throw error
    }
  }

  #checksum({ method, path, body }: Call): string {
    const [subpath = '', search = ''] = path.split('?')
    const query = queryOf(new URLSearchParams(search))
    return requestChecksum({ method, database: databaseOf(this.address), subpath, query }, body)
  }

  async #ask(request: TransportRequest): Promise<TransportAnswer> {
    const { signal, release } = linkedSignal(request.signal)
    try {
      return await reached(this.address, signal, () =>
        this.#options.transport.request({ ...request, signal }),
      )
    } finally {
      release()
    }
  }

  #failure(answer: TransportAnswer): Error {
    if (!isType(answer.headers, mediaTypes.json)) return this.garbled(answer, 'not an answer of the protocol')
    const { code, message } = this.decoded(answer, () => decodeError(new TextDecoder().decode(answer.body)))
    if (code === 'MYNAH_DATABASE_UNKNOWN') return new DatabaseUnknownError(databaseOf(this.address))
    if (code === 'MYNAH_CURSOR_LOST') return new CursorLostError(/"(.+)"/.exec(message)?.[1] ?? message)
    return answeredError(this.address, answer.status, { code, message })
  }
}

/** Of a request or an answer: its first line and headers, about as HTTP/1.1 has them. */
function headBytes(message: { readonly headers: Readonly<Record<string, string>> }): number {
  const lines = Object.entries(message.headers).map(([name, value]) => name.length + value.length + 4)
  return lines.reduce((sum, bytes) => sum + bytes, HEAD_BYTES)
}

function isOfShards({ answerType }: Call): boolean {
  return answerType === mediaTypes.shard || answerType === mediaTypes.shards
}

function isType(headers: Readonly<Record<string, string>>, type: string): boolean {
  return (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() === type
}
