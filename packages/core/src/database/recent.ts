/** Ids of one age that are remembered. */
const IDS = 16_384

/** Roughly what was used last: ids of two ages, each of a bounded number. */
export class Recent {
  #young = new Set<string>()
  #old = new Set<string>()

  add(id: string): void {
    this.#young.add(id)
    if (this.#young.size < IDS) return
    this.#old = this.#young
    this.#young = new Set()
  }

  /** Whether an id was used of late (age 2), or just now (1); never for 0. */
  has(id: string, age: number): boolean {
    return (age > 0 && this.#young.has(id)) || (age > 1 && this.#old.has(id))
  }
}
