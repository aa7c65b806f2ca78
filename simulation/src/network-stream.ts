import type { TransportAnswer, TransportStream } from '@mynah/replication'
import { Connection, type Way } from './network-connection.js'
import { type Kind, nameOf } from './network-exchange.js'
import { delayOf } from './network-faults.js'
import type { Host } from './network-host.js'
import type { Roads } from './network-roads.js'

/** A server gives up a reader that takes nothing, milliseconds. */
const SERVER_IDLE_MS = 120_000
/** A chunk comes in so many pieces at most. */
const PIECES_MAX = 3

/** A request whose answer is read as it comes. `over` is aborted when the server learns that nobody listens. */
export function streamedAnswer(over: AbortController): Kind<TransportStream, TransportStream> {
  return {
    serve: (handler, request) => handler.stream(request, over.signal),
    foreign: ({ status, headers, body }) => ({ status, headers, body: once(body) }),
    repeatable: false,
    receive({ connection, request, roads, server }, { status, headers, body }) {
      const pipe = new Pipe(roads, connection, request.signal, over)
      if (server !== undefined) pipe.dependOn(server)
      void pipe.pump(body)
      connection.succeed({ status, headers, body: pipe })
    },
  }
}

async function* once(body: TransportAnswer['body']): AsyncGenerator<Uint8Array, void> {
  yield body
}

/** A stream on its way: its pieces arrive in order, each after a delay, until something happens. */
class Pipe implements AsyncIterableIterator<Uint8Array> {
  readonly #roads: Roads
  readonly #flow: Connection<undefined>
  readonly #arrived: Uint8Array[] = []
  #wake = () => {}
  #lastAtMs = 0
  /** Nothing comes any more, and nobody says so. */
  #silent = false

  constructor(roads: Roads, way: Way, signal: AbortSignal, over: AbortController) {
    this.#roads = roads
    this.#flow = new Connection(roads.time, way, signal)
    roads.watch(this.#flow)
    this.#flow.onEnd(() => {
      this.#wake()
      const laterMs = this.#silent ? SERVER_IDLE_MS : this.#delay()
      roads.time.after(laterMs, nameOf(way, 'stream over'), () => over.abort())
    })
    // It may fail while nobody reads; whoever reads next is told.
    this.#flow.result.catch(() => {})
  }

  dependOn(server: Host): void {
    const forget = server.onDeath((death) => {
      if (death === 'killed') this.#reset()
      this.#silent = true
    })
    this.#flow.onEnd(forget)
  }

  /** Sends what the server says. */
  async pump(source: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of source) for (const piece of this.#pieces(chunk)) this.#send(piece)
      this.#inOrder('stream ends', () => this.#flow.succeed(undefined))
    } catch {
      this.#reset()
    }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const piece = this.#arrived.shift()
      if (piece !== undefined) return { value: piece, done: false }
      if (this.#flow.ended) return { value: await this.#flow.result, done: true }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#flow.succeed(undefined)
    return { value: undefined, done: true }
  }

  *#pieces(chunk: Uint8Array): Generator<Uint8Array> {
    const { random } = this.#roads
    let start = 0
    for (let piece = random.between(1, PIECES_MAX); piece > 1; piece--) {
      const end = random.between(start, chunk.length)
      if (end > start) yield chunk.slice(start, end)
      start = end
    }
    if (start < chunk.length) yield chunk.slice(start)
  }

  #send(piece: Uint8Array): void {
    const { random } = this.#roads
    const faults = this.#roads.faults()
    if (random.chance(faults.cutStream)) this.#reset()
    if (random.chance(faults.stalledStream)) this.#silent = true
    this.#inOrder('stream', () => {
      this.#arrived.push(piece)
      this.#wake()
    })
  }

  #reset(): void {
    this.#inOrder('stream reset', () => this.#flow.fail(new Error('connection reset')))
    this.#silent = true
  }

  #inOrder(what: string, run: () => void): void {
    const { time } = this.#roads
    if (!this.#roads.passes(this.#flow.to, this.#flow.from)) this.#silent = true
    if (this.#silent) return
    this.#lastAtMs = Math.max(this.#lastAtMs, time.nowMs + this.#delay())
    this.#flow.after(this.#lastAtMs - time.nowMs, what, run)
  }

  #delay(): number {
    return delayOf(this.#roads.faults(), this.#roads.random)
  }
}
