import { compareBytes } from '../bytes/compare.js'
import type { GatheredKnowledge } from '../changes/ancestry.js'
import type { Fields } from '../codec/value.js'
import { bodyHash, deriveRev } from '../document/revision.js'
import { applyRecord, type Leaf, leafKey, planMerge } from '../document/tree.js'
import { ConflictError, RevisionRefusedError } from '../errors.js'
import type { Entry } from '../index/entry.js'
import type { IndexCommit } from '../index/index-commit.js'
import type { EntryChange } from '../index/root.js'
import { limits } from '../limits.js'
import type { LogRecord, Sequenced } from '../log/record.js'
import type { MergeOptions, MergeOutcome } from './replica.js'

/** A put, its document accepted and copied. */
export interface PutIntent {
  readonly id: string
  readonly rev: string | undefined
  readonly body: Fields
  /** About how many bytes the body takes. */
  readonly bytes: number
  readonly overwrite: boolean
  /** Whether a write that was done already counts as done now. Not for one of many that compute the same from the same. */
  readonly repeatable: boolean
}

/**
 * The plan of one commit group: what to append to the log and how the index follows. Pure: nothing is read or written,
 * and a plan whose append fails is thrown away.
 */
export class GroupPlan {
  readonly records: LogRecord[] = []
  /** Seqs of stubs for what was written here once and is not known any more: their bodies are owed. */
  readonly owed: number[] = []
  readonly #origin: string
  readonly #at: number
  readonly #firstSeq: number
  readonly #entries: Map<string, Entry>
  readonly #before = new Map<string, Entry | undefined>()
  #latest = Number.NEGATIVE_INFINITY
  readonly #superseded: { id: string; leaf: Leaf; until: number }[] = []
  /** Where bodies are that no leaf has any more. */
  readonly #dead: number[] = []

  /** `entries` holds those of every id that is planned, and is changed as the plan grows. */
  constructor(options: { origin: string; at: number; firstSeq: number; entries: Map<string, Entry> }) {
    this.#origin = options.origin
    this.#at = options.at
    this.#firstSeq = options.firstSeq
    this.#entries = options.entries
  }

  /** The seq of the last record planned so far. */
  get lastSeq(): number {
    return this.#firstSeq + this.records.length - 1
  }

  leaves(id: string): readonly Leaf[] {
    return this.#entries.get(id)?.leaves ?? []
  }

  /** The rev under which the document now stands. @throws ConflictError */
  put(intent: PutIntent): string {
    const leaves = this.leaves(intent.id)
    const parent = intent.overwrite ? leaves[0] : this.#parentOf(intent, leaves)
    if (parent === 'retry') return this.#again(intent, deriveRev(intent.rev, false, intent.body), intent.rev)
    if (parent && !parent.deleted && sameBody(parent, intent.body))
      return this.#again(intent, parent.rev, parent.parent)
    const rev = deriveRev(parent?.rev, false, intent.body)
    this.#write(intent.id, rev, parent?.rev, false, intent.body)
    return rev
  }

