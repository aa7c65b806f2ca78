import type { IncomingHttpHeaders } from 'node:http'
import { Agent, request } from 'undici'
import { wireLimits } from './protocol/names.js'
import type { Transport, TransportRequest } from './transport.js'

const CONNECT_TIMEOUT_MS = 10_000
/** A push is answered when it is on the mirror's disk, which may be a slow one. */
const HEADERS_TIMEOUT_MS = 60_000
const BODY_TIMEOUT_MS = 30_000

/** HTTP/1.1 by undici, with its own connections. */
export function httpTransport(): Transport {
  const common = { connect: { timeout: CONNECT_TIMEOUT_MS }, headersTimeout: HEADERS_TIMEOUT_MS }
  const answers = new Agent({
    ...common,
    bodyTimeout: BODY_TIMEOUT_MS,
    maxResponseSize: wireLimits.shardBytes,
  })
  // The bound on an answer's size counts all bytes that a connection brings in one answer, so streams need their own.
  const streams = new Agent({ ...common, bodyTimeout: 0 })

  const open = (dispatcher: Agent, { method, url, headers, body, signal }: TransportRequest) =>
    request(url, { dispatcher, method, headers, signal, ...(body === undefined ? {} : { body }) })

  return {
    async request(asked) {
      const answer = await open(answers, asked)
      const chunks: Uint8Array[] = []
      let length = 0
      for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
        length += chunk.length
        // Leaving the loop destroys the body, and with it the connection.
        if (length > asked.answerBytesMax)
          throw new RangeError(`answer of more than ${asked.answerBytesMax} bytes`)
        chunks.push(chunk)
      }
      return { status: answer.statusCode, headers: firstOfEach(answer.headers), body: joined(chunks, length) }
    },

    async stream(asked) {
      const answer = await open(streams, asked)
      return { status: answer.statusCode, headers: firstOfEach(answer.headers), body: answer.body }
    },

    async close() {
      await Promise.all([answers.destroy(), streams.destroy()])
    },
  }
}

function firstOfEach(headers: IncomingHttpHeaders): Record<string, string> {
  const first: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    const text = Array.isArray(value) ? value[0] : value
    if (text !== undefined) first[name] = text
  }
  return first
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
