import type { Parked, Replica } from '@mynah/core/replica'

/** Past so many they are not stored with each push. */
const FEW = 100

/** What one mirror's database refused, of what is known here still. */
export class Refusals {
  readonly #replica: Pick<Replica, 'leaves'>
  #all: readonly Parked[]

  constructor(replica: Pick<Replica, 'leaves'>, stored: readonly Parked[]) {
    this.#replica = replica
    this.#all = stored
  }

  get all(): readonly Parked[] {
    return this.#all
  }

  get areMany(): boolean {
    return this.#all.length > FEW
  }

  /**
   * In memory: documents that were accepted leave, refusals enter. Of the same documents, what was refused before goes when
   * it is no leaf any more: else a document that is changed each minute would fill the inbox.
   */
  async settle(accepted: ReadonlySet<string>, refused: readonly Parked[]): Promise<void> {
    const ids = new Set(refused.map(({ id }) => id))
    const again = new Set(refused.map(nameOf))
    const leaves = new Set<string>()
    for (const id of new Set(this.#all.flatMap((before) => (ids.has(before.id) ? [before.id] : []))))
      for (const leaf of await this.#replica.leaves(id)) leaves.add(nameOf(leaf))
    const kept = this.#all.filter(
      (before) =>
        !accepted.has(before.id) &&
        !again.has(nameOf(before)) &&
        (!ids.has(before.id) || leaves.has(nameOf(before))),
    )
    this.#all = [...kept, ...refused]
  }
}

function nameOf({ id, rev }: Pick<Parked, 'id' | 'rev'>): string {
  return `${rev} ${id}`
}