  /** A revision that is a leaf already: nothing new, unless its body was known and not held. */
  #again(intent: PutIntent, rev: string, parent: string | undefined): string {
    const leaf = this.leaves(intent.id).find((one) => one.rev === rev)
    if (leaf?.bodySeq === 0) this.#write(intent.id, rev, parent, false, intent.body, leaf)
    return rev
  }

  /** The leaf that a put follows; 'retry' when it has been done already; undefined for a new document. */
  #parentOf(intent: PutIntent, leaves: readonly Leaf[]): Leaf | 'retry' | undefined {
    const winner = leaves[0]
    const live = winner && !winner.deleted ? winner : undefined
    const parent =
      intent.rev === undefined ? winner : leaves.find((leaf) => leaf.rev === intent.rev && !leaf.deleted)
    if (intent.rev === undefined ? !live : parent) return parent
    const repeated = intent.repeatable ? deriveRev(intent.rev, false, intent.body) : undefined
    if (leaves.some((leaf) => leaf.rev === repeated && !leaf.bodyHash)) return 'retry'
    throw new ConflictError(intent.id, winner?.rev)
  }

  /** The tombstone's rev; undefined when nothing is there to delete. @throws ConflictError */
  delete(id: string, rev: string | undefined): string | undefined {
    const leaves = this.leaves(id)
    const target = rev === undefined ? leaves[0] : leaves.find((leaf) => leaf.rev === rev && !leaf.deleted)
    if (target && !target.deleted) {
      const tombstone = deriveRev(target.rev, true, {})
      this.#write(id, tombstone, target.rev, true, {})
      return tombstone
    }
    if (rev === undefined || leaves.length === 0) return undefined
    const repeated = deriveRev(rev, true, {})
    if (leaves.some((leaf) => leaf.rev === repeated)) return repeated
    throw new ConflictError(id, leaves[0]?.rev)
  }

  /**
   * Takes a revision from elsewhere, which `checkRevision` has passed. `knowledge` is needed where the leaves alone do
   * not tell, and where the same plan takes another revision of the document.
   */
  merge(record: LogRecord, knowledge: GatheredKnowledge | undefined, options: MergeOptions): MergeOutcome {
    const leaves = this.leaves(record.id)
    const plan = planMerge({
      leaves,
      incoming: record,
      whole: options.whole === true,
      isRecorded: (rev) => required(knowledge, record).recorded.has(rev),
      isAncestor: (rev) => required(knowledge, record).ancestors.has(rev),
    })
    if (plan.result === 'known' || plan.result === 'detached') return plan
    if (plan.result === 'supplied') {
      // The parent stays: a native rev is derived from it when the record is read.
      this.#add({ ...record, path: record.path.slice(0, 1), at: this.#at, supplies: true, continues: false })
      return plan
    }
    if (options.from === 'peer' && !record.deleted) {
      const others = leaves.filter((leaf) => !leaf.deleted && !plan.path.includes(leaf.rev)).length
      if (others >= limits.liveLeaves) {
        const detail = `the document has ${others} conflicts`
        return { result: 'refused', error: new RevisionRefusedError(record.id, record.rev, detail) }
      }
    }
    this.#add({ ...record, path: plan.path, at: this.#at, supplies: false, continues: false })
    if (record.kind === 'stub' && record.origin === this.#origin) this.owed.push(this.lastSeq)
    knowledge?.recorded.add(record.rev)
    for (const rev of plan.path) knowledge?.ancestors.add(rev)
    return { result: 'new' }
  }

  /**
   * Drops the bodies of leaves, and gives how many. A leaf that is not as it is given, nor its body where it was, keeps
   * its body.
   */
  drop(id: string, leaves: readonly Leaf[]): number {
    let dropped = 0
    for (const { bodySeq, ...given } of leaves) {
      const leaf = this.leaves(id).find((one) => leafKey(one) === leafKey(given))
      if (leaf === undefined || leaf.bodySeq === 0 || leaf.bodySeq !== bodySeq) continue
      const { rev, deleted, bodyHash: hash } = leaf
      const stub = { kind: 'stub', id, rev, path: [], deleted, at: this.#at, origin: this.#origin } as const
      this.#add({ ...stub, supplies: true, continues: false, ...(hash && { bodyHash: hash }) })
      dropped += 1
    }
    return dropped
  }

  /**
   * Ends a conflict: the body becomes a child of the winner (a tombstone does, without one), and each other live leaf ends
   * under a tombstone. The rev under which the document then stands.
   * @throws ConflictError when the live leaves are not `seen`
   */
  resolve(id: string, seen: readonly Leaf[], body: Fields | undefined): string {
    const live = this.leaves(id).filter((leaf) => !leaf.deleted)
    const [winner, ...losers] = live
    if (winner === undefined || !sameLeaves(live, seen)) throw new ConflictError(id, this.leaves(id)[0]?.rev)
    // Of foreign leaves that share its rev none ends without it.
    const isAlone = losers.every((loser) => loser.rev !== winner.rev)
    const same = body !== undefined && isAlone && sameBody(winner, body)
    const rev = same ? winner.rev : deriveRev(winner.rev, body === undefined, body ?? {})
    const write = () => {
      if (!same) this.#write(id, rev, winner.rev, body === undefined, body ?? {})
      for (const { rev: loser } of losers) {
        // Of foreign leaves that share a rev one tombstone ends all.
        if (!this.leaves(id).some((leaf) => leaf.rev === loser && !leaf.deleted)) continue
        this.#write(id, deriveRev(loser, true, {}), loser, true, {})
      }
    }
    if (live.length <= limits.transactionRecords) this.together(write)
    else write()
    return rev
  }

  /** Keeps what `run` adds about these ids only where it gives true. */
  wholly(ids: readonly string[], run: () => boolean): void {
    const { length } = this.records
    const superseded = this.#superseded.length
    const entries = ids.map((id) => [id, this.#entries.get(id), this.#before.has(id)] as const)
    if (run()) return
    this.records.length = length
    this.#superseded.length = superseded
    for (const [id, entry, changed] of entries) {
      if (entry === undefined) this.#entries.delete(id)
      else this.#entries.set(id, entry)
      if (!changed) this.#before.delete(id)
    }
  }

  /** What `run` adds is one transaction. */
  together<R>(run: () => R): R {
    const first = this.records.length
    const result = run()
    for (let at = first; at < this.records.length - 1; at++)
      this.records[at] = { ...this.records[at]!, continues: true }
    return result
  }

  /** What the index has to take when the records are in the log. */
  commit(): IndexCommit {
    const changes: EntryChange[] = []
    for (const [id, before] of this.#before) changes.push({ id, before, after: this.#entries.get(id)! })
    const [superseded, dead] = [this.#superseded, this.#dead]
    return { changes, superseded, dead, seq: this.lastSeq, latest: this.#latest }
  }

  /** A revision of our own; one that gives a leaf that is known its body, where `supplied` is that leaf. */
  #write(
    id: string,
    rev: string,
    parent: string | undefined,
    deleted: boolean,
    body: Fields,
    supplied?: Leaf,
  ): void {
    const record: LogRecord = {
      kind: 'revision',
      id,
      rev,
      path: parent === undefined ? [] : [parent],
      deleted,
      at: this.#at,
      origin: this.#origin,
      supplies: supplied !== undefined,
      continues: false,
      body,
    }
    this.#add(supplied?.bodyHash ? { ...record, bodyHash: supplied.bodyHash } : record)
  }

  #add(record: LogRecord): void {
    this.records.push(record)
    this.#follow(this.lastSeq, record)
  }

  #follow(seq: number, record: LogRecord): void {
    this.#latest = Math.max(this.#latest, record.at)
    const before = this.#entries.get(record.id)
    // A body for a leaf that damage made unknown.
    if (before === undefined && record.supplies) return
    if (!this.#before.has(record.id)) this.#before.set(record.id, before)
    const { leaves, superseded } = applyRecord(before?.leaves ?? [], seq, record)
    this.#entries.set(record.id, { leaves })
    for (const leaf of superseded) {
      this.#superseded.push({ id: record.id, leaf, until: seq })
      if (leaf.bodySeq !== 0) this.#dead.push(leaf.bodySeq)
    }
    if (record.supplies && before) this.#dead.push(...givenUp(before.leaves, leaves))
    // What came as part of a shard may bring a body that is there.
    if (record.kind === 'revision' && !leaves.some(({ bodySeq }) => bodySeq === seq)) this.#dead.push(seq)
    if (before === undefined || before.leaves.length === superseded.length) return
    // A leaf that this record tells of anew was known from its old place on.
    for (const leaf of before.leaves) {
      if (!superseded.includes(leaf) && !leaves.some((other) => other.seq === leaf.seq))
        this.#superseded.push({ id: record.id, leaf, until: seq })
    }
  }

  /** How the index follows records that are in the log already. */
  static replay(records: readonly Sequenced[], entries: Map<string, Entry>): IndexCommit {
    const plan = new GroupPlan({ origin: '', at: 0, firstSeq: 0, entries })
    for (const { seq, record } of records) plan.#follow(seq, record)
    return { ...plan.commit(), seq: records.at(-1)?.seq ?? 0 }
  }
}

/** Bodies that leaves had before they were evicted, or supplied once more. */
function givenUp(before: readonly Leaf[], after: readonly Leaf[]): readonly number[] {
  const held = new Set(after.map(({ bodySeq }) => bodySeq))
  return before.map(({ bodySeq }) => bodySeq).filter((seq) => seq !== 0 && !held.has(seq))
}

/** Whether a live leaf has this body: told from its digest alone. */
function sameBody(leaf: Leaf, body: Fields): boolean {
  if (leaf.bodyHash) return compareBytes(leaf.bodyHash, bodyHash(false, body)) === 0
  return leaf.rev === deriveRev(leaf.parent, false, body)
}

/** Whether these are the same leaves. */
export function sameLeaves(a: readonly Leaf[], b: readonly Leaf[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  return a.every((leaf, at) => leafKey(leaf) === leafKey(b[at]!) && leaf.deleted === b[at]!.deleted)
}

function required(knowledge: GatheredKnowledge | undefined, record: LogRecord): GatheredKnowledge {
  if (knowledge === undefined) throw new Error(`nothing was gathered about ${JSON.stringify(record.id)}`)
  return knowledge
}
