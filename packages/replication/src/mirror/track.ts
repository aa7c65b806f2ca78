import type { Checkpoint, IdPrefixes, Parked, Position, Replica } from '@mynah/core/replica'
import { isAll } from '../scope/part.js'

/** A checkpoint that only moved past what needed no exchange is stored after this many seqs: to lose it costs a scan. */
const FAR_SEQS = 1_000

/** One direction of replication with one mirror's database: its checkpoint, in memory ahead of what is stored. */
export class Track {
  readonly key: string
  readonly #replica: Replica
  readonly #direction: 'push' | 'pull'
  readonly #beside: (() => readonly Parked[]) | undefined
  #stored: Position | undefined
  #current: Checkpoint | undefined
  #part: IdPrefixes

  private constructor(
    replica: Replica,
    key: string,
    direction: 'push' | 'pull',
    stored: Checkpoint | undefined,
    beside: (() => readonly Parked[]) | undefined,
  ) {
    this.#replica = replica
    this.#beside = beside
    this.key = key
    this.#direction = direction
    this.#stored = stored?.source
    this.#current = stored
    this.#part = stored?.part ?? {}
  }

  /** As stored, where that still holds on this side. What is `beside` it is stored in the same write. */
  static async load(
    replica: Replica,
    key: string,
    direction: 'push' | 'pull',
    beside?: () => readonly Parked[],
  ): Promise<Track> {
    return new Track(replica, key, direction, await replica.checkpoint(key, direction), beside)
  }

  /** The ids that it is about. */
  get part(): IdPrefixes {
    return this.#part
  }

  /** Makes it one of other ids, as far as it has come. What of the old ones is under way begins again. */
  about(part: IdPrefixes): void {
    this.#part = part
    this.restart()
  }

  /** Undefined: from the start. */
  get current(): Checkpoint | undefined {
    return this.#current
  }

  /** Begins again from the start. */
  forget(): void {
    this.#current = undefined
  }

  /** Begins what is under way again, at the place that is covered. */
  restart(): void {
    const current = this.#current
    if (current !== undefined) this.#current = { source: current.source, target: current.target }
  }

  /** Moves in memory. Only after the other side has answered for all up to the checkpoint. */
  advance(checkpoint: Checkpoint): void {
    this.#current = checkpoint
  }

  /** Durable when resolved. */
  async store(): Promise<void> {
    const current = this.#current
    if (current === undefined) return
    const { source, target, walk, copied } = current
    const checkpoint = {
      source,
      target,
      ...(walk && { walk }),
      ...(copied && { copied }),
      ...(isAll(this.#part) ? {} : { part: this.#part }),
    }
    await this.#replica.setCheckpoint(this.key, this.#direction, checkpoint, this.#beside?.())
    this.#stored = current.source
  }

  /** Stores it when it has moved far since it was stored. */
  async storeWhenFar(): Promise<void> {
    if ((this.#current?.source.seq ?? 0) - (this.#stored?.seq ?? 0) >= FAR_SEQS) await this.store()
  }

  /** Stores it when it has moved at all. */
  async flush(): Promise<void> {
    const source = this.#current?.source
    if (source?.seq !== this.#stored?.seq || source?.incarnation !== this.#stored?.incarnation)
      await this.store()
  }
}
