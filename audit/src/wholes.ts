/** One write of a transaction. */
export interface Part {
  readonly id: string
  readonly rev: string
  /** Nobody else can have made that revision: the same delete of the same revision, tried again, makes the same. */
  readonly unique: boolean
}

/** Transactions of which all is there, or nothing. */
export class Wholes {
  #wholes: (readonly Part[])[] = []
  /** How many there were in all. */
  count = 0

  add(parts: readonly Part[]): void {
    this.#wholes.push(parts)
    this.count += 1
  }

  /** Those of which there is only a part, in words. */
  halves(isThere: (id: string, rev: string) => boolean): string[] {
    return this.#wholes.flatMap((parts) => {
      const there = parts.map(({ id, rev }) => isThere(id, rev))
      const isHalf = there.includes(false) && parts.some(({ unique }, i) => unique && there[i])
      if (!isHalf) return []
      const told = parts.map(({ id, rev }, i) => `${id} ${rev} is ${there[i] ? 'there' : 'missing'}`)
      return [`half a transaction: ${told.join(', ')}`]
    })
  }

  /** Forgets them: they have been looked at. */
  settle(): void {
    this.#wholes = []
  }
}
