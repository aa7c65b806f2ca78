import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const READY_MS = 30_000
const cli = fileURLToPath(new URL('cli.js', import.meta.resolve('@mynah/mirror-server')))

/** `mynah serve` as a process that can be killed and started again on the same port and folder. */
export class MirrorProcess {
  #process: ChildProcess | undefined
  #output = ''

  constructor(
    readonly folder: string,
    readonly database: string,
    readonly port: number,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1/${this.database}`
  }

  /** What it said, for the one who reads a fault. */
  get output(): string {
    return this.#output
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const args = ['serve', '--data', this.folder, '--port', String(this.port), '--create', this.database]
    const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => {
        this.#output = (this.#output + bytes.toString()).slice(-20_000)
      })
    const until = Date.now() + READY_MS
    while (!(await answers(this.url))) {
      if (child.exitCode !== null || Date.now() > until)
        throw new Error(`the mirror does not start: ${this.#output}`)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }

  /** Gives how it ended. */
  async stop(signal: 'SIGKILL' | 'SIGTERM'): Promise<string> {
    const child = this.#process
    if (child === undefined) return 'it was not running'
    this.#process = undefined
    if (child.exitCode !== null || child.signalCode !== null) return `it had ended by itself: ${this.#output}`
    const ended = once(child, 'close')
    child.kill(signal)
    await ended
    return child.signalCode ?? String(child.exitCode)
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
