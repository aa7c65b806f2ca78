import { MirrorUnreachableError } from '../errors.js'

const BYTES_MAX = 1024 * 1024
const BYTES_MIN = 16 * 1024
/** Nobody knows yet how long connections last. */
const BYTES_FIRST = 64 * 1024
/** After a failure so much less at once. */
const SHARE_AFTER_FAILURE = 1 / 4
/** Where as much has failed before, twice as much after so many that went well. */
const WELL = 8
/** What is less, of either way, says nothing of how long connections last. */
const WORTH_BYTES = 1024

/**
 * How much is sent or asked for at once, one way: less where connections do not last for more. It begins low and doubles
 * with each that went well, up to half of what failed; from there on carefully. What has arrived whole is not sent again,
 * so on any line over which the least goes, there is an end.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5681#section-3.1 slow start, after which this is made
 */
export class Pace {
  #bytes = BYTES_FIRST
  /** Up to here it grows at once. */
  #threshold = BYTES_MAX
  #well = 0

  /** Raw bytes of a page. */
  get bytes(): number {
    return this.#bytes
  }

  /** Learns from how it went. @param bytesOf how many bytes it has moved */
  async learn<T>(went: Promise<T>, bytesOf: (result: T) => number): Promise<T> {
    // Of several at once the first to fail counts; what asked for more than now says nothing new.
    const asked = this.#bytes
    try {
      const result = await went
      if (asked === this.#bytes && bytesOf(result) >= WORTH_BYTES) this.#wentWell()
      return result
    } catch (error) {
      if (asked <= this.#bytes && error instanceof MirrorUnreachableError) {
        this.#threshold = asked / 2
        this.#set(SHARE_AFTER_FAILURE * asked)
      }
      throw error
    }
  }

  #wentWell(): void {
    this.#well += 1
    if (this.#bytes < this.#threshold || this.#well >= WELL) this.#set(2 * this.#bytes)
  }

  #set(bytes: number): void {
    this.#bytes = Math.min(BYTES_MAX, Math.max(BYTES_MIN, bytes))
    this.#well = 0
  }
}

/** How much travels at once, each way. */
export interface MirrorPace {
  readonly up: Pace
  readonly down: Pace
}
