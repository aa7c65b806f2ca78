import type { Document } from '@mynah/core'
import { bodyText } from './body-text.js'
import { Guarantees } from './guarantees.js'
import { Transactions } from './transactions.js'
import { Violation } from './violation.js'

/** One revision that some database made. */
interface Revision {
  readonly id: string
  readonly rev: string
  /** Undefined where it is a root, or not known yet. */
  parent: string | undefined
  readonly deleted: boolean
  /** Undefined until it is known. */
  body: string | undefined
}

/** Every body that the simulation makes up carries a number of its own under this name. */
export const WRITE = 'w'

/**
 * What the simulation knows to be true, gathered from what applications were told and nothing else: who wrote what on
 * what, and what was acknowledged where.
 */
export class Model {
  readonly guarantees = new Guarantees()
  readonly transactions = new Transactions(this.guarantees)
  readonly #revisions = new Map<string, Map<string, Revision>>()
  /** Bodies that somebody tried to write, by document. */
  readonly #attempts = new Map<string, Set<string>>()
  readonly #deletes = new Set<string>()
  #writes = 0

  /** The number of the next write. */
  nextWrite(): number {
    return ++this.#writes
  }

  /** Somebody is about to write this; whether it will be stored is open. */
  attempt(id: string, doc: Document): void {
    const bodies = this.#attempts.get(id) ?? new Set()
    this.#attempts.set(id, bodies.add(bodyText(doc)))
  }

  attemptDelete(id: string): void {
    this.#deletes.add(id)
  }

  /** A write was acknowledged on that disk. */
  acknowledge(
    disk: string,
    written: { id: string; rev: string; parent: string | undefined; doc?: Document },
  ) {
    const { id, rev, parent, doc } = written
    const revision = this.#learn(id, rev, doc === undefined, parent)
    if (doc !== undefined) this.checkBody(id, rev, doc)
    this.guarantees.add(nameOf(id, rev), [disk])
    return revision
  }

  /** A read gave this body under that revision: it must be what was written, by somebody, for this id. */
  checkBody(id: string, rev: string, doc: Document): void {
    const body = bodyText(doc)
    if (this.#attempts.get(id)?.has(body) !== true)
      throw new Violation(
        'only what was written is read',
        `${id} ${rev} is ${body}, which nobody wrote there`,
      )
    const revision = this.#learn(id, rev, false, undefined)
    revision.body ??= body
    if (revision.body !== body)
      throw new Violation('a revision has one body', `${id} ${rev} is ${body}, and was ${revision.body}`)
  }

  /** Some database says that these are the ancestors of the revision, the parent first. */
  learnPath(id: string, rev: string, deleted: boolean, path: readonly string[]): void {
    let child = this.#learn(id, rev, deleted, path[0])
    for (const [index, ancestor] of path.entries()) {
      const parent = path[index + 1]
      const known = this.#of(id).get(ancestor)
      child = known ?? this.#learn(id, ancestor, false, parent)
      if (parent !== undefined) this.#setParent(child, parent)
    }
  }

  /** Whether the one is a proper ancestor of the other, as far as is known. */
  isAncestor(id: string, ancestor: string, rev: string): boolean {
    const revisions = this.#of(id)
    const generation = generationOf(ancestor)
    let at = revisions.get(rev)?.parent
    while (at !== undefined && generationOf(at) >= generation) {
      if (at === ancestor) return true
      at = revisions.get(at)?.parent
    }
    return false
  }

  /** Whether any revision is known to follow it. */
  isFollowed(id: string, rev: string): boolean {
    return [...this.#of(id).values()].some(({ parent }) => parent === rev)
  }

  wasDeleted(id: string): boolean {
    return this.#deletes.has(id)
  }

  /** Revisions that must be on the disk, or without one somewhere, by document. */
  *required(disk?: string): Generator<{ readonly id: string; readonly rev: string }> {
    for (const [id, revisions] of this.#revisions)
      for (const rev of revisions.keys()) if (this.guarantees.holds(nameOf(id, rev), disk)) yield { id, rev }
  }

  /** The names of all revisions of these documents that are known. */
  revisionsOf(ids: readonly string[]): readonly string[] {
    return ids.flatMap((id) => [...this.#of(id).keys()].map((rev) => nameOf(id, rev)))
  }

  get ids(): Iterable<string> {
    return this.#revisions.keys()
  }

  #of(id: string): Map<string, Revision> {
    let revisions = this.#revisions.get(id)
    if (revisions === undefined) {
      revisions = new Map()
      this.#revisions.set(id, revisions)
    }
    return revisions
  }

  #learn(id: string, rev: string, deleted: boolean, parent: string | undefined): Revision {
    const known = this.#of(id).get(rev)
    if (known === undefined) {
      const revision: Revision = { id, rev, parent, deleted, body: undefined }
      this.#of(id).set(rev, revision)
      return revision
    }
    if (parent !== undefined) this.#setParent(known, parent)
    return known
  }

  #setParent(revision: Revision, parent: string): void {
    revision.parent ??= parent
    if (revision.parent !== parent)
      throw new Violation(
        'a revision has one parent',
        `${revision.id} ${revision.rev} follows ${parent}, and followed ${revision.parent}`,
      )
  }
}

/** A revision's name among all documents'. */
export function nameOf(id: string, rev: string): string {
  return `${rev} ${id}`
}

export function generationOf(rev: string): number {
  return Number.parseInt(rev, 10)
}
