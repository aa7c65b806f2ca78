import type { LiveStream } from './live-stream.js'

/** The live streams that are open, to be ended at a stop. */
export class LiveStreams {
  readonly #open = new Set<LiveStream>()
  #stopped = false

  /** Keeps it until it closes; ends it at once when the stop has begun. */
  add(stream: LiveStream): void {
    this.#open.add(stream)
    stream.sink.once('close', () => this.#open.delete(stream))
    if (this.#stopped) stream.end()
  }

  endAll(): void {
    this.#stopped = true
    for (const stream of this.#open) stream.end()
  }
}
