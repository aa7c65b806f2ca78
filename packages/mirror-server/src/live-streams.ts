import type { Writable } from 'node:stream'

/** An answer without an end of its own. */
export interface Endless {
  /** What it is written to. */
  readonly sink: Writable
  end(): void
}

/** The live streams that are open, to be ended at a stop. */
export class LiveStreams {
  readonly #open = new Set<Endless>()
  #stopped = false

  /** Keeps it until it closes; ends it at once when the stop has begun. */
  add(stream: Endless): void {
    this.#open.add(stream)
    stream.sink.once('close', () => this.#open.delete(stream))
    if (this.#stopped) stream.end()
  }

  endAll(): void {
    this.#stopped = true
    for (const stream of this.#open) stream.end()
  }
}
