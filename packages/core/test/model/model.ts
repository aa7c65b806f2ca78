import type { Fields } from '../../src/codec/value.js'
import { bodyHash, deriveRev, generationOf } from '../../src/document/revision.js'
import type { LogRecord } from '../../src/log/record.js'
import { compareLeaves, keyOf, nativeRevision, type Revision } from './revision.js'

/** A revision as a database has it. */
export interface Recorded extends Revision {
  /** The place in the log where it became known. */
  readonly seq: number
  readonly at: number
  /** Whether its body is here. */
  readonly held: boolean
  /** Its body was here, and may still be where nothing but the past is told from. */
  readonly dropped?: boolean
  /** It was superseded when the log was compacted: its record may be gone. */
  readonly faint?: boolean
}

/** What an operation comes to. */
export type Answer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string }

export const done = (value: unknown): Answer => ({ ok: true, value })
export const refused = (code: string): Answer => ({ ok: false, code })

/** A document to put: its members, and what it names. */
export interface Draft {
  readonly id: string
  readonly rev?: string
  readonly body: Fields
  readonly overwrite?: boolean
}

/**
 * What a database must be, said as plainly as it can be: every revision that ever came, in order. A leaf is one that no
 * other follows.
 */
export class Model {
  readonly #documents: Map<string, readonly Recorded[]>
  /** When each place in the log was written, and whether the next belongs to the same transaction. */
  readonly #places: { readonly at: number; readonly continues: boolean }[]

  /** The last place when the log was compacted: of what was before, only what is known now is sure. */
  compactedAt = 0

  constructor(from?: Model, until = Number.POSITIVE_INFINITY) {
    this.compactedAt = from?.compactedAt ?? 0
    this.#documents = new Map(from?.all())
    this.#places = from === undefined ? [] : from.#places.slice(0, until)
    if (until > (from?.seq ?? 0)) return
    for (const [id, all] of this.#documents) {
      const then = all.filter(({ seq }) => seq <= until)
      if (then.length > 0) this.#documents.set(id, then)
      else this.#documents.delete(id)
    }
  }

  /** The last place in the log. */
  get seq(): number {
    return this.#places.length
  }

  /** Another, which goes its own way from here. */
  clone(): Model {
    return new Model(this)
  }

  /** What was known at a place; of bodies, what is held now. */
  until(seq: number): Model {
    return new Model(this, seq)
  }

  /** All places after this one are one transaction. */
  together(after: number): void {
    for (let i = after; i < this.seq - 1; i++) this.#places[i] = { ...this.#places[i]!, continues: true }
  }

