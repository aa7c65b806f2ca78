import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, MirrorProcess } from './mirror-process.js'

/** A stop may take so long: what is in flight gets ten seconds, and the rest is what a busy machine needs. */
const STOP_MS_MAX = 15_000
const PAUSE_MS = 20

export interface RestartOptions {
  readonly restarts: number
  /** Clients that write all the time, one document after the other. */
  readonly writers: number
  /** Writes that are acknowledged between two restarts, at least. */
  readonly writesBetween: number
  readonly onProgress?: (counts: RestartCounts) => void
}

export interface RestartCounts {
  readonly restarts: number
  readonly acknowledged: number
  /** Requests that were refused or cut off, and sent again. */
  readonly repeated: number
  readonly slowestStopMs: number
}

export interface RestartReport extends RestartCounts {
  readonly faults: readonly string[]
}

/** Restarts a mirror by SIGTERM, again and again, while clients write; then looks whether each acknowledged write is there. */
export async function auditRestarts(options: RestartOptions): Promise<RestartReport> {
  const folder = await mkdtemp(join(tmpdir(), 'mynah-restarts-'))
  const run = new RestartRun(new MirrorProcess(folder, 'audit', await freePort()), options)
  try {
    return await run.report()
  } finally {
    await run.mirror.stop('SIGKILL')
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

class RestartRun {
  readonly #options: RestartOptions
  readonly #acknowledged = new Set<string>()
  readonly #faults: string[] = []
  #repeated = 0
  #restarts = 0
  #slowestStopMs = 0
  #over = false

  constructor(
    readonly mirror: MirrorProcess,
    options: RestartOptions,
  ) {
    this.#options = options
  }

  async report(): Promise<RestartReport> {
    const { restarts, writers, writesBetween, onProgress } = this.#options
    await this.mirror.start()
    const writing = Array.from({ length: writers }, (_, writer) => this.#write(writer))
    for (let done = 0; done < restarts; done++) {
      await this.#written(this.#acknowledged.size + writesBetween)
      // One stop waits for clients that will never be done: they are cut off after the grace.
      await this.#restart(done === 0 ? await this.#slowClients() : [])
      onProgress?.(this.#counts)
    }
    this.#over = true
    await Promise.all(writing)
    await this.#compare()
    return { ...this.#counts, faults: this.#faults }
  }

  get #counts(): RestartCounts {
    return {
      restarts: this.#restarts,
      acknowledged: this.#acknowledged.size,
      repeated: this.#repeated,
      slowestStopMs: this.#slowestStopMs,
    }
  }

  async #restart(slow: readonly Socket[]): Promise<void> {
    const begun = performance.now()
    const end = await this.mirror.stop('SIGTERM')
    const tookMs = Math.round(performance.now() - begun)
    for (const socket of slow) socket.destroy()
    if (end !== '0') this.#faults.push(`it ended with ${end}: ${this.mirror.output}`)
    if (tookMs > STOP_MS_MAX) this.#faults.push(`a stop took ${tookMs} ms`)
    this.#slowestStopMs = Math.max(this.#slowestStopMs, tookMs)
    await this.mirror.start()
    this.#restarts += 1
  }

  /** Each document again until it is acknowledged: the same put is no new revision. */
  async #write(writer: number): Promise<void> {
    for (let n = 0; !this.#over; ) {
      const status = await this.#put(`${writer}/${n}`)
      if (status === 200 || status === 201) {
        this.#acknowledged.add(`${writer}/${n}`)
        n += 1
        continue
      }
      if (status !== undefined && status !== 503) this.#faults.push(`a write was answered ${status}`)
      this.#repeated += 1
      await pause()
    }
  }

  async #put(id: string): Promise<number | undefined> {
    try {
      const answer = await fetch(`${this.mirror.url}/docs/${id}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(contentOf(id)),
      })
      await answer.arrayBuffer()
      return answer.status
    } catch {
      return undefined
    }
  }

  async #written(count: number): Promise<void> {
    while (this.#acknowledged.size < count) await pause()
  }

  /** One that sends half of a body, one that takes no answer, one that follows: each of them is being served. */
  #slowClients(): Promise<readonly Socket[]> {
    const { pathname } = new URL(this.mirror.url)
    const half = 'content-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue'
    const asked = [
      `PUT ${pathname}/docs/half HTTP/1.1\r\nhost: x\r\n${half}\r\n\r\n{`,
      `GET ${pathname}/changes?documents=true&live=true HTTP/1.1\r\nhost: x\r\n\r\n`,
      `GET ${pathname}/records/live HTTP/1.1\r\nhost: x\r\n\r\n`,
    ]
    return Promise.all(
      asked.map(async (text) => {
        const socket = connect(this.mirror.port, '127.0.0.1')
        socket.on('error', () => {})
        socket.write(text)
        await once(socket, 'readable')
        return socket.pause()
      }),
    )
  }

  async #compare(): Promise<void> {
    for (const id of this.#acknowledged) {
      const answer = await fetch(`${this.mirror.url}/docs/${id}`)
      const doc = (await answer.json()) as { readonly text?: string }
      if (answer.status !== 200 || doc.text !== contentOf(id).text)
        this.#faults.push(`${id} was acknowledged, and is answered ${answer.status}`)
    }
  }
}

function contentOf(id: string): { readonly text: string } {
  return { text: `${id} `.repeat(20) }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
}
