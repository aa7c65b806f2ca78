import { createHash } from 'node:crypto'

const KEPT = 40
const BATCH = 512

/** All that happened, in order: a digest of the whole and the last lines. */
export class Trace {
  readonly #hash = createHash('sha256')
  readonly #kept: string[] = []
  readonly #print: ((line: string) => void) | undefined
  #pending: string[] = []

  /** @param print called with each line that is told */
  constructor(print?: (line: string) => void) {
    this.#print = print
  }

  /** An event of the scheduler: counts in the digest only. */
  event(nowMs: number, label: string): void {
    this.#add(`${nowMs} ${label}`)
  }

  /** Something worth reading. */
  tell(nowMs: number, text: string): void {
    const line = `${nowMs.toFixed(3).padStart(12)} ${text}`
    this.#add(line)
    this.#kept.push(line)
    if (this.#kept.length > KEPT) this.#kept.shift()
    this.#print?.(line)
  }

  /** The last lines told, oldest first. */
  get lines(): readonly string[] {
    return this.#kept
  }

  /** SHA-256 of everything, in hex. To be called once, at the end. */
  digest(): string {
    this.#flush()
    return this.#hash.digest('hex')
  }

  #add(line: string): void {
    this.#pending.push(line)
    if (this.#pending.length >= BATCH) this.#flush()
  }

  #flush(): void {
    this.#hash.update(`${this.#pending.join('\n')}\n`)
    this.#pending = []
  }
}
