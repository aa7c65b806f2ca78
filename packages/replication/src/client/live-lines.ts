import { MessageInvalidError } from '../errors.js'
import { wireLimits } from '../protocol/names.js'

const NEWLINE = 10

/** Cuts the chunks of a live stream into lines. */
export class LiveLines {
  #rest: Uint8Array = new Uint8Array(0)

  /**
   * The lines that end in this chunk, without their ends.
   * @throws MessageInvalidError when a line is too long
   */
  take(chunk: Uint8Array): string[] {
    const bytes = new Uint8Array(this.#rest.length + chunk.length)
    bytes.set(this.#rest)
    bytes.set(chunk, this.#rest.length)
    const lines: string[] = []
    let start = 0
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      lines.push(new TextDecoder().decode(bytes.subarray(start, end)))
      start = end + 1
    }
    this.#rest = bytes.slice(start)
    if (this.#rest.length > wireLimits.liveLineBytes) {
      throw new MessageInvalidError(
        'line of the live stream',
        `longer than ${wireLimits.liveLineBytes} bytes`,
      )
    }
    return lines
  }
}
