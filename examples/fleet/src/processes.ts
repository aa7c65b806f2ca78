import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { LoggerNews } from './logger.js'

const require = createRequire(import.meta.url)
/** The command `mynah`. */
const mynah = join(dirname(require.resolve('@mynah/mirror-server')), 'cli.js')
const logger = fileURLToPath(new URL('logger.js', import.meta.url))

/** A mirror in a process of its own. */
export class MirrorProcess {
  readonly #child: ChildProcess

  private constructor(
    child: ChildProcess,
    /** As in `http://127.0.0.1:8800`. */
    readonly origin: string,
  ) {
    this.#child = child
  }

  /** Resolves when it listens. With a port of 0 it takes any that is free. */
  static async start(options: {
    readonly data: string
    readonly port: number
    readonly create?: string
    readonly mirrorOf?: string
  }): Promise<MirrorProcess> {
    const { data, port, create, mirrorOf } = options
    const args = ['serve', '--data', data, '--port', String(port)]
    if (create !== undefined) args.push('--create', create)
    if (mirrorOf !== undefined) args.push('--mirror-of', mirrorOf)
    const child = spawn(process.execPath, [mynah, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    for await (const line of createInterface({ input: child.stdout! })) {
      const origin = /ready at (http:\S+?),/.exec(line)?.[1]
      if (origin !== undefined) return new MirrorProcess(child, origin)
    }
    throw new Error('the mirror ended before it was ready')
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    await ended
  }
}

/** A logger in a process of its own. */
export class LoggerProcess {
  readonly #child: ChildProcess
  /** Ids of all readings that it acknowledged. */
  readonly written: string[] = []
  /** What it said last. */
  news: LoggerNews | undefined

  constructor(
    readonly name: string,
    folder: string,
    mirrors: readonly string[],
  ) {
    this.#child = fork(logger, [name, folder, ...mirrors])
    this.#child.on('message', (news) => {
      this.news = news as LoggerNews
      this.written.push(...this.news.written)
    })
  }

  /** Resolves when a mirror has all that it wrote. */
  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.send('stop')
    const [code] = (await ended) as [number | null]
    if (code !== 0) throw new Error(`the logger ${this.name} ended with ${code}`)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
