import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** What a hanging child gets to write its report. */
const REPORT_MS = 3_000

/** How a child came to its end. */
export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A child process that tells its driver lines of JSON through a pipe of its own, and takes them on its input. */
export class Child<M> {
  readonly #process: ChildProcess
  readonly #ended: Promise<End>
  #errors = ''
  /** Called for each message, in order. */
  onMessage: (message: M) => void = () => undefined

  /** @param script the name of a compiled file beside this one's */
  constructor(script: string, args: readonly string[] = []) {
    // The compiled one, also when this file runs uncompiled, in a test.
    const path = fileURLToPath(new URL(`../dist/${script}.js`, import.meta.url))
    const child = spawn(process.execPath, ['--report-on-signal', path, ...args], {
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    })
    this.#process = child
    child.stderr?.on('data', (bytes: Buffer) => {
      this.#errors += bytes.toString()
    })
    // It may be dead by the time that something is written to it.
    child.stdin?.on('error', () => undefined)
    const lines = createInterface({ input: child.stdio[3] as Readable })
    lines.on('line', (line) => this.#hear(line))
    this.#ended = Promise.all([once(child, 'close'), once(lines, 'close')]).then(([[code, signal]]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }))
  }

  /** What it wrote to its error output. */
  get errors(): string {
    return this.#errors
  }

  /** Resolves when it is gone and all that it told has been heard. */
  get ended(): Promise<End> {
    return this.#ended
  }

  send(message: object): void {
    ;(this.#process.stdin as Writable).write(`${JSON.stringify(message)}\n`)
  }

  kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): void {
    this.#process.kill(signal)
  }

  /** Kills it when it has said where it hangs: in a report of Node's, in the working directory. */
  async killHanging(): Promise<void> {
    this.#process.kill('SIGUSR2')
    await new Promise((resolve) => setTimeout(resolve, REPORT_MS))
    this.kill()
  }

  #hear(line: string): void {
    let message: M
    try {
      message = JSON.parse(line) as M
    } catch {
      // The last line of a killed child may be cut off: what was not told to its end was not told.
      return
    }
    this.onMessage(message)
  }
}
