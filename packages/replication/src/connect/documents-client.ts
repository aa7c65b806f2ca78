import {
  ClosedError,
  ConflictError,
  CursorLostError,
  DocumentInvalidError,
  type MynahError,
  ReadOnlyError,
  StaleError,
  UnreachableError,
  type Value,
} from '@mynah/core'
import { answeredError, DatabaseUnknownError, MessageInvalidError, MirrorAnswerError } from '../errors.js'
import { parseDocumentJson } from '../protocol/document-json.js'
import { decodeError, type ErrorMessage } from '../protocol/messages.js'
import { mediaTypes, wireLimits } from '../protocol/names.js'
import { linkedSignal } from '../timing/linked-signal.js'
import { databaseOf } from '../transport/mirror-address.js'
import { reached } from '../transport/reached.js'
import type { Transport, TransportAnswer, TransportRequest, TransportStream } from '../transport/transport.js'

/** What is asked below a database's address. */
export interface DocumentsRequest {
  readonly method: TransportRequest['method']
  /** With its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** The type of the answer, and of the body. Default JSON. */
  readonly type?: string
  /** The document that it is about, for errors. */
  readonly id?: string
  /** Any of them ends it. */
  readonly signals?: readonly (AbortSignal | undefined)[]
}

/** An answer that is no document: the mirror says that there is none. */
export type Absence = 'unknown' | 'deleted'

/** One mirror's documents over HTTP: requests, and its errors as those that a local database throws. */
export class DocumentsClient {
  readonly #transport: Transport
  readonly #token: string | undefined
  readonly #closed = new AbortController()

  constructor(
    readonly address: string,
    options: { readonly transport: Transport; readonly token?: string | undefined },
  ) {
    this.#transport = options.transport
    this.#token = options.token
  }

  /** The JSON of an answer, or why there is no document. */
  async json(request: DocumentsRequest): Promise<Value | Absence> {
    const answer = await this.#ask(request)
    if (answer.status >= 200 && answer.status < 300) {
      this.#requireType(answer, mediaTypes.json)
      return this.decoded(answer.status, () => parseDocumentJson(textOf(answer.body)))
    }
    const error = this.#error(answer)
    if (error.code === 'MYNAH_DOCUMENT_UNKNOWN') return 'unknown'
    if (error.code === 'MYNAH_DOCUMENT_DELETED') return 'deleted'
    throw this.failure(error, answer.status, request)
  }

  /** The whole text of an answer of the request's type. */
  async text(request: DocumentsRequest): Promise<string> {
    const answer = await this.#ask(request)
    if (answer.status !== 200) throw this.failure(this.#error(answer), answer.status, request)
    this.#requireType(answer, request.type ?? mediaTypes.json)
    return textOf(answer.body)
  }

  /** The body of an answer without end, as it comes. The request's signal ends it. */
  async *stream(request: DocumentsRequest): AsyncGenerator<Uint8Array> {
    const { signal, release } = linkedSignal(this.#closed.signal, ...(request.signals ?? []))
    try {
      const asked = this.#request(request, signal)
      const stream = await reached(this.address, signal, () => this.#transport.stream(asked))
      if (stream.status !== 200) throw await this.#streamFailure(stream, request, signal)
      this.#requireType(stream, request.type ?? mediaTypes.json)
      const chunks = stream.body[Symbol.asyncIterator]()
      try {
        for (;;) {
          const chunk = await reached(this.address, signal, () => chunks.next())
          if (chunk.done === true) return
          yield chunk.value
        }
      } finally {
        await chunks.return?.()
      }
    } finally {
      release()
    }
  }

  /** The error that a local database would have thrown. */
  failure(
    { code, message, rev, path, detail }: ErrorMessage,
    status: number,
    { id = '' }: Pick<DocumentsRequest, 'id'>,
  ): MynahError {
    switch (code) {
      case 'MYNAH_CONFLICT':
      case 'MYNAH_PRECONDITION_FAILED':
        return new ConflictError(id, rev)
      case 'MYNAH_DOCUMENT_INVALID':
        return new DocumentInvalidError(path ?? '', detail ?? message)
      case 'MYNAH_UNREACHABLE':
        return new UnreachableError(id)
      case 'MYNAH_STALE':
        return new StaleError(id)
      case 'MYNAH_CURSOR_LOST':
        return new CursorLostError(id)
      case 'MYNAH_READ_ONLY':
        return new ReadOnlyError()
      case 'MYNAH_DATABASE_UNKNOWN':
        return new DatabaseUnknownError(databaseOf(this.address))
      default:
        return answeredError(this.address, status, { code, message })
    }
  }

  /** What came is no answer of a mirror. */
  garbled(detail: string, status = 200, options?: ErrorOptions): MirrorAnswerError {
    return new MirrorAnswerError(this.address, status, detail, options)
  }

  /** What `decode` makes of an answer. @throws MirrorAnswerError where that is no message of a mirror's */
  decoded<T>(status: number, decode: () => T): T {
    try {
      return decode()
    } catch (cause) {
      if (!(cause instanceof MessageInvalidError)) throw cause
      throw this.garbled(cause.message, status, { cause })
    }
  }

  /** @throws ClosedError */
  requireOpen(): void {
    if (this.#closed.signal.aborted) throw new ClosedError()
  }

  async close(): Promise<void> {
    this.#closed.abort(new ClosedError())
    await this.#transport.close()
  }

  async #ask(request: DocumentsRequest): Promise<TransportAnswer> {
    const { signal, release } = linkedSignal(this.#closed.signal, ...(request.signals ?? []))
    try {
      const asked = this.#request(request, signal)
      return await reached(this.address, signal, () => this.#transport.request(asked))
    } finally {
      release()
    }
  }

  #request(asked: DocumentsRequest, signal: AbortSignal): TransportRequest {
    const type = asked.type ?? mediaTypes.json
    return {
      method: asked.method,
      url: `${this.address}${asked.path}`,
      headers: {
        accept: type,
        ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
        ...(asked.body !== undefined && { 'content-type': type }),
        ...asked.headers,
      },
      ...(asked.body !== undefined && { body: asked.body }),
      answerBytesMax: wireLimits.shardBytes,
      signal,
    }
  }

  async #streamFailure(
    stream: TransportStream,
    request: DocumentsRequest,
    signal: AbortSignal,
  ): Promise<Error> {
    const chunks: Uint8Array[] = []
    let length = 0
    await reached(this.address, signal, async () => {
      for await (const chunk of stream.body) {
        chunks.push(chunk)
        length += chunk.length
        if (length > wireLimits.messageBytes) throw new RangeError('an error of so many bytes is none')
      }
    })
    const text = new TextDecoder()
    const body = chunks.map((chunk) => text.decode(chunk, { stream: true })).join('') + text.decode()
    const error = this.#error({ ...stream, body: new TextEncoder().encode(body) })
    return this.failure(error, stream.status, request)
  }

  #error(answer: TransportAnswer): ErrorMessage {
    this.#requireType(answer, mediaTypes.json)
    return this.decoded(answer.status, () => decodeError(textOf(answer.body)))
  }

  #requireType(answer: Pick<TransportAnswer, 'status' | 'headers'>, type: string): void {
    const found = (answer.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase()
    if (found !== type) throw this.garbled(`not ${type}`, answer.status)
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
