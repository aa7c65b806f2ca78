import { pathOf, readable } from '../changes/ancestry.js'
import type { Fields } from '../codec/value.js'
import { conflictsOf, type Leaf, leafKey } from '../document/tree.js'
import { acceptId, acceptRev } from '../document/validate.js'
import { MynahError, ShardCorruptError, StaleError, UnreachableError } from '../errors.js'
import type { Entry } from '../index/entry.js'
import type { LogRecord } from '../log/record.js'
import { askWithin, WAIT_MS } from './ask-within.js'
import { assemble, plain } from './assemble.js'
import type { Context } from './context.js'
import type { Read, ReadOptions, Stored } from './documents.js'
import { type Found, named } from './found.js'
import { supersededRevision } from './past.js'
import type { BodySource, LeafRef, MergeOutcome, MergeReport } from './replica.js'

const READ_BATCH = 256

/** Takes what a read fetched into the database. */
export type Keep = (records: readonly LogRecord[]) => Promise<MergeReport>

interface Kept {
  readonly records: readonly LogRecord[]
  /** One for each of `records`. */
  readonly outcomes: readonly MergeOutcome[]
}

/** Reads at each freshness: from what is held, and from a mirror where that is asked for or needed. */
export class Reader {
  readonly #context: Context
  readonly #keep: Keep

  constructor(context: Context, keep: Keep) {
    this.#context = context
    this.#keep = keep
  }

