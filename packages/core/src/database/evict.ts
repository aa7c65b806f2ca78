import type { Leaf } from '../document/tree.js'
import { HoldsAllError, MynahError, UnconfirmedError } from '../errors.js'
import { spanFrom } from '../log/span.js'
import { acceptIds } from './arguments.js'
import type { CommitQueue } from './commit-queue.js'
import type { Context } from './context.js'
import type { IndexKeeper } from './index-keeper.js'
import { holdsAll } from './owed.js'
import { heldPrefixes, isToHold } from './owed-in-scope.js'
import type { LeafRef } from './replica.js'

/** Documents that a mirror is asked about at once. */
export const EVICT_BATCH = 500
/** How long a mirror may take to answer. */
const ASK_MS = 10_000

/** A leaf with a body that may be dropped, as it was when a mirror was asked. */
interface Held {
  readonly id: string
  readonly leaf: Leaf
}

/**
 * Drops bodies that a mirror holds. Why nothing is lost by it:
 *
 * - A mirror is asked now, and names the very leaf, its body read and its checksum found right, all of it fsynced. What
 *   was not pushed it cannot name. It answers as of a moment at which it was in mode mirror, in which no body is dropped;
 *   and this database takes that mode between two commits, so that it never answers for what it is about to drop.
 * - The drop is planned in the commit queue, and only for a leaf that still is what it was when the mirror was asked.
 * - It is one record, a stub that supplies: durable before the index follows it, so before compaction takes the body. Cut
 *   off before, the body is held as it was; derived from a log that lost the record, the index finds the body that is
 *   there. It takes no place in the feed, and leaves, sums and changes do not know of it.
 */
export class Evictor {
  readonly #context: Context
  readonly #queue: CommitQueue
  readonly #keeper: IndexKeeper

  constructor(context: Context, queue: CommitQueue, keeper: IndexKeeper) {
    this.#context = context
    this.#queue = queue
    this.#keeper = keeper
  }

  /** How many bodies were dropped. @throws DocumentInvalidError, HoldsAllError, UnconfirmedError, StorageError */
  async evict(ids: Iterable<string>): Promise<number> {
    const wanted = [...new Set(acceptIds(ids))]
    this.#requireFree(wanted)
    let evicted = 0
    for (let start = 0; start < wanted.length; start += EVICT_BATCH) {
      try {
        evicted += await this.batch(wanted.slice(start, start + EVICT_BATCH))
      } catch (error) {
        if (error instanceof UnconfirmedError) throw new UnconfirmedError(evicted, { cause: error.cause })
        throw error
      }
    }
    return evicted
  }

  /** The same for at most `EVICT_BATCH` ids, each of them once. */
  async batch(ids: readonly string[]): Promise<number> {
    const { pins } = this.#context
    const held = await this.#keeper.use(() => this.#held(ids))
    if (held.length === 0) return 0
    const confirmed = await this.#confirmed(held)
    const leaves = new Map<string, Leaf[]>()
    for (const { id, leaf } of held.filter((_, index) => confirmed[index]))
      leaves.set(id, [...(leaves.get(id) ?? []), leaf])
    if (leaves.size === 0) return 0
    const evicted = await this.#queue.submit({
      ids: [...leaves.keys()],
      bytes: 0,
      sync: true,
      plan: (plan) => {
        this.#requireFree([...leaves.keys()])
        let dropped = 0
        for (const [id, some] of leaves) {
          const free = some.filter((leaf) => !pins.has(id) && this.#isFree(leaf))
          dropped += plan.drop(id, free)
        }
        return dropped
      },
    })
    // One may have been pinned while its drop was being written.
    pins.lack(leaves.keys())
    return evicted
  }

  /** @throws HoldsAllError where nothing may be dropped, or one of these is to be held */
  #requireFree(ids: readonly string[]): void {
    const isAll = holdsAll(this.#context) && heldPrefixes(this.#context) === undefined
    if (isAll || ids.some((id) => isToHold(this.#context, id))) throw new HoldsAllError()
  }

  async #held(ids: readonly string[]): Promise<Held[]> {
    const { index, pins } = this.#context
    const entries = await index.lookup(ids.filter((id) => !pins.has(id)))
    return ids.flatMap((id) =>
      (entries.get(id)?.leaves ?? []).filter((leaf) => this.#isFree(leaf)).map((leaf) => ({ id, leaf })),
    )
  }

  /** Whether a leaf's body is held, and neither damage nor what is to be fetched because of it has to do with the leaf. */
  #isFree({ seq, bodySeq, deleted }: Leaf): boolean {
    const { log, manifest } = this.#context
    if (bodySeq === 0 || deleted || log.isLost(seq) || log.isLost(bodySeq)) return false
    const owed = spanFrom(manifest.data.owed ?? [], seq)
    return owed === undefined || owed.firstSeq > seq
  }

  async #confirmed(held: readonly Held[]): Promise<readonly boolean[]> {
    const { source, env } = this.#context
    if (source === undefined) throw new UnconfirmedError(0)
    const over = new AbortController()
    const timer = env.setTimer(() => over.abort(new UnconfirmedError(0)), ASK_MS)
    try {
      return await source.confirm(held.map(nameOf), { signal: over.signal })
    } catch (cause) {
      if (cause instanceof MynahError) throw new UnconfirmedError(0, { cause })
      throw cause
    } finally {
      timer.cancel()
    }
  }
}

function nameOf({ id, leaf: { rev, bodyHash } }: Held): LeafRef {
  return { id, rev, ...(bodyHash && { bodyHash }) }
}
