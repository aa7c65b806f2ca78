import type { IncomingHttpHeaders } from 'node:http'
import { Agent, errors, request } from 'undici'
import { wireLimits } from '../protocol/names.js'
import type { AddressClass } from './address-class.js'
import { guardedConnect, type Lookup, systemLookup } from './guarded-connect.js'
import type { Transport, TransportRequest } from './transport.js'

const CONNECT_TIMEOUT_MS = 10_000
/** A push is answered when it is on the mirror's disk, which may be a slow one. */
const HEADERS_TIMEOUT_MS = 60_000
const BODY_TIMEOUT_MS = 30_000
/** Less than a live stream may be silent: what idled while the network went away is not tried when that is noticed. */
const KEEP_ALIVE_MS = 20_000

interface Agents {
  readonly answers: Agent
  readonly streams: Agent
}

/** How long HTTP waits, and who finds addresses. */
export interface HttpTransportOptions {
  /** Finds the addresses of names. Default: the system's way. */
  readonly lookup?: Lookup
  /** Until a connection stands. Default 10,000. */
  readonly connectTimeoutMs?: number
  /** From a request to the beginning of its answer. Default 60,000. */
  readonly headersTimeoutMs?: number
  /** Until a connection that idles is used no more. Default 20,000. */
  readonly keepAliveMs?: number
  /** Without a byte of an answer that is no stream. Default 30,000. */
  readonly bodyTimeoutMs?: number
}

/** HTTP/1.1 by undici, with its own connections. */
export function httpTransport(options: HttpTransportOptions = {}): Transport {
  const { lookup = systemLookup, connectTimeoutMs: timeoutMs = CONNECT_TIMEOUT_MS } = options
  const agentsWithin = (within: readonly AddressClass[] | undefined): Agents => {
    const common = {
      connect: guardedConnect({ timeoutMs, lookup, ...(within && { within }) }),
      headersTimeout: options.headersTimeoutMs ?? HEADERS_TIMEOUT_MS,
      keepAliveMaxTimeout: options.keepAliveMs ?? KEEP_ALIVE_MS,
    }
    const bodyTimeout = options.bodyTimeoutMs ?? BODY_TIMEOUT_MS
    return {
      answers: new Agent({ ...common, bodyTimeout, maxResponseSize: wireLimits.shardBytes }),
      // The bound on an answer's size counts all bytes that a connection brings in one answer, so streams need their own.
      streams: new Agent({ ...common, bodyTimeout: 0 }),
    }
  }
  // A connection that was opened for one rule is of no use to another.
  const agents = new Map<string, Agents>()
  let closed = false
  const agentsFor = ({ within }: TransportRequest): Agents => {
    if (closed) throw new Error('the transport is closed')
    const key = within?.join() ?? 'anywhere'
    const known = agents.get(key) ?? agentsWithin(within)
    agents.set(key, known)
    return known
  }

  const once = (dispatcher: Agent, { method, url, headers, body, signal }: TransportRequest) =>
    request(url, { dispatcher, method, headers, signal, ...(body === undefined ? {} : { body }) })
  const open = async (dispatcher: Agent, asked: TransportRequest) => {
    try {
      return await once(dispatcher, asked)
    } catch (error) {
      if (asked.method !== 'GET' || asked.signal.aborted || !isIdleEnd(error)) throw error
      return await once(dispatcher, asked)
    }
  }

  return {
    async request(asked) {
      const answer = await open(agentsFor(asked).answers, asked)
      const chunks: Uint8Array[] = []
      let length = 0
      for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
        length += chunk.length
        asked.onBytes?.(chunk.length)
        // Leaving the loop destroys the body, and with it the connection.
        if (length > asked.answerBytesMax)
          throw new RangeError(`answer of more than ${asked.answerBytesMax} bytes`)
        chunks.push(chunk)
      }
      return { status: answer.statusCode, headers: firstOfEach(answer.headers), body: joined(chunks, length) }
    },

    async stream(asked) {
      const answer = await open(agentsFor(asked).streams, asked)
      return { status: answer.statusCode, headers: firstOfEach(answer.headers), body: answer.body }
    },

    async close() {
      closed = true
      const all = [...agents.values()]
      await Promise.all(all.flatMap(({ answers, streams }) => [answers.destroy(), streams.destroy()]))
    },
  }
}

/** Whether a connection that had answered before ended before this answer began: it was being closed as it idled. */
function isIdleEnd(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code } = error as NodeJS.ErrnoException
  if (error instanceof errors.SocketError) return (error.socket?.bytesRead ?? 0) > 0
  return code === 'ECONNRESET' || code === 'EPIPE'
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