  /** The end of the transaction in which a place is. */
  endOf(seq: number): number {
    let end = seq
    while (this.#places[end - 1]?.continues) end += 1
    return end
  }

  /** The last place before anything that was written later than a moment. */
  placeAt(time: number): number {
    const later = this.#places.findIndex(({ at }) => at > time)
    return later < 0 ? this.seq : later
  }

  all(): ReadonlyMap<string, readonly Recorded[]> {
    return this.#documents
  }

  /** All revisions of a document that have a record, oldest first. */
  recorded(id: string): readonly Recorded[] {
    return this.#documents.get(id) ?? []
  }

  /** The winner first. */
  leaves(id: string): readonly Recorded[] {
    const all = this.recorded(id)
    const followed = new Set(all.flatMap(({ path }) => path))
    return all.filter(({ rev }) => !followed.has(rev)).sort(compareLeaves)
  }

  winner(id: string): Recorded | undefined {
    return this.leaves(id)[0]
  }

  /** Revs of the live leaves besides the winner. */
  conflicts(id: string): readonly string[] {
    return this.leaves(id)
      .slice(1)
      .filter(({ deleted }) => !deleted)
      .map(({ rev }) => rev)
  }

  /** Known ids in order of their UTF-8 bytes. */
  ids(): string[] {
    return [...this.#documents.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  }

  /** @param repeatable whether a put that was done already counts as done now */
  put(draft: Draft, at: number, repeatable = true): Answer {
    const { id, rev, body, overwrite } = draft
    const leaves = this.leaves(id)
    const [winner] = leaves
    const stored = (as: string): Answer => done({ ...body, id, rev: as })
    let parent = winner
    if (!overwrite) {
      const isNew = rev === undefined && (winner === undefined || winner.deleted)
      parent = rev === undefined ? winner : leaves.find((leaf) => leaf.rev === rev && !leaf.deleted)
      if (!isNew && (rev === undefined || parent === undefined)) {
        const repeated = repeatable ? deriveRev(rev, false, body) : undefined
        const again = leaves.find((leaf) => leaf.rev === repeated && leaf.bodyHash === undefined)
        if (again === undefined) return refused('MYNAH_CONFLICT')
        this.#supply(again, at)
        return stored(again.rev)
      }
    }
    if (parent !== undefined && !parent.deleted && hasBody(parent, body)) {
      this.#supply(parent, at)
      return stored(parent.rev)
    }
    const revision = nativeRevision(id, parent, body)
    this.#record(revision, at, true)
    return stored(revision.rev)
  }

  delete(id: string, rev: string | undefined, at: number): Answer {
    const leaves = this.leaves(id)
    const [winner] = leaves
    const target = rev === undefined ? winner : leaves.find((leaf) => leaf.rev === rev && !leaf.deleted)
    if (target !== undefined && !target.deleted) {
      const tombstone = nativeRevision(id, target, undefined)
      this.#record(tombstone, at, true)
      return done({ id, rev: tombstone.rev })
    }
    if (rev === undefined || leaves.length === 0) return done(undefined)
    const repeated = deriveRev(rev, true, {})
    return leaves.some((leaf) => leaf.rev === repeated)
      ? done({ id, rev: repeated })
      : refused('MYNAH_CONFLICT')
  }

  /** One revision that another replica sends; `record` is what it sends of it. */
  merge(
    revision: Revision,
    record: LogRecord,
    options: { readonly whole: boolean; readonly from: 'peer' | 'mirror'; readonly at: number },
  ): string {
    const held = record.kind === 'revision'
    if (!held && options.from === 'peer') return 'refused'
    const all = this.recorded(revision.id)
    const leaves = this.leaves(revision.id)
    const leaf = leaves.find((one) => keyOf(one) === keyOf(revision))
    if (leaf !== undefined) {
      if (leaf.held || !held) return 'known'
      this.#supply(leaf, options.at)
      return 'supplied'
    }
    if (leaves.some(({ path }) => path.includes(revision.rev))) return 'known'
    const attached = record.path.some((rev) => all.some((one) => one.rev === rev))
    const oldest = record.path.at(-1) ?? record.rev
    if (!attached && !options.whole && generationOf(oldest) > 1) return 'detached'
    this.#record(revision, options.at, held)
    return 'new'
  }

  /** A leaf's body, from elsewhere or from a put of the same. */
  #supply(leaf: Recorded, at: number): void {
    if (leaf.held) return
    this.#places.push({ at, continues: false })
    this.#replace(leaf, { ...leaf, held: true, dropped: false })
  }

  /** Puts a child of the winner in the place of all live leaves; the rev of it. */
  resolve(id: string, body: Fields | undefined, at: number): string {
    const before = this.seq
    const [winner, ...losers] = this.leaves(id).filter(({ deleted }) => !deleted)
    if (winner === undefined) throw new Error('nothing to resolve')
    const stays = body !== undefined && hasBody(winner, body) && !losers.some(({ rev }) => rev === winner.rev)
    const child = stays ? winner : nativeRevision(id, winner, body)
    if (!stays) this.#record(child, at, true)
    for (const loser of losers) {
      // What ended one of two with the same rev ended both.
      if (!this.leaves(id).some(({ rev, deleted }) => rev === loser.rev && !deleted)) continue
      this.#record(nativeRevision(id, loser, undefined), at, true)
    }
    this.together(before)
    return child.rev
  }

  /** Drops the bodies of a document's live leaves that `may` go; gives how many. */
  evict(id: string, at: number, may: (leaf: Recorded) => boolean): number {
    const leaves = this.leaves(id).filter((leaf) => leaf.held && !leaf.deleted && may(leaf))
    for (const leaf of leaves) {
      this.#places.push({ at, continues: false })
      this.#replace(leaf, { ...leaf, held: false, dropped: true })
    }
    return leaves.length
  }

  /** The past may be gone from here on. */
  compact(): void {
    this.compactedAt = this.seq
    for (const id of this.ids()) {
      const leaves = new Set(this.leaves(id))
      for (const one of this.recorded(id)) {
        const dropped = one.held || one.dropped === true
        if (!leaves.has(one)) this.#replace(one, { ...one, held: false, dropped, faint: true })
      }
    }
  }

  #replace(old: Recorded, by: Recorded): void {
    const all = this.recorded(old.id).map((one) => (one === old ? by : one))
    this.#documents.set(old.id, all)
  }

  #record(revision: Revision, at: number, held: boolean): void {
    this.#places.push({ at, continues: false })
    const recorded = { ...revision, seq: this.seq, at, held }
    this.#documents.set(revision.id, [...this.recorded(revision.id), recorded])
  }
}

/** Whether the revision has this body, told without having it. */
function hasBody({ rev, path, bodyHash: hash }: Revision, body: Fields): boolean {
  if (hash !== undefined) return Buffer.compare(hash, bodyHash(false, body)) === 0
  return deriveRev(path[0], false, body) === rev
}
