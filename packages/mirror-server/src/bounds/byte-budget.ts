import { RequestRefusedError } from '@mynah/replication/serve'

/** An answer, as far as its end goes. */
interface Closable {
  /** Cut, or over. */
  readonly destroyed: boolean
  once(event: 'close', listener: () => void): unknown
}

/**
 * How many bytes may be held in memory for requests and answers, all together. One client may hold no more than what it
 * leaves free: alone half of all, of n who take what they get each one part in n + 1. So there is room for who comes next.
 */
export class ByteBudget {
  #held = 0
  readonly #heldBy = new Map<string, number>()

  constructor(readonly bytes: number) {}

  /** Bytes held now. */
  get held(): number {
    return this.#held
  }

  /**
   * Holds `bytes` for a client until the answer has ended, whichever way.
   * @throws RequestRefusedError `MYNAH_BUSY` when there is no room; a single holder always has room.
   */
  hold(bytes: number, client: string, answer: Closable): void {
    const release = this.take(bytes, client)
    if (answer.destroyed) release()
    else answer.once('close', release)
  }

  /**
   * Holds `bytes` until what it returns is called; to be called once.
   * @throws RequestRefusedError `MYNAH_BUSY`, as `hold`
   */
  take(bytes: number, client: string): () => void {
    const own = this.#heldBy.get(client) ?? 0
    if (this.#held > 0 && own + bytes > this.bytes - this.#held) {
      throw new RequestRefusedError('MYNAH_BUSY', 'The mirror has too much in hand; come again')
    }
    this.#held += bytes
    this.#heldBy.set(client, own + bytes)
    return () => {
      this.#held -= bytes
      const left = this.#heldBy.get(client)! - bytes
      if (left > 0) this.#heldBy.set(client, left)
      else this.#heldBy.delete(client)
    }
  }
}
