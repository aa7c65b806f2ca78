import { isDeepStrictEqual } from 'node:util'
import { bodyOf } from './content.js'
import type { Leaves } from './leaves.js'
import type { WriteKind } from './ledger.js'
import { Wholes } from './wholes.js'

/** Every write that a fleet tried, and which were acknowledged. No two writes have the same number. */
export class FleetLedger {
  readonly seed: number
  readonly wholes = new Wholes()
  /** Bodies that peers dropped. */
  evicted = 0
  readonly #tried = new Map<number, { readonly id: string; readonly kind: WriteKind }>()
  readonly #triesOf = new Map<string, number>()
  readonly #acknowledged = new Map<string, { readonly n: number; readonly rev: string }[]>()

  constructor(seed: number) {
    this.seed = seed
  }

  get documents(): number {
    return this.#acknowledged.size
  }

  has(id: string): boolean {
    return this.#triesOf.has(id)
  }

  try(id: string, n: number, kind: WriteKind): void {
    this.#tried.set(n, { id, kind })
    this.#triesOf.set(id, (this.#triesOf.get(id) ?? 0) + 1)
  }

  /** The writes of one transaction, which all put something. */
  whole(writes: readonly (readonly [id: string, n: number, rev: string])[]): void {
    this.wholes.add(writes.map(([id, , rev]) => ({ id, rev, unique: true })))
  }

  acknowledge(id: string, n: number, rev: string): void {
    const revs = this.#acknowledged.get(id)
    if (revs) revs.push({ n, rev })
    else this.#acknowledged.set(id, [{ n, rev }])
  }

  /** What is wrong with what a replica knows and holds. */
  faults(name: string, leaves: Leaves): string[] {
    const faults: string[] = []
    for (const [id, acknowledged] of this.#acknowledged) {
      const there = new Set(leaves.get(id)?.flatMap(({ rev, path }) => [rev, ...path]))
      for (const { n, rev } of acknowledged)
        if (!there.has(rev)) faults.push(`${name}: write ${n} of ${id}, acknowledged as ${rev}, is lost`)
    }
    const isThere = (id: string, rev: string) =>
      leaves.get(id)?.some((leaf) => leaf.rev === rev || leaf.path.includes(rev)) === true
    faults.push(...this.wholes.halves(isThere).map((half) => `${name}: ${half}`))
    const seen = new Set<number>()
    for (const [id, records] of leaves) {
      const revs = new Set(records.flatMap(({ rev, path }) => [rev, ...path]))
      if (revs.size > (this.#triesOf.get(id) ?? 0))
        faults.push(`${name}: ${id} has revisions that nobody tried`)
      if (new Set(records.map(({ rev }) => rev)).size < records.length)
        faults.push(`${name}: ${id} has a leaf twice`)
      for (const record of records) {
        if (record.kind === 'stub' || record.deleted) continue
        const n = (record.body as { n?: unknown }).n as number
        if (this.#tried.get(n)?.id !== id || !isDeepStrictEqual({ ...record.body }, bodyOf(this.seed, n)))
          faults.push(`${name}: ${id} at ${record.rev} is not the content of a write that was tried`)
        if (seen.has(n)) faults.push(`${name}: write ${n} of ${id} is there twice`)
        seen.add(n)
      }
    }
    return faults
  }
}
