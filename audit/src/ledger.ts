import { isDeepStrictEqual } from 'node:util'
import type { Stored } from '@mynah/core'
import { bodyOf } from './content.js'
import { Wholes } from './wholes.js'

export type WriteKind = 'put' | 'delete'

interface Attempt {
  readonly n: number
  readonly kind: WriteKind
  /** Of the revision that it made; undefined while nothing has acknowledged it. */
  rev: string | undefined
}

interface Life {
  /** Revs, the oldest first, that an inspection has found. */
  chain: readonly string[]
  /** The write that made the last of the chain. */
  current: Attempt | undefined
  /** Writes since the last inspection, in the order in which they were tried. */
  since: Attempt[]
}

/** What stands in a database for one id. */
export interface Standing {
  readonly rev: string
  readonly deleted: boolean
  /** Revs of all its ancestors, the parent first. */
  readonly path: readonly string[]
  /** Absent when it is deleted. */
  readonly doc: Stored | undefined
}

/**
 * Every write that was ever tried, and what was acknowledged of it. At most one write of an id is under way at a time,
 * so a document's history is a chain: what was acknowledged, in order, and between that at most what was tried and
 * neither acknowledged nor refused.
 */
export class Ledger {
  /** Bodies follow from it. */
  readonly seed: number
  readonly #lives = new Map<string, Life>()
  readonly wholes = new Wholes()
  /** Writes that were acknowledged. */
  acknowledged = 0

  constructor(seed: number) {
    this.seed = seed
  }

  get ids(): IterableIterator<string> {
    return this.#lives.keys()
  }

  has(id: string): boolean {
    return this.#lives.has(id)
  }

  /** Ids with a write that was acknowledged or found. */
  get documents(): number {
    let documents = 0
    for (const { chain, since } of this.#lives.values())
      if (chain.length > 0 || since.some((attempt) => attempt.rev !== undefined)) documents += 1
    return documents
  }

  try(id: string, n: number, kind: WriteKind): void {
    const life = this.#lives.get(id) ?? { chain: [], current: undefined, since: [] }
    life.since.push({ n, kind, rev: undefined })
    this.#lives.set(id, life)
  }

  /** The writes of one transaction and what they make: all of them will be there, or none. */
  whole(writes: readonly (readonly [id: string, n: number, rev: string])[]): void {
    const isPut = (id: string, n: number) =>
      this.#lives.get(id)?.since.some((attempt) => attempt.n === n && attempt.kind === 'put') === true
    this.wholes.add(writes.map(([id, n, rev]) => ({ id, rev, unique: isPut(id, n) })))
  }

  acknowledge(id: string, n: number, rev: string): void {
    const attempt = this.#lives.get(id)?.since.find((one) => one.n === n)
    if (attempt === undefined) throw new Error(`write ${n} of ${id} was acknowledged and never tried`)
    attempt.rev = rev
    this.acknowledged += 1
  }

  /** What is wrong with what stands in a database for an id; undefined when nothing is. */
  fault(id: string, standing: Standing | undefined): string | undefined {
    const life = this.#lives.get(id)
    if (life === undefined) return standing && `${id} appeared: nobody ever tried to write it`
    if (standing === undefined) {
      const owed = life.chain.length > 0 || life.since.some((attempt) => attempt.rev !== undefined)
      return owed ? `${id} is lost: acknowledged, and nothing stands there` : undefined
    }
    const revs = [...standing.path.toReversed(), standing.rev]
    return chainFault(id, life, revs) ?? contentFault(id, this.seed, candidates(life), standing)
  }

  /** Takes what an inspection found as what must be there from now on. */
  settle(id: string, standing: Standing | undefined): void {
    const life = this.#lives.get(id)
    if (life === undefined) return
    if (standing === undefined) {
      this.#lives.delete(id)
      return
    }
    const current = candidates(life).find((attempt) => isStanding(attempt, standing))
    life.chain = [...standing.path.toReversed(), standing.rev]
    life.current = current && { ...current, rev: standing.rev }
    life.since = []
  }

  /** Whether the id has ever had more than one revision, so that its ancestry is worth reading. */
  hasAncestry(id: string): boolean {
    const life = this.#lives.get(id)
    return life !== undefined && life.chain.length + life.since.length > 1
  }
}

function chainFault(id: string, life: Life, revs: readonly string[]): string | undefined {
  if (life.chain.some((rev, i) => revs[i] !== rev))
    return `${id} is lost: its history was ${life.chain.join(' ')} and is ${revs.join(' ')}`
  let at = life.chain.length
  let unanswered = 0
  for (const { n, rev } of life.since) {
    if (rev === undefined) {
      unanswered += 1
      continue
    }
    const found = revs.indexOf(rev, at)
    if (found < 0)
      return `${id} is lost: write ${n} was acknowledged as ${rev}, and its history is ${revs.join(' ')}`
    if (found - at > unanswered)
      return `${id} has a revision before ${rev} that nobody tried: ${revs.join(' ')}`
    at = found + 1
    unanswered = 0
  }
  if (revs.length - at > unanswered) return `${id} has a revision that nobody tried: ${revs.join(' ')}`
  return undefined
}

/** The writes that may be what stands now: the last that was acknowledged, and those tried after it. */
function candidates(life: Life): readonly Attempt[] {
  const last = life.since.findLastIndex((attempt) => attempt.rev !== undefined)
  if (last >= 0) return life.since.slice(last)
  return life.current === undefined ? life.since : [life.current, ...life.since]
}

function contentFault(
  id: string,
  seed: number,
  attempts: readonly Attempt[],
  standing: Standing,
): string | undefined {
  const made = attempts.find((attempt) => isStanding(attempt, standing))
  if (made === undefined) {
    const stands = standing.deleted ? 'a tombstone' : `write ${String(standing.doc?.n)}`
    const expected = attempts.map(({ n, kind }) => `${kind} ${n}`).join(' or ')
    return `${id} is wrong: ${stands} stands there (${standing.rev}), expected was ${expected}`
  }
  if (made.kind === 'delete') return undefined
  const expected = { ...bodyOf(seed, made.n), id, rev: standing.rev }
  return isDeepStrictEqual({ ...standing.doc }, expected)
    ? undefined
    : `${id} is wrong: not the content of write ${made.n}`
}

function isStanding({ n, kind, rev }: Attempt, standing: Standing): boolean {
  if (rev !== undefined && rev !== standing.rev) return false
  return standing.deleted ? kind === 'delete' : kind === 'put' && standing.doc?.n === n
}
