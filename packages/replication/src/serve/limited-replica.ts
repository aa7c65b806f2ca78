import type { IdRange, LeafRef, LogRecord, MergeOptions, MergeOutcome } from '@mynah/core/replica'
import { RequestRefusedError } from './failures.js'
import type { IdPrefixes } from './id-prefixes.js'
import type { ServedReplica } from './served.js'

/** Ids that are looked at, a page of `owed` at a time, to count what is owed. */
const COUNT_IDS = 50_000
const COUNT_PAGES = 4

/**
 * A replica as a token reaches it that is limited to some ids. What names others, or tells of more, is refused; of what
 * is asked about leaves, only those within are answered from the replica. Positions are the whole database's: they tell
 * how much is written, and nothing of what.
 */
export class LimitedReplica implements ServedReplica {
  readonly #replica: ServedReplica
  readonly #ids: IdPrefixes
  readonly position: ServedReplica['position']
  readonly holds: ServedReplica['holds']
  readonly onCommit: ServedReplica['onCommit']

  constructor(replica: ServedReplica, ids: IdPrefixes) {
    this.#replica = replica
    this.#ids = ids
    this.position = () => replica.position()
    this.holds = (position) => replica.holds(position)
    this.onCommit = (listener) => replica.onCommit(listener)
  }

  get id(): string {
    return this.#replica.id
  }

  get mode(): 'peer' | 'mirror' {
    return this.#replica.mode
  }

  /** Only for prefixes within: who asked for more would take what it gets for all there is. */
  feed: ServedReplica['feed'] = async (options) => {
    const { prefixes } = options
    if (!prefixes?.length || !prefixes.every((prefix) => this.#ids.includes(prefix)))
      throw forbidden('This token reaches only some prefixes: ask for these (GET of the database names them)')
    return await this.#replica.feed(options)
  }

  sum: ServedReplica['sum'] = async (range) => {
    this.#require(range)
    return await this.#replica.sum(range)
  }

  parts: ServedReplica['parts'] = async (range, partsFor) => {
    this.#require(range)
    return await this.#replica.parts(range, partsFor)
  }

  prints: ServedReplica['prints'] = async (range, most) => {
    this.#require(range)
    return await this.#replica.prints(range, most)
  }

  /** What is not within is wanted: so it is pushed, refused, and ends in the sender's inbox. */
  missing: ServedReplica['missing'] = async (leaves) => {
    const within = this.#within(leaves)
    const wanted = (await this.#replica.missing(within)).values()
    return leaves.map(({ id }) => !this.#ids.includes(id) || wanted.next().value!)
  }

  /** What is not within is not held, so that nobody drops it for this answer. */
  held: ServedReplica['held'] = async (leaves) => {
    const answer = await this.#replica.held(this.#within(leaves))
    const held = answer.held.values()
    return { ...answer, held: leaves.map(({ id }) => this.#ids.includes(id) && held.next().value!) }
  }

  /** @throws RequestRefusedError where a leaf is not within: absence would say that there is no such document */
  bodies: ServedReplica['bodies'] = async (leaves, options) => {
    for (const { id } of leaves) this.#requireId(id)
    return await this.#replica.bodies(leaves, options)
  }

  leaves: ServedReplica['leaves'] = async (id) => {
    this.#requireId(id)
    return await this.#replica.leaves(id)
  }

  owed: ServedReplica['owed'] = async ({ after: asked, ...options }) => {
    if (asked !== undefined) this.#requireId(asked)
    // In mode peer a page's end is no id, and nobody is to know what a peer lacks.
    if (this.mode === 'peer') return { leaves: [] }
    for (let after = this.#ids.upTo(asked); after !== undefined; ) {
      const page = await this.#replica.owed({ ...options, after })
      const leaves = this.#within(page.leaves)
      if (page.next === undefined) return { leaves }
      const last = leaves.at(-1)?.id
      if (this.#ids.includes(page.next)) return { leaves, next: page.next }
      // No id of others is told.
      if (last !== undefined) return { leaves, next: last }
      after = this.#ids.upTo(page.next)
    }
    return { leaves: [] }
  }

  /** Of a very large database at least so many. */
  owedCount: ServedReplica['owedCount'] = async () => {
    if ((await this.#replica.owedCount()) === 0) return 0
    let count = 0
    let after: string | undefined
    for (let page = 0; page < COUNT_PAGES; page++) {
      const { leaves, next } = await this.owed({
        limit: COUNT_IDS,
        ids: COUNT_IDS,
        ...(after !== undefined && { after }),
      })
      count += leaves.length
      after = next
      if (after === undefined) break
    }
    return count
  }

  /** What lies in a shard is of all ids. */
  shards: ServedReplica['shards'] = async () => {
    throw forbidden('Shards are of the whole database, and the token reaches a part')
  }

  /** The same: what is within may be pushed as records. */
  takeShards: ServedReplica['takeShards'] = async () => {
    throw forbidden('Shards are of the whole database, and the token reaches a part')
  }

  /** A record that is not within is refused, with what belongs to its transaction; the others are taken. */
  merge: ServedReplica['merge'] = async (records, options) => {
    const within = this.#mayMerge(records, options)
    const { outcomes, ...report } = await this.#replica.merge(
      records.filter((_, index) => within[index]),
      options,
    )
    const taken = outcomes.values()
    return { ...report, outcomes: within.map((may): MergeOutcome => (may ? taken.next().value! : refused())) }
  }

  #mayMerge(records: readonly LogRecord[], { from }: MergeOptions = {}): boolean[] {
    const within: boolean[] = []
    let begun = 0
    for (const [index, { id, continues }] of records.entries()) {
      within.push(this.#ids.includes(id))
      if (continues && from === 'peer' && index < records.length - 1) continue
      const whole = within.slice(begun).every(Boolean)
      within.fill(whole, begun)
      begun = within.length
    }
    return within
  }

  #within<T extends LeafRef>(leaves: readonly T[]): T[] {
    return leaves.filter(({ id }) => this.#ids.includes(id))
  }

  #requireId(id: string): void {
    if (!this.#ids.includes(id)) throw forbidden('This token does not reach this id')
  }

  #require(range: IdRange): void {
    if (!this.#ids.covers(range)) throw forbidden('This token does not reach all ids of this range')
  }
}

/** What a token does not allow: told before anything is looked up, so that it tells nothing of what there is. */
export function forbidden(message: string): RequestRefusedError {
  return new RequestRefusedError('MYNAH_FORBIDDEN', message)
}

function refused(): MergeOutcome {
  return {
    result: 'refused',
    error: forbidden('This token does not reach the id, or not all of its transaction'),
  }
}
