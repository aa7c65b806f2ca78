import { type GatheredKnowledge, knowledgeOf } from '../changes/ancestry.js'
import { generationOf } from '../document/revision.js'
import { applyRecord, type Leaf, leafKey, needsKnowledge, planMerge } from '../document/tree.js'
import type { Entry } from '../index/entry.js'
import { limits } from '../limits.js'
import type { LogRecord } from '../log/record.js'
import type { Context } from './context.js'
import type { OpenedShard } from './opened-shard.js'

/**
 * Finds the shards that may stand in this log as they lie: those for which following the log record by record, as an index
 * does that is built anew, makes of each document what a merge of the record would. So a record that says nothing new may
 * stand there, but none that would bring back what is superseded here, take away a body, or hang in the air.
 */
export class Fit {
  readonly #context: Pick<Context, 'log' | 'index' | 'origin'>
  readonly #entries: ReadonlyMap<string, Entry>
  /** Leaves as the records that were looked at make them. */
  readonly #leaves = new Map<string, readonly Leaf[]>()
  readonly #seen: LogRecord[] = []
  readonly #knowledge = new Map<string, GatheredKnowledge>()
  readonly #isPeers: boolean
  #seq: number
  /** Records of the shards that fit which are leaves that were not known. */
  fresh = 0

  /** `entries` are those of all documents of the shards; the first of these would begin behind `head`. */
  constructor(
    context: Pick<Context, 'log' | 'index' | 'origin'>,
    entries: ReadonlyMap<string, Entry>,
    options: { readonly head: number; readonly from: 'peer' | 'mirror' },
  ) {
    this.#context = context
    this.#entries = entries
    this.#seq = options.head + 1
    this.#isPeers = options.from === 'peer'
  }

  /** How many of the shards, from the first on, fit one after another. @throws IndexCorruptError */
  async count(shards: readonly OpenedShard[]): Promise<number> {
    for (const [count, shard] of shards.entries()) {
      const fresh = await this.#freshOf(shard)
      // What a peer sends again, as an answer was lost, must not stand here twice.
      if (fresh === undefined || (this.#isPeers && 2 * fresh < shard.heads.length)) return count
      this.#seq += shard.span
      this.fresh += fresh
    }
    return shards.length
  }

  /** How many of its records are new; undefined where one does not fit. */
  async #freshOf({ heads, offsets }: OpenedShard): Promise<number | undefined> {
    let fresh = 0
    for (const [index, record] of heads.entries()) {
      const leaves = this.#leavesOf(record.id)
      const fits = this.#fitsAtOnce(leaves, record) ?? (await this.#fitsByAncestry(leaves, record))
      if (!fits) return undefined
      const isKnown = leafOf(leaves, record) !== undefined
      if (!isKnown) fresh += 1
      if (this.#isPeers && !isKnown && hasTooMany(leaves, record)) return undefined
      this.#leaves.set(record.id, applyRecord(leaves, this.#seq + offsets[index]!, record).leaves)
      this.#seen.push(record)
      const known = this.#knowledge.get(record.id)
      if (known) learn(known, record)
    }
    return fresh
  }

  #leavesOf(id: string): readonly Leaf[] {
    return this.#leaves.get(id) ?? this.#entries.get(id)?.leaves ?? []
  }

  /** Undefined where that takes more than the leaves. */
  #fitsAtOnce(leaves: readonly Leaf[], record: LogRecord): boolean | undefined {
    const { kind, deleted, origin, supplies, path } = record
    // What was written here once and is not known any more is owed: a merge remembers that.
    if (kind === 'stub' && origin === this.#context.origin) return false
    if (leaves.length === 0) return !supplies && isWhole(path)
    const known = leafOf(leaves, record)
    if (known === undefined) return supplies ? false : needsKnowledge(leaves, record) ? undefined : true
    if (known.deleted !== deleted) return false
    return !supplies || kind === 'revision' || known.bodySeq === 0
  }

  async #fitsByAncestry(leaves: readonly Leaf[], record: LogRecord): Promise<boolean> {
    const { recorded, ancestors } = await this.#knowledgeOf(record.id)
    const isRecorded = (rev: string) => recorded.has(rev)
    const isAncestor = (rev: string) => ancestors.has(rev)
    return planMerge({ leaves, incoming: record, whole: false, isRecorded, isAncestor }).result === 'new'
  }

  async #knowledgeOf(id: string): Promise<GatheredKnowledge> {
    const known = this.#knowledge.get(id)
    if (known) return known
    const { log, index } = this.#context
    const leaves = this.#entries.get(id)?.leaves ?? []
    const gathered = await knowledgeOf(log, index, id, leaves, { ancestors: true })
    for (const record of this.#seen) if (record.id === id) learn(gathered, record)
    this.#knowledge.set(id, gathered)
    return gathered
  }
}

function learn({ recorded, ancestors }: GatheredKnowledge, { rev, path }: LogRecord): void {
  recorded.add(rev)
  for (const one of path) ancestors.add(one)
}

function leafOf(leaves: readonly Leaf[], record: LogRecord): Leaf | undefined {
  return leaves.find((leaf) => leaf.rev === record.rev && leafKey(leaf) === leafKey(record))
}

/** Whether a merge would refuse a peer's revision, as the document has too many conflicts. */
function hasTooMany(leaves: readonly Leaf[], { deleted, path }: LogRecord): boolean {
  if (deleted || leaves.length < limits.liveLeaves) return false
  return leaves.filter((leaf) => !leaf.deleted && !path.includes(leaf.rev)).length >= limits.liveLeaves
}

/** Whether a path says all that its sender knew: one that ends elsewhere was cut where that had a record. */
function isWhole(path: readonly string[]): boolean {
  const last = path.at(-1)
  return last === undefined || generationOf(last) === 1 || path.length >= limits.ancestors
}
