import type { Transport, TransportRequest } from '@mynah/replication'
import { wholeAnswer } from './network-answer.js'
import type { Cuttable, NetworkTime, Way } from './network-connection.js'
import { Exchange, type Kind } from './network-exchange.js'
import { type NetworkFaults, noFaults } from './network-faults.js'
import { type Death, type Handler, Host } from './network-host.js'
import type { Roads } from './network-roads.js'
import { streamedAnswer } from './network-stream.js'
import type { Random } from './random.js'

export interface NetworkOptions {
  readonly scheduler: NetworkTime
  readonly random: Random
  /** Default none. */
  readonly faults?: Partial<NetworkFaults>
}

/**
 * A network between nodes, in virtual time, that does its worst when told to. A node is named as the host in the
 * addresses of its mirror, as `m1` in `http://m1/v1/fleet`; peers have names too, to be cut off by.
 */
export class Network {
  readonly #roads: Roads
  readonly #hosts = new Map<string, Host>()
  /** Machines that are off: a connection to them is not even refused. */
  readonly #off = new Set<string>()
  readonly #walls = new Set<string>()
  readonly #open = new Set<Cuttable>()
  #faults: NetworkFaults

  constructor({ scheduler, random, faults }: NetworkOptions) {
    this.#faults = { ...noFaults, ...faults }
    this.#roads = {
      time: scheduler,
      random,
      faults: () => this.#faults,
      passes: (from, to) => !this.#walls.has(wall(from, to)),
      host: (name) => (this.#off.has(name) ? 'off' : this.#hosts.get(name)),
      watch: (connection) => {
        this.#open.add(connection)
        connection.onEnd(() => this.#open.delete(connection))
      },
    }
  }

  get faults(): NetworkFaults {
    return this.#faults
  }

  /** From now on; a request that is under way keeps the fate that was drawn when it began. */
  setFaults(faults: Partial<NetworkFaults>): void {
    this.#faults = { ...this.#faults, ...faults }
  }

  /** Connections under way, streams among them. */
  get connections(): number {
    return this.#open.size
  }

  /**
   * Listens at the host; returns the way to end that, with all that is in flight there: what has not arrived is never
   * handled, what is being handled is never answered.
   */
  attach(name: string, handler: Handler): (death?: Death) => void {
    const host = new Host(handler)
    this.#off.delete(name)
    this.#hosts.set(name, host)
    return (death = 'killed') => {
      if (this.#hosts.get(name) === host) {
        this.#hosts.delete(name)
        if (death === 'unplugged') this.#off.add(name)
      }
      host.die(death)
    }
  }

  /** What the node reaches the others by. */
  transport(from: string): Transport {
    const own = new Set<Cuttable>()
    let closed = false
    const open = <T>(kind: Kind<T, T>, request: TransportRequest): Promise<T> => {
      if (closed) return Promise.reject(new Error('the transport is closed'))
      const way: Way = { from, to: new URL(request.url).hostname }
      const roads: Roads = {
        ...this.#roads,
        watch: (connection) => {
          this.#roads.watch(connection)
          own.add(connection)
          connection.onEnd(() => own.delete(connection))
        },
      }
      return new Exchange(roads, way, request, kind).connection.result
    }
    return {
      request: (request) => open(wholeAnswer, request),
      stream: (request) => {
        const over = new AbortController()
        const stream = open(streamedAnswer(over), request)
        stream.catch(() => over.abort())
        return stream
      },
      close: async () => {
        closed = true
        for (const connection of own) connection.fail(new Error('the transport is closed'))
      },
    }
  }

  /** Nothing passes from a node of the one group to one of the other, nor back unless `oneWay`. Streams fall silent. */
  partition(from: Iterable<string>, to: Iterable<string>, { oneWay = false } = {}): void {
    const others = [...to]
    for (const one of from) {
      for (const other of others) {
        this.#walls.add(wall(one, other))
        if (!oneWay) this.#walls.add(wall(other, one))
      }
    }
  }

  /** Takes all partitions away. */
  join(): void {
    this.#walls.clear()
  }

  /** Breaks the connections that are open between two nodes now. */
  cut(a: string, b: string): void {
    for (const connection of this.#open) {
      const { from, to } = connection
      if ((from === a && to === b) || (from === b && to === a)) connection.fail(new Error('connection reset'))
    }
  }

  /** Ends all faults and partitions. A stream that fell silent stays so, and machines that are off stay off. */
  heal(): void {
    this.join()
    const { latencyMs } = this.#faults
    this.#faults = { ...noFaults, latencyMs }
  }
}

function wall(from: string, to: string): string {
  return `${from}→${to}`
}
