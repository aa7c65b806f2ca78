import { RequestRefusedError } from '@mynah/replication/serve'

/** An answer, as far as its end goes. */
interface Closable {
  /** Cut, or over. */
  readonly destroyed: boolean
  once(event: 'close', listener: () => void): unknown
}

/** How many bytes may be held in memory for requests and answers, all together. */
export class ByteBudget {
  #held = 0

  constructor(readonly bytes: number) {}

  /** Bytes held now. */
  get held(): number {
    return this.#held
  }

  /**
   * Holds `bytes` until the answer has ended, whichever way.
   * @throws RequestRefusedError `MYNAH_BUSY` when there is no room; a single holder always has room.
   */
  hold(bytes: number, answer: Closable): void {
    const release = this.take(bytes)
    if (answer.destroyed) release()
    else answer.once('close', release)
  }

  /**
   * Holds `bytes` until what it returns is called; to be called once.
   * @throws RequestRefusedError `MYNAH_BUSY`, as `hold`
   */
  take(bytes: number): () => void {
    if (this.#held > 0 && this.#held + bytes > this.bytes) {
      throw new RequestRefusedError('MYNAH_BUSY', 'The mirror has too much in hand; come again')
    }
    this.#held += bytes
    return () => {
      this.#held -= bytes
    }
  }
}
