import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '../..')

/** `npm start` as a process, with what it writes. */
export class StartProcess {
  readonly #child: ChildProcess
  readonly #waiting = new Set<() => void>()
  readonly ended: Promise<number | NodeJS.Signals>
  output = ''

  constructor(...args: readonly string[]) {
    this.#child = spawn(process.execPath, ['scripts/run.mjs', 'start', ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString()
        for (const look of this.#waiting) look()
      })
    }
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve(signal ?? code ?? 1))
    })
  }

  /** The first match in the output, past or to come. Rejects with the output when the process ends without one. */
  async match(pattern: RegExp): Promise<RegExpExecArray> {
    return await new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(this.output)
        if (found === null) return
        this.#waiting.delete(look)
        resolve(found)
      }
      this.#waiting.add(look)
      look()
      void this.ended.then(() => reject(new Error(`ended without ${pattern}:\n${this.output}`)))
    })
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Stops it as Ctrl-C does and gives the exit code. */
  async stop(): Promise<number | NodeJS.Signals> {
    this.kill('SIGINT')
    return await this.ended
  }
}

/** Whether the process is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Asks again and again until the answer is yes; the test's time limit is the limit. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50))
}
