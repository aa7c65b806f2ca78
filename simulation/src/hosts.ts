import type { Transport, TransportAnswer, TransportRequest } from '@mynah/replication'
import { serveRequest, serveStream } from '@mynah/replication/serve'
import type { Machine, Process } from './machine.js'
import type { World } from './world.js'

/** temporary: a network without faults */
export class Hosts {
  readonly #world: World
  readonly #served = new Map<string, { readonly process: Process; readonly end: AbortController }>()

  constructor(world: World) {
    this.#world = world
  }

  serve(machine: Machine, process: Process): void {
    this.#served.set(machine.name, { process, end: new AbortController() })
  }

  down(machine: Machine): void {
    this.#served.get(machine.name)?.end.abort(new Error('gone'))
    this.#served.delete(machine.name)
  }

  transport(machine: Machine): Transport {
    const world = this.#world
    const wait = (what: string) => world.scheduler.sleep(1 + world.random.around(5), `net ${what}`)
    const at = (request: TransportRequest) => {
      const served = this.#served.get(new URL(request.url).hostname)
      if (served === undefined) throw new Error('refused')
      const { db: database, replica, env } = served.process
      const opened = { name: 'fleet', database, replica }
      const databases = {
        names: async () => ['fleet'],
        get: async () => opened,
        create: async () => ({ opened, created: false }),
      }
      return { mirror: { databases, version: '0', env }, served }
    }
    return {
      async request(request): Promise<TransportAnswer> {
        await wait('request')
        request.signal.throwIfAborted()
        const { mirror, served } = at(request)
        const gone = new Promise<never>((_, reject) =>
          served.end.signal.addEventListener('abort', () => reject(new Error('gone'))),
        )
        const answer = await Promise.race([serveRequest(mirror, request), gone])
        await wait('answer')
        request.signal.throwIfAborted()
        world.noteExchange(machine)
        return answer
      },
      async stream(request) {
        await wait('stream')
        const { mirror, served } = at(request)
        return serveStream(mirror, request, AbortSignal.any([request.signal, served.end.signal]))
      },
      async close() {},
    }
  }
}
