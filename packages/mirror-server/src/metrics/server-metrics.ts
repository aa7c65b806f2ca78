import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ByteBudget } from '../bounds/byte-budget.js'
import { freeBytes } from '../bounds/disk-space.js'
import type { LiveStreams } from '../http/live-streams.js'
import { version } from '../version.js'

/** What the process counts of itself. */
export interface ServerSources {
  /** The folder of the databases. */
  readonly folder: string
  readonly budget: ByteBudget
  readonly liveStreams: LiveStreams
}

/** What is counted as it happens, and what of the process can be read at any time. */
export class ServerMetrics {
  readonly registry = new Registry()
  readonly #requests: Histogram<'method' | 'route' | 'status'>
  readonly #refusals: Counter<'code'>

  constructor({ folder, budget, liveStreams }: ServerSources) {
    const registers = [this.registry]
    this.#requests = new Histogram({
      name: 'mynah_request_seconds',
      help: 'How long requests took, live streams left out',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
      registers,
    })
    this.#refusals = new Counter({
      name: 'mynah_rejected_total',
      help: 'Requests that were answered with an error',
      labelNames: ['code'],
      registers,
    })
    const gauge = (name: string, help: string, read: () => number | Promise<number>): void => {
      new Gauge({
        name,
        help,
        registers,
        async collect() {
          this.set(await read())
        },
      })
    }
    gauge('mynah_feeds', 'Live streams that are open', () => liveStreams.count)
    gauge('mynah_bytes_in_flight', 'Bytes of requests and answers in memory', () => budget.held)
    gauge(
      'mynah_disk_free_bytes',
      'Room that is left for the databases',
      async () => (await freeBytes(folder)) ?? Number.NaN,
    )
    gauge('process_resident_memory_bytes', 'Memory of the process', () => process.memoryUsage.rss())
    gauge('process_start_time_seconds', 'When the process began, since 1970', () =>
      Math.round(performance.timeOrigin / 1_000),
    )
    new Counter({
      name: 'process_cpu_seconds_total',
      help: 'Processor time of the process',
      registers,
      collect() {
        const { user, system } = process.cpuUsage()
        this.reset()
        this.inc((user + system) / 1_000_000)
      },
    })
    new Gauge({ name: 'mynah_info', help: 'What runs here', labelNames: ['version'], registers }).set(
      { version },
      1,
    )
  }

  answered(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status }, seconds)
  }

  refused(code: string): void {
    this.#refusals.inc({ code })
  }
}
