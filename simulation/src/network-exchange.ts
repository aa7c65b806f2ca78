import type { TransportAnswer, TransportRequest } from '@mynah/replication'
import type { ServedRequest } from '@mynah/replication/serve'
import { Connection, type Way } from './network-connection.js'
import { damaged, delayOf, type Fate, fateOf } from './network-faults.js'
import type { Handler, Host } from './network-host.js'
import { portalPage, proxyPages } from './network-pages.js'
import type { Roads } from './network-roads.js'

/** The patience of `httpTransport`, milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000
const HEADERS_TIMEOUT_MS = 60_000

/** What differs between a request that is answered whole and one whose answer is a stream. */
export interface Kind<Answered, Received> {
  serve(handler: Handler, request: ServedRequest): Promise<Answered>
  /** The answer's head has arrived; ends the connection. */
  receive(exchange: Exchange<Answered, Received>, answer: Answered): void
  /** What the client sees of somebody else's answer. */
  foreign(answer: TransportAnswer): Received
  /** Whether a proxy may send it again. */
  readonly repeatable: boolean
}

/**
 * One request from its first packet to the end of its answer.
 *
 *   connect ──► request travels ──► served ──► answer travels ──► received
 *      │              │               │              │
 *      refused,       lost, cut,      the process    lost, cut, a proxy's page instead,
 *      a portal,      a proxy's page  dies           damaged, slow
 *      a wall         instead, damaged, repeated
 *
 * Where nobody says that something went wrong, the client waits until its patience ends.
 */
export class Exchange<Answered, Received> {
  readonly connection: Connection<Received>
  readonly roads: Roads
  readonly request: TransportRequest
  readonly fate: Fate
  readonly #kind: Kind<Answered, Received>
  #server: Host | undefined

  constructor(roads: Roads, way: Way, request: TransportRequest, kind: Kind<Answered, Received>) {
    this.roads = roads
    this.request = request
    this.#kind = kind
    this.fate = fateOf(roads.faults(), roads.random)
    this.connection = new Connection(roads.time, way, request.signal)
    roads.watch(this.connection)
    this.connection.patience(CONNECT_TIMEOUT_MS, 'no connection in time')
    this.connection.after(this.delay() + this.delay(), 'connects', () => this.#connected())
  }

  /** Who serves it; once it has arrived. */
  get server(): Host | undefined {
    return this.#server
  }

  delay(): number {
    return delayOf(this.roads.faults(), this.roads.random)
  }

  #connected(): void {
    const { connection, fate, roads } = this
    const { from, to } = connection
    if (fate.portal) return connection.succeed(this.#kind.foreign(portalPage))
    const host = roads.host(to)
    if (host === 'off' || !roads.passes(from, to) || !roads.passes(to, from)) return
    if (fate.refused || host === undefined) return connection.fail(new Error(`${to} refused the connection`))
    connection.patience(HEADERS_TIMEOUT_MS, 'no answer in time')
    if (fate.request === 'lost') return
    if (fate.request === 'cut') return this.#reset()
    if (fate.proxy === 'before') return this.#proxied()
    this.#send(host)
  }

  /** Nothing was done; or, as far as the client can tell, it may have been. */
  #proxied(): void {
    const answer = this.roads.random.pick(proxyPages)
    this.connection.after(this.delay(), 'proxy answers', () =>
      this.connection.succeed(this.#kind.foreign(answer)),
    )
  }

  #reset(): void {
    this.connection.after(this.delay(), 'reset', () => this.connection.fail(new Error('connection reset')))
  }

  #send(host: Host): void {
    const { connection, fate, roads } = this
    const cancel = roads.time.after(this.delay(), nameOf(connection, 'arrives'), () => this.#arrived(host))
    connection.onEnd(() => {
      if (!fate.orphaned) cancel()
    })
    if (fate.repeated && this.#kind.repeatable) {
      const laterMs = this.delay() + roads.random.around(roads.faults().repeatedAfterMs)
      roads.time.after(laterMs, nameOf(connection, 'arrives again'), () => this.#arrivedAgain())
    }
  }

  #arrived(host: Host): void {
    const { connection, roads } = this
    if (!roads.passes(connection.from, connection.to)) return
    if (host.dead) {
      if (roads.host(connection.to) !== 'off') this.#reset()
      return
    }
    this.#server = host
    const forget = host.onDeath((death) => {
      if (death === 'killed') this.#reset()
    })
    connection.onEnd(forget)
    this.#kind.serve(host.handler, this.#copy()).then(
      (answer) => {
        if (!host.dead) this.#answered(answer)
      },
      () => this.#reset(),
    )
  }

  #arrivedAgain(): void {
    const { connection, roads } = this
    const host = roads.host(connection.to)
    if (host === 'off' || host === undefined || !roads.passes(connection.from, connection.to)) return
    // Whoever repeats a request has nobody to give this answer to.
    this.#kind.serve(host.handler, this.#copy()).catch(() => {})
  }

  #answered(answer: Answered): void {
    const { connection, fate, roads } = this
    if (fate.answer === 'lost' || !roads.passes(connection.to, connection.from)) return
    if (fate.answer === 'cut') return this.#reset()
    if (fate.proxy === 'after') return this.#proxied()
    connection.after(this.delay(), 'answer', () => this.#kind.receive(this, answer))
  }

  /** As it comes out on the other side, in memory of its own. */
  #copy(): ServedRequest {
    const { method, url, headers, body } = this.request
    if (body === undefined) return { method, url, headers }
    const { fate, roads } = this
    return { method, url, headers, body: fate.damagedRequest ? damaged(body, roads.random) : body.slice() }
  }
}

/** How the trace calls what happens on a way. */
export function nameOf({ from, to }: Way, what: string): string {
  return `net ${from}→${to} ${what}`
}
