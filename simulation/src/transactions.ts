import type { Ref } from '@mynah/core'
import type { Guarantees } from './guarantees.js'

export interface Member extends Ref {
  /** Nobody else can have made the same revision: two that delete the same make one tombstone. */
  readonly unique: boolean
}

/** A transaction that somebody tried, and what it was to write. */
export interface Attempt {
  readonly name: string
  /** The disk on which it was tried. */
  readonly disk: string
  members: readonly Member[]
}

/** All transactions that were tried: each is whole or not there. */
export class Transactions {
  readonly #guarantees: Guarantees
  readonly #attempts: Attempt[] = []

  constructor(guarantees: Guarantees) {
    this.#guarantees = guarantees
  }

  /** Its members are named before it commits: whether it does may never be told. */
  begin(disk: string): Attempt {
    const attempt: Attempt = { name: `transaction ${this.#attempts.length}`, disk, members: [] }
    this.#attempts.push(attempt)
    this.#guarantees.add(attempt.name, [disk])
    return attempt
  }

  /** Of a disk, or of all; those whose disk has not been set back since. */
  intact(disk?: string): readonly Attempt[] {
    return this.#attempts.filter(
      (attempt) =>
        attempt.members.length > 1 &&
        (disk === undefined || attempt.disk === disk) &&
        this.#guarantees.holds(attempt.name, attempt.disk),
    )
  }

  /** Those whose disk has been set back: what reached others must have reached them whole. */
  lost(): readonly Attempt[] {
    const intact = new Set(this.intact())
    return this.#attempts.filter((attempt) => attempt.members.length > 1 && !intact.has(attempt))
  }
}
