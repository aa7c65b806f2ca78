import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { root } from './set-up.mjs'

const followParent = new URL('./follow-parent.mjs', import.meta.url)

/** One process that `npm start` runs. It stops when it is told to, or when this process is gone. */
export class Part {
  #child
  #logFile
  /** How it ended, for people; undefined while it runs. */
  end
  exitCode
  /** Whether a signal ended it, and not itself. */
  killed = false
  /** Resolves when the process is gone. */
  ended

  constructor(name, { script, args, logFile }) {
    this.name = name
    this.#logFile = logFile
    const output = logFile === undefined ? 'inherit' : openSync(logFile, 'w')
    this.#child = spawn(process.execPath, ['--import', followParent.href, script, ...args], {
      cwd: root,
      // Ctrl-C goes to all processes of a terminal's group; a part would be told twice, which the mirror takes for
      // haste. On Windows there are no groups, and a detached process would get a window of its own.
      detached: process.platform !== 'win32',
      stdio: ['ignore', output, output, 'ipc'],
    })
    if (logFile !== undefined) closeSync(output)
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(this.#finish(error.message, 1)))
      this.#child.once('exit', (code, signal) => {
        this.killed = signal !== null
        resolve(this.#finish(signal === null ? `exit code ${code}` : signal, code ?? 1))
      })
    })
  }

  get pid() {
    return this.#child.pid
  }

  get running() {
    return this.end === undefined
  }

  get failed() {
    return this.exitCode !== undefined && this.exitCode !== 0
  }

  #finish(end, exitCode) {
    this.end = end
    this.exitCode = exitCode
  }

  /** Resolves when `holds` does, the process has ended, or 20 seconds have gone by. */
  async until(holds) {
    const deadline = Date.now() + 20_000
    while (this.running && Date.now() < deadline && !(await holds())) {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  stop() {
    if (this.running && this.#child.connected) this.#child.send('stop', () => {})
  }

  kill() {
    if (this.running) this.#child.kill('SIGKILL')
  }

  /** The end of what it wrote, where that went to a file. */
  lastLines() {
    if (this.#logFile === undefined) return ''
    const lines = readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-10)
    return lines.join('\n') === '' ? '' : `${lines.join('\n')}\n(from ${this.#logFile})`
  }
}
