import type { WriteStream } from 'node:tty'

type Output = NodeJS.WriteStream & Partial<WriteStream>

/** Where status goes: a terminal has one line, rewritten in place; a file or pipe gets a line now and then. */
export class Screen {
  readonly #output: Output
  readonly #everyMs: number
  #written = Number.NEGATIVE_INFINITY
  #dirty = false

  constructor(output: Output, everyMs = 10_000) {
    this.#output = output
    this.#everyMs = everyMs
  }

  /** Shows a line of status; without a terminal only when the last is old enough, or `now` says that it matters. */
  status(line: string, options: { readonly now?: boolean } = {}): void {
    if (this.#output.isTTY) {
      this.#output.write(`\r\x1b[2K${fit(line, this.#columns() - 1)}`)
      this.#dirty = true
      return
    }
    if (options.now !== true && performance.now() - this.#written < this.#everyMs) return
    this.#written = performance.now()
    this.#output.write(`${line}\n`)
  }

  /** Asked each time: whoever started us may have taken us out of reach of the terminal's news. */
  #columns(): number {
    return this.#output.getWindowSize?.()[0] ?? this.#output.columns ?? 80
  }

  /** Writes a line that stays. */
  line(text: string): void {
    this.#output.write(`${this.#dirty ? '\r\x1b[2K' : ''}${text}\n`)
    this.#dirty = false
  }

  /** Leaves the last line of status standing. */
  end(): void {
    if (this.#dirty) this.#output.write('\n')
    this.#dirty = false
  }
}

function fit(line: string, columns: number): string {
  const characters = [...line]
  return characters.length <= columns ? line : `${characters.slice(0, Math.max(0, columns - 1)).join('')}…`
}
