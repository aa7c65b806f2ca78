import { type Leaf, leafKey } from '../document/tree.js'
import { RecordLostError, ShardCorruptError } from '../errors.js'
import { limits } from '../limits.js'
import type { Log } from '../log/log.js'
import type { Context } from './context.js'
import type { LeafRef } from './replica.js'

/**
 * The transactions of several records in which some leaves became known here, each with those of its leaves that still
 * are leaves, and held, in the order in which they were written. A record that damage or compaction took ends what is
 * known of a transaction.
 */
export async function together(
  { log, index }: Context,
  leaves: readonly LeafRef[],
): Promise<readonly (readonly LeafRef[])[]> {
  const entries = await index.lookup([...new Set(leaves.map(({ id }) => id))])
  const records = new Records(log)
  const found: LeafRef[][] = []
  const seen = new Set<number>()
  for (const wanted of leaves) {
    const leaf = entries.get(wanted.id)?.leaves.find(isLeaf(wanted))
    if (leaf === undefined || seen.has(leaf.seq)) continue
    const members = await membersAt(records, leaf.seq)
    for (const { seq } of members) seen.add(seq)
    if (members.length < 2) continue
    const known = await index.lookup([...new Set(members.map(({ id }) => id))])
    const refs = members.flatMap(({ seq, id }) => {
      const here = known.get(id)?.leaves.find((one) => one.seq === seq && one.bodySeq !== 0)
      return here ? [{ id, rev: here.rev, ...(here.bodyHash && { bodyHash: here.bodyHash }) }] : []
    })
    if (refs.length > 1) found.push(refs)
  }
  return found
}

/** Whether a leaf is the one that is named. */
export function isLeaf(ref: LeafRef): (leaf: Leaf) => boolean {
  const key = leafKey(ref)
  return (leaf) => leaf.rev === ref.rev && leafKey(leaf) === key
}

/** Of a record what tells its transaction. */
interface Member {
  readonly seq: number
  readonly id: string
  readonly continues: boolean
}

/** The records of the transaction to which the one at the seq belongs. */
async function membersAt(records: Records, seq: number): Promise<readonly Member[]> {
  const first = await records.at(seq)
  if (first === undefined) return []
  const members: Member[] = [first]
  for (let at = seq - 1; at > 0 && members.length < limits.transactionRecords; at--) {
    const before = await records.at(at)
    if (before?.continues !== true) break
    members.unshift(before)
  }
  for (let last = members.at(-1)!; last.continues && members.length < limits.transactionRecords; ) {
    const next = await records.at(last.seq + 1)
    if (next === undefined) break
    members.push(next)
    last = next
  }
  return members
}

/** Reads each record once: neighbours ask for the same. Bodies are neither decoded nor kept. */
class Records {
  readonly #log: Log
  readonly #read = new Map<number, Member | undefined>()

  constructor(log: Log) {
    this.#log = log
  }

  /** Undefined where there is none, or none any more. */
  async at(seq: number): Promise<Member | undefined> {
    if (this.#read.has(seq)) return this.#read.get(seq)
    const member = seq > this.#log.head ? undefined : await this.#member(seq)
    this.#read.set(seq, member)
    return member
  }

  async #member(seq: number): Promise<Member | undefined> {
    try {
      const { id, continues } = this.#log.hot(seq) ?? (await this.#log.read(seq))
      return { seq, id, continues }
    } catch (error) {
      if (error instanceof RecordLostError || error instanceof ShardCorruptError) return undefined
      throw error
    }
  }
}
