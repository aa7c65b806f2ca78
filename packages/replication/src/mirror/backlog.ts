import type { MergeReport } from '@mynah/core/replica'

/** Ranges kept: a mirror so far behind is told as further behind than it is. */
const RANGES_MAX = 1_000

/** Counts the changes made here that are not pushed: the seqs past the checkpoint, without those that pulls took. */
export class Backlog {
  /** Seqs that pulls took, each from the first exclusive to the last, in order. */
  #pulled: { readonly after: number; readonly last: number }[] = []

  pulled({ before, position }: MergeReport): void {
    const newest = this.#pulled.at(-1)
    if (position.seq <= before) return
    if (newest?.last === before) this.#pulled.splice(-1, 1, { after: newest.after, last: position.seq })
    else this.#pulled.push({ after: before, last: position.seq })
    if (this.#pulled.length > RANGES_MAX) this.#pulled.shift()
  }

  /** Everything up to this seq is pushed, to every mirror. */
  forget(seq: number): void {
    this.#pulled = this.#pulled.filter(({ last }) => last > seq)
  }

  /** Changes made here past `pushed`, up to `head`. */
  ahead(pushed: number, head: number): number {
    let changes = Math.max(0, head - pushed)
    for (const { after, last } of this.#pulled) {
      changes -= Math.max(0, Math.min(last, head) - Math.max(after, pushed))
    }
    return changes
  }
}
