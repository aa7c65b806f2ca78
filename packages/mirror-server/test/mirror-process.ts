import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cli, ready } from './child.js'

/** A `mynah serve` with a folder of its own, for all tests of a file: it is ended by `remove`. */
export class MirrorProcess {
  #child: ChildProcess | undefined
  #data = ''
  #port = 0

  constructor(readonly env: Readonly<Record<string, string>>) {}

  get url(): string {
    return `http://127.0.0.1:${this.#port}/v1`
  }

  async start(): Promise<void> {
    if (this.#data === '') this.#data = await mkdtemp(join(tmpdir(), 'mynah-process-'))
    const args = [cli, 'serve', '--data', this.#data, '--port', String(this.#port)]
    const child = spawn(process.execPath, args, { env: { ...process.env, ...this.env } })
    this.#child = child
    const { origin } = await ready(child)
    this.#port = Number(new URL(origin).port)
  }

  /** Ends it at once and begins it anew, at the same address. */
  async restart(): Promise<void> {
    await this.#kill()
    await this.start()
  }

  async remove(): Promise<void> {
    await this.#kill()
    await rm(this.#data, { recursive: true, force: true, maxRetries: 3 })
  }

  async #kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}
