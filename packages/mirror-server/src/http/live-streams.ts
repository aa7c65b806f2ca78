import type { Writable } from 'node:stream'

/** An answer without an end of its own. */
export interface Endless {
  /** What it is written to. */
  readonly sink: Writable
  end(): void
}

/** The live streams that are open, to be ended at a stop, or with their database. */
export class LiveStreams {
  readonly #open = new Map<Endless, string>()
  #stopped = false

  /** Keeps it until it closes; ends it at once when the stop has begun. */
  add(stream: Endless, database: string): void {
    this.#open.set(stream, database)
    stream.sink.once('close', () => this.#open.delete(stream))
    if (this.#stopped) stream.end()
  }

  /** How many are open. */
  get count(): number {
    return this.#open.size
  }

  endOf(database: string): void {
    for (const [stream, of] of this.#open) if (of === database) stream.end()
  }

  endAll(): void {
    this.#stopped = true
    for (const stream of this.#open.keys()) stream.end()
  }
}