  /** The document at once when RAM has it and it is current; undefined says nothing. */
  hot(id: string): Stored | undefined {
    if (typeof id !== 'string' || !this.#covers(id)) return undefined
    this.#context.budget?.used(id)
    const leaf = this.#context.index.getNow(id)?.leaves[0]
    if (leaf === undefined || leaf.deleted || leaf.bodySeq === 0) return undefined
    try {
      const record = this.#context.log.hot(leaf.bodySeq)
      return record && assemble(id, leaf.rev, plain(record))
    } catch (error) {
      // A read that may wait can ask a mirror.
      if (error instanceof ShardCorruptError) return undefined
      throw error
    }
  }

  /** What `read` would give, at once, as `hot` does. */
  hotRead(id: string): Read | undefined {
    const doc = this.hot(id)
    if (doc === undefined) return undefined
    const conflicts = conflictsOf(this.#context.index.getNow(id)?.leaves ?? []).map((leaf) => leaf.rev)
    return { doc, current: true, asOf: this.#asOf(id), deleted: false, conflicts, from: 'local' }
  }

  async read(id: string, options: ReadOptions = {}): Promise<Read> {
    acceptId(id)
    this.#context.budget?.used(id)
    options.signal?.throwIfAborted()
    const found = await (options.rev === undefined
      ? this.#winner(id, options)
      : this.#revision(id, acceptRev(options.rev), options))
    const leaves = (await this.#context.index.get(id))?.leaves ?? []
    if (!found.current && options.strict) throw new StaleError(id)
    const { rev, body, current, asOf, from } = found
    return {
      ...(rev !== undefined && body && { doc: assemble(id, rev, body) }),
      current,
      asOf,
      deleted: found.deleted ?? leaves[0]?.deleted ?? false,
      conflicts: conflictsOf(leaves).map((leaf) => leaf.rev),
      from,
    }
  }

  /** Of ids that are some. */
  async getMany(wanted: readonly string[], options?: ReadOptions): Promise<(Stored | undefined)[]> {
    const entries = await this.#context.index.lookup(wanted)
    const { env } = this.#context
    const begunMs = env.monotonicMs()
    await this.#fetchMissing(wanted, entries, options)
    // What was waited for together counts for each.
    const waitMs = Math.max(0, (options?.waitMs ?? WAIT_MS) - (env.monotonicMs() - begunMs))
    const docs: (Stored | undefined)[] = []
    for (let i = 0; i < wanted.length; i += READ_BATCH) {
      const slice = wanted.slice(i, i + READ_BATCH)
      docs.push(
        ...(await Promise.all(slice.map(async (id) => (await this.read(id, { ...options, waitMs })).doc))),
      )
    }
    return docs
  }

  /** One question for all that is known and not held, rather than one each. */
  async #fetchMissing(
    ids: readonly string[],
    entries: Map<string, Entry>,
    options: ReadOptions = {},
  ): Promise<void> {
    const source = this.#context.source
    if (!source || (options.freshness ?? 'index') !== 'index' || options.rev !== undefined) return
    const missing = ids.flatMap((id) => {
      const leaf = entries.get(id)?.leaves[0]
      return leaf && !leaf.deleted && leaf.bodySeq === 0 ? [named(id, leaf)] : []
    })
    if (missing.length === 0) return
    try {
      await askWithin(this.#context.env, options, (signal) => this.#fetchLeaves(missing, source, signal))
    } catch (error) {
      options.signal?.throwIfAborted()
      // Each read then tells what it has.
      if (!(error instanceof MynahError)) throw error
    }
  }

  /** Whether the index speaks for this id: it covers it, or there is nobody else to ask. */
  #covers(id: string): boolean {
    const { source, mode, manifest } = this.#context
    if (source) return source.covers(id)
    const { doubt, replication } = manifest.data
    return doubt !== true && (mode === 'mirror' || replication.mirrors.length === 0)
  }

  #asOf(id: string): Date | undefined {
    const { source, env } = this.#context
    if (source) return source.asOf(id)
    return this.#covers(id) ? new Date(env.now()) : undefined
  }

  async #winner(id: string, options: ReadOptions): Promise<Found> {
    const freshness = options.freshness ?? 'index'
    const covered = this.#covers(id)
    let known = (await this.#context.index.get(id))?.leaves[0]
    while (freshness !== 'mirror' && covered) {
      const about = { current: true, from: 'local', asOf: this.#asOf(id) } as const
      const found: Found | undefined = known ? await this.#held(id, known, about) : about
      if (found) return found
      // It may have been superseded, and its record dropped, meanwhile.
      const now = (await this.#context.index.get(id))?.leaves[0]
      if (now?.rev === known?.rev && now?.bodySeq === known?.bodySeq) break
      known = now
    }
    const nothing = { current: false, from: 'local', asOf: this.#asOf(id) } as const
    if (freshness === 'local') return (await this.#newestHeld(id)) ?? nothing
    const { source } = this.#context
    let cause: unknown
    if (source) {
      try {
        const whole = freshness === 'mirror' || !covered || known === undefined
        return await askWithin(this.#context.env, options, (signal) =>
          this.#fetch(id, whole ? undefined : known, source, signal),
        )
      } catch (error) {
        options.signal?.throwIfAborted()
        if (!(error instanceof MynahError)) throw error
        cause = error
      }
    }
    const stale = await this.#newestHeld(id)
    if (stale === undefined) throw new UnreachableError(id, { cause })
    return stale
  }

  /**
   * Asks a mirror for one leaf, or for all of the document, keeps the answer, and gives the winner as it is then. Where
   * the mirror has gone on from that leaf, it is asked for all.
   */
  async #fetch(id: string, leaf: Leaf | undefined, source: BodySource, signal: AbortSignal): Promise<Found> {
    const { index, env } = this.#context
    const { records, outcomes } = leaf
      ? await this.#fetchLeaves([named(id, leaf)], source, signal)
      : await this.#keepOnly(await source.fetchDocument(id, { signal }), (record) => record.id === id)
    const winner = (await index.get(id))?.leaves[0]
    const asOf = leaf ? this.#asOf(id) : new Date(env.now())
    const about = { current: true, from: 'mirror', asOf } as const
    if (winner === undefined) return about
    const found = await this.#held(id, winner, about)
    if (found) return found
    // The log may have lost what the index says it holds.
    const fetched = records.find(
      (record, i) =>
        record.rev === winner.rev && record.body !== undefined && outcomes[i]?.result !== 'refused',
    )
    if (fetched) return { rev: winner.rev, body: plain(fetched), ...about }
    if (leaf) return this.#fetch(id, undefined, source, signal)
    // The mirror knows it, and does not hold it: others may.
    const { records: others, outcomes: kept } = await this.#fetchLeaves([named(id, winner)], source, signal)
    const body = others.find((_, i) => kept[i]?.result !== 'refused')
    if (body?.body !== undefined) return { rev: winner.rev, body: plain(body), ...about }
    throw new UnreachableError(id)
  }

  async #fetchLeaves(leaves: readonly LeafRef[], source: BodySource, signal: AbortSignal): Promise<Kept> {
    const asked = new Set(leaves.map((leaf) => `${leaf.id} ${leafKey(leaf)}`))
    const records = await source.fetch(leaves, { signal })
    return this.#keepOnly(records, (record) => asked.has(`${record.id} ${leafKey(record)}`))
  }

  /** Whatever else a mirror sends than was asked for is left. */
  async #keepOnly(sent: readonly LogRecord[], wanted: (record: LogRecord) => boolean): Promise<Kept> {
    const records = sent.filter(wanted)
    const { outcomes } = await this.#keep(records)
    return { records, outcomes }
  }

  /** A leaf's body where it is held; a tombstone has none. */
  async #held(
    id: string,
    leaf: Leaf,
    about: Pick<Found, 'current' | 'from' | 'asOf'>,
  ): Promise<Found | undefined> {
    if (leaf.deleted) return { rev: leaf.rev, ...about }
    if (leaf.bodySeq === 0) return undefined
    const record = await readable(this.#context.log, leaf.bodySeq)
    return record && record.id === id ? { rev: leaf.rev, body: plain(record), ...about } : undefined
  }

  /** The best leaf that is held, else the newest superseded revision with a body; nothing that was deleted since. */
  async #newestHeld(id: string): Promise<Found | undefined> {
    const { index, log } = this.#context
    const leaves = (await index.get(id))?.leaves ?? []
    const about = { current: false, from: 'local', asOf: this.#asOf(id) } as const
    for (const leaf of leaves) {
      // Behind a live leaf a tombstone says nothing of the document.
      if (leaf.deleted && leaf !== leaves[0]) break
      const found = await this.#held(id, leaf, about)
      if (found) return found
    }
    if (leaves.length === 0) return undefined
    const deleted = new Set<string>()
    for (const leaf of leaves.filter((one) => one.deleted))
      for (const rev of await pathOf(log, index, id, leaf)) deleted.add(rev)
    for (const { seq, bodySeq, rev } of await index.history(id)) {
      const record = await readable(log, bodySeq === 0 ? seq : bodySeq)
      // What was deleted before it was made anew must not come back.
      if (record?.deleted) return undefined
      if (record?.body !== undefined && !deleted.has(rev)) return { rev, body: plain(record), ...about }
    }
    return undefined
  }

  async #revision(id: string, rev: string, options: ReadOptions): Promise<Found> {
    const leaves = (await this.#context.index.get(id))?.leaves ?? []
    const leaf = leaves.find((one) => one.rev === rev)
    const current = leaf !== undefined && leaf === leaves[0] && this.#covers(id)
    const about = { current, from: 'local', asOf: this.#asOf(id), deleted: leaf?.deleted ?? false } as const
    try {
      if (leaf === undefined) {
        const found = await supersededRevision(this.#context, id, rev)
        return { ...about, deleted: found?.deleted ?? false, ...(found?.body && { rev, body: found.body }) }
      }
      const found = await this.#held(id, leaf, about)
      if (found) return found
      if (options.freshness === 'local') return { ...about, current: false }
      const body = await this.leafBody(id, leaf, options)
      return { ...about, from: 'mirror', ...(body ? { rev, body } : { deleted: true }) }
    } catch (error) {
      if (options.freshness === 'local' && error instanceof UnreachableError) return about
      throw error
    }
  }

  /** The body of a leaf that is known and not held, from a mirror; undefined for a tombstone. @throws UnreachableError */
  async leafBody(id: string, leaf: Leaf, options: ReadOptions): Promise<Fields | undefined> {
    const { index, source } = this.#context
    if (!source) throw new UnreachableError(id)
    return askWithin(this.#context.env, options, async (signal) => {
      await this.#fetchLeaves([named(id, leaf)], source, signal)
      const supplied = (await index.get(id))?.leaves.find((one) => leafKey(one) === leafKey(leaf))
      const about = { current: true, from: 'mirror', asOf: undefined } as const
      const fetched = supplied && (await this.#held(id, supplied, about))
      if (!fetched) throw new UnreachableError(id)
      return fetched.body
    })
  }

  /**
   * Has a mirror give the bodies of leaves that are known and not held, which are kept; gives those that came.
   * @throws UnreachableError when no mirror answers
   */
  async fetchBodies(
    id: string,
    leaves: readonly Leaf[],
    options: ReadOptions,
  ): Promise<readonly LogRecord[]> {
    const { source } = this.#context
    if (!source) throw new UnreachableError(id)
    const wanted = leaves.map((leaf) => named(id, leaf))
    const { records, outcomes } = await askWithin(this.#context.env, options, (signal) =>
      this.#fetchLeaves(wanted, source, signal),
    )
    return records.filter((_, at) => outcomes[at]?.result !== 'refused')
  }
}
