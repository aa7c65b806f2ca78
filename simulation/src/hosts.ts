import type { Transport } from '@mynah/replication'
import { decodeAskedRanges, headers, subpaths } from '@mynah/replication/protocol'
import { type Served, serveRequest, serveStream } from '@mynah/replication/serve'
import type { Computer, Ground, Process } from './ground.js'
import { checkedReplica } from './held-check.js'
import { Network } from './network.js'
import type { NetworkFaults } from './network-faults.js'

/** What a network of this share of trouble does. */
export function troubles(share: number): Partial<NetworkFaults> {
  return {
    spread: 1,
    refused: share,
    portal: share / 4,
    proxy: share / 2,
    lostRequest: share / 4,
    lostAnswer: share / 4,
    cutRequest: share / 2,
    cutAnswer: share,
    damagedRequest: share / 4,
    damagedAnswer: share / 4,
    repeated: share,
    slow: share / 4,
    orphaned: 0.5,
    cutStream: share / 2,
    stalledStream: share / 4,
  }
}

/** The machines' ends of the network: mirrors that serve their databases, and everybody's way to them. */
export class Hosts {
  readonly network: Network
  readonly #ground: Ground
  readonly #ends = new Map<Computer, (death: 'killed' | 'unplugged') => void>()
  readonly #transports = new Map<Computer, Transport>()

  constructor(ground: Ground) {
    this.#ground = ground
    this.network = new Network({ scheduler: ground.scheduler, random: ground.random.fork() })
  }

  /** The machine answers for its database from now on. */
  serve(machine: Computer, process: Process): void {
    const { db: database, env } = process
    const replica = checkedReplica(this.#ground, machine, process)
    const served = (): Served => {
      const named = this.#ground.hasNamed ? { mirrors: machine.setup.mirrors } : {}
      return { name: 'fleet', database, replica, ...named }
    }
    const databases = {
      names: async () => ['fleet'],
      get: async () => served(),
      create: async () => ({ opened: served(), created: false }),
    }
    const mirror = { databases, version: '0.0.0', env }
    const end = this.network.attach(machine.name, {
      request: (request) => serveRequest(mirror, request),
      stream: (request, signal) => serveStream(mirror, request, signal),
    })
    this.#ends.set(machine, end)
  }

  /** The machine's process is gone, and with it all that it had under way; unplugged, nobody hears of that. */
  down(machine: Computer, death: 'killed' | 'unplugged'): void {
    this.#ends.get(machine)?.(death)
    this.#ends.delete(machine)
    void this.#transports.get(machine)?.close()
    this.#transports.delete(machine)
  }

  /** How the machine's next process reaches the others. */
  transport(machine: Computer): Transport {
    const transport = this.network.transport(machine.name)
    const { scope } = machine.setup
    this.#transports.set(machine, transport)
    return {
      ...transport,
      request: async (request) => {
        const answer = await transport.request(request)
        const { pathname } = new URL(request.url)
        const isCompared = pathname.endsWith(subpaths.ranges)
        if (pathname.endsWith(subpaths.shards) && answer.status === 200)
          this.#ground.count(request.method === 'POST' ? 'pushes of shards' : 'answers with shards')
        // Where nothing differs, no page of a feed is needed.
        if (answer.headers[headers.more] !== undefined || isCompared)
          this.#ground.noteExchange(machine, scope)
        if (isCompared && request.body !== undefined) this.#countRanges(request.body)
        return answer
      },
    }
  }

  #countRanges(question: Uint8Array): void {
    const isFirst = decodeAskedRanges(question).every(({ sum }) => sum !== undefined)
    this.#ground.count(isFirst ? 'reconciles' : 'questions about parts')
  }
}
