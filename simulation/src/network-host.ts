import type { TransportAnswer, TransportStream } from '@mynah/replication'
import type { ServedRequest } from '@mynah/replication/serve'

/** Who answers at a host: the mirror's side of the protocol. The bytes it is given are its own. */
export interface Handler {
  request(request: ServedRequest): Promise<TransportAnswer>
  /** The signal: nobody listens any more. */
  stream(request: ServedRequest, signal: AbortSignal): Promise<TransportStream>
}

/** How a process ends for those that talk to it: their connections are reset, or its machine is off and says nothing. */
export type Death = 'killed' | 'unplugged'

/** A process that listens. */
export class Host {
  readonly #mourners = new Set<(death: Death) => void>()
  #death: Death | undefined

  constructor(readonly handler: Handler) {}

  get dead(): boolean {
    return this.#death !== undefined
  }

  /** Calls when it dies; returns the way to stop. */
  onDeath(run: (death: Death) => void): () => void {
    this.#mourners.add(run)
    return () => void this.#mourners.delete(run)
  }

  die(death: Death): void {
    this.#death ??= death
    for (const run of this.#mourners) run(death)
    this.#mourners.clear()
  }
}
