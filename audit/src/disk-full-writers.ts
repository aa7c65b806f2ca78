import { isDeepStrictEqual } from 'node:util'
import { type Database, StorageError } from '@mynah/core'
import { bodyOf, idOf } from './content.js'
import { Random } from './random.js'

/** What writers tell of themselves, as it happens. */
export type FullNews =
  | { readonly kind: 'open' }
  | { readonly kind: 'try'; readonly id: string; readonly n: number }
  /** `startedMs`: by the wall clock, when the call was made. */
  | {
      readonly kind: 'ack'
      readonly id: string
      readonly n: number
      readonly rev: string
      readonly writer: number
      readonly startedMs: number
    }
  | { readonly kind: 'sealed'; readonly startedMs: number }
  | { readonly kind: 'refused'; readonly what: string; readonly code: string; readonly place: string }
  | { readonly kind: 'fault'; readonly fault: string }
  | { readonly kind: 'closed' }

/** Writers that write at the same time. */
export const WRITERS = 6
/** Between a refusal and the next try. */
const PAUSE_MS = 20
const SEAL_MS = 150

/** Several writers, one that seals, and one that reads what was acknowledged: on a disk that is full at times. */
export class FullDiskWriters {
  readonly #db: Database
  readonly #random: Random
  readonly #contentSeed: number
  readonly #tell: (news: FullNews) => void
  readonly #acknowledged = new Map<string, number>()
  #stopped = false
  #n = 0

  constructor(db: Database, seed: number, tell: (news: FullNews) => void) {
    this.#db = db
    this.#random = new Random(seed)
    this.#contentSeed = seed
    this.#tell = tell
  }

  async run(): Promise<void> {
    const writers = Array.from({ length: WRITERS }, (_, writer) => this.#write(writer))
    await Promise.all([...writers, this.#seal(), this.#read()])
  }

  stop(): void {
    this.#stopped = true
  }

  /** Each writer has ids of its own, so that at most one write of an id is under way. */
  async #write(writer: number): Promise<void> {
    while (!this.#stopped) {
      const n = this.#n++
      const id = this.#random.chance(0.7)
        ? idOf(n * WRITERS + writer)
        : idOf(this.#random.below(20) * WRITERS + writer)
      const { n: number, ...body } = bodyOf(this.#contentSeed, n)
      const startedMs = Date.now()
      this.#tell({ kind: 'try', id, n })
      try {
        const { rev } = await this.#db.put({ ...body, n: number, id }, { overwrite: true })
        this.#acknowledged.set(id, n)
        this.#tell({ kind: 'ack', id, n, rev, writer, startedMs })
      } catch (error) {
        await this.#refused('put', error)
      }
    }
  }

  async #seal(): Promise<void> {
    while (!this.#stopped) {
      await pause(SEAL_MS)
      const startedMs = Date.now()
      try {
        await this.#db.seal()
        this.#tell({ kind: 'sealed', startedMs })
      } catch (error) {
        await this.#refused('seal', error)
      }
    }
  }

  /** A full disk is read as any other. */
  async #read(): Promise<void> {
    while (!this.#stopped) {
      await pause(5)
      const ids = [...this.#acknowledged.keys()]
      if (ids.length === 0) continue
      const id = this.#random.pick(ids)
      const before = this.#acknowledged.get(id)!
      try {
        const doc = await this.#db.get(id)
        const n = Number(doc?.n)
        const { rev: _, ...rest } = { ...doc }
        if (!(n >= before) || !isDeepStrictEqual(rest, { ...bodyOf(this.#contentSeed, n), id }))
          this.#tell({
            kind: 'fault',
            fault: `${id} is read as write ${n}, after ${before} was acknowledged`,
          })
      } catch (error) {
        this.#tell({ kind: 'fault', fault: `${id} could not be read: ${String(error)}` })
      }
    }
  }

  async #refused(what: string, error: unknown): Promise<void> {
    if (error instanceof StorageError) {
      const place = `${error.operation} ${error.file.replace(/^.*\//, '').replace(/[0-9]+/, 'N')}`
      this.#tell({ kind: 'refused', what, code: error.code, place })
    } else
      this.#tell({ kind: 'fault', fault: `${what}: ${error instanceof Error ? error.stack : String(error)}` })
    await pause(PAUSE_MS)
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs))
}
