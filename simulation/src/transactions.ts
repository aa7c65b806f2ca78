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
  /** When it was begun, and when it was over: a copy of the disk from in between may have it or not. */
  readonly begun: number
  ended: number
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
    const attempt: Attempt = {
      name: `transaction ${this.#attempts.length}`,
      disk,
      members: [],
      begun: this.#guarantees.stamp(),
      ended: Number.POSITIVE_INFINITY,
    }
    this.#attempts.push(attempt)
    return attempt
  }

  /** Whether it committed is settled. Not to be called where nobody ever knows when that was. */
  end(attempt: Attempt): void {
    attempt.ended = this.#guarantees.stamp()
  }

  /** Of a disk, or of all; those whose disk has not been set back since. */
  intact(disk?: string): readonly Attempt[] {
    return this.#attempts.filter(
      (attempt) =>
        attempt.members.length > 1 &&
        (disk === undefined || attempt.disk === disk) &&
        this.#guarantees.isAsItWas(attempt.disk, attempt.begun, attempt.ended),
    )
  }

  /** Those whose disk has been set back: what reached others must have reached them whole. */
  lost(): readonly Attempt[] {
    const intact = new Set(this.intact())
    return this.#attempts.filter((attempt) => attempt.members.length > 1 && !intact.has(attempt))
  }
}
