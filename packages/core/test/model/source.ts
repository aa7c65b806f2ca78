import { UnreachableError } from '../../src/index.js'
import type { BodySource, LeafRef, LogRecord } from '../../src/replica.js'
import type { History } from './history.js'
import { keyOf, recordOf } from './revision.js'

/** The other replica as reads see it: there or not, and answered for or not. */
export class Source implements BodySource {
  readonly #history: History
  /** Whether reads have anybody to ask. */
  attached = false
  reachable = true
  /** Whether the index speaks for all ids. */
  complete = true
  readonly #asOf = new Date(7)

  constructor(history: History) {
    this.#history = history
  }

  attach(): void {
    this.#history.replica.useSource(this.attached ? this : undefined)
  }

  async fetch(leaves: readonly LeafRef[]): Promise<readonly LogRecord[]> {
    this.#requireReachable()
    return leaves.flatMap((ref) => this.leaf(ref) ?? [])
  }

  async fetchDocument(id: string): Promise<readonly LogRecord[]> {
    this.#requireReachable()
    return this.#history.remote.leaves(id).map((leaf) => recordOf(leaf, { body: true }))
  }

  async confirm(leaves: readonly LeafRef[]): Promise<readonly boolean[]> {
    this.#requireReachable()
    return leaves.map((ref) => this.leaf(ref) !== undefined)
  }

  covers(): boolean {
    return this.complete
  }

  asOf(): Date {
    return this.#asOf
  }

  /** One leaf, with its body, where the other replica has it. */
  leaf(ref: LeafRef): LogRecord | undefined {
    const found = this.#history.remote.leaves(ref.id).find((leaf) => keyOf(leaf) === keyOf(ref))
    return found && recordOf(found, { body: true })
  }

  #requireReachable(): void {
    if (!this.reachable) throw new UnreachableError('the other replica')
  }
}
