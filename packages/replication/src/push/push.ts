import type { FeedPage, LogRecord, OwnShards, Parked } from '@mynah/core/replica'
import { add, Sender, type SenderOptions, type Sent } from './sender.js'
import { ShardSender } from './shard-sender.js'

/** Raw bytes of one page of the feed, and so of one push. */
const PAGE_BYTES = 1024 * 1024

/** What is pushed to where, and who hears of it. */
export interface PushOptions extends SenderOptions {
  /** After each page that was answered, or needed no answer; `documents` were acknowledged. */
  readonly onPushed: (documents: number) => void
  readonly onRefused: (refused: readonly Parked[]) => void
}

/** Stubs whose bodies may be held all the same: of a document that was too large to come with all of them. */
function cutShort(records: readonly LogRecord[]): readonly LogRecord[] {
  const begun = new Set(records.flatMap(({ kind, id }) => (kind === 'revision' ? [id] : [])))
  return records.filter(({ kind, id }) => kind === 'stub' && begun.has(id))
}

/** Leaves that are the only ones of their documents. */
function loneLeaves(records: readonly LogRecord[]): ReadonlySet<LogRecord> {
  const byId = new Map<string, LogRecord | undefined>()
  for (const record of records) byId.set(record.id, byId.has(record.id) ? undefined : record)
  return new Set([...byId.values()].filter((record) => record !== undefined))
}

/**
 * Sends a mirror what it lacks. Leaves written here are sent at once, and as they lie where they are sealed; others only when the mirror asks for them; all
 * are asked about while there is no valid checkpoint. Where the mirror lacks a leaf that is not held here, and did not
 * give it, it is sent what is held under it. The checkpoint moves after the answer, which comes after the mirror's
 * fsync, and is stored together with what was refused.
 */
export class Push {
  readonly #options: PushOptions
  readonly #again = new Set<string>()
  readonly sender: Sender
  readonly #shards: ShardSender
  /** Undefined before the first run. */
  #asking: boolean | undefined

  constructor(options: PushOptions) {
    this.#options = options
    this.sender = new Sender(options)
    this.#shards = new ShardSender(options, this.sender)
  }

  /** Resolves when the request that is in flight now is over. */
  idle(): Promise<void> {
    return this.sender.idle()
  }

  /** Rejects where the mirror's history is another than the one that was pushed to. */
  async verify(signal: AbortSignal): Promise<void> {
    await this.idle()
    await this.sender.verified(signal)
  }

  /** Sends the document's leaves again, with the next run. */
  again(id: string): void {
    this.#again.add(id)
  }

  /** Sends everything up to the head; resolves when all of it was answered and the checkpoint is stored. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#sendAgain(signal)
    const { replica, progress, info, onPushed } = this.#options
    // A mirror that began empty knows what it was given since, which is what is written here and what it gave.
    this.#asking ??= progress.push.current === undefined && info.position.seq > 0
    let ahead: Promise<FeedPage | OwnShards> | undefined
    for (;;) {
      const since = progress.push.current?.source.seq ?? 0
      if (replica.position().seq <= since) break
      const given = progress.given.upTo(since)
      if (given !== undefined) {
        // The mirror may have learned it since it named a position.
        this.sender.outdate()
        progress.push.advance({ source: given, target: await this.sender.target(signal) })
        await progress.push.storeWhenFar()
        ahead = undefined
        continue
      }
      const part = await (ahead ?? this.#next(since, signal))
      const isShards = 'shards' in part
      // Read while this one is under way.
      ahead = isShards || part.more ? this.#next(part.position.seq, signal) : undefined
      ahead?.catch(() => {})
      const sent = isShards
        ? await this.#sendShards(part, since, signal)
        : await this.#sendPage(part, since, signal)
      if (sent === undefined) {
        ahead = this.#page(since, part.position.seq, signal)
        ahead.catch(() => {})
        continue
      }
      progress.push.advance({ source: part.position, target: await this.sender.target(signal) })
      if (!isShards && !part.more) progress.pushedAll()
      await this.#settle(sent, () => progress.storeMovedPush())
      if (part.position.seq <= since) break
    }
    this.#asking = false
    progress.pushedAll()
    onPushed(0)
  }

  /** What comes next: shards as they lie, where these may go so, else a page up to the next that may. */
  async #next(since: number, signal: AbortSignal): Promise<FeedPage | OwnShards> {
    const found = await this.#shards.next(since, this.#asking === true, signal)
    if (found !== undefined && found.shards.length > 0) return found
    return this.#page(since, found?.position.seq ?? since, signal)
  }

  /**
   * A page; where `upTo` lies past `since`, it ends there at the latest. What follows may go as shards, in which each leaf
   * stands for itself: so all leaves of a document come with the first of them.
   */
  #page(since: number, upTo: number, signal: AbortSignal): Promise<FeedPage> {
    const bound = upTo > since ? { upTo } : {}
    return this.#options.replica.feed({
      since,
      bodies: true,
      bytes: this.#pageBytes,
      signal,
      early: true,
      ...bound,
    })
  }

  /** Undefined where they are to be told as records: the mirror gave them, or takes no shards. */
  async #sendShards(
    { shards, position }: OwnShards,
    since: number,
    signal: AbortSignal,
  ): Promise<Sent | undefined> {
    if (this.#options.progress.isPulled(since, position.seq)) return undefined
    return this.#shards.send(shards, signal)
  }

  /**
   * Sends what the mirror lacks of a page of all that is held here; gives where the next page begins, undefined at the end.
   * What it has refused is left out.
   */
  async offer(since: number, signal: AbortSignal): Promise<number | undefined> {
    const { replica, progress } = this.#options
    const page = await replica.feed({ since, bodies: true, whole: true, bytes: this.#pageBytes, signal })
    const refused = new Set(progress.parked.map(({ id, rev }) => `${rev} ${id}`))
    const held = page.records.filter(
      ({ kind, id, rev }) => kind === 'revision' && !refused.has(`${rev} ${id}`),
    )
    const lacking = await this.sender.missing(held, signal)
    await this.#settle(await this.sender.send(lacking, true, signal))
    return page.more ? page.position.seq : undefined
  }

  get #pageBytes(): number {
    return Math.min(PAGE_BYTES, this.#options.client.pushBytes)
  }

  async #sendPage({ records, position, alone }: FeedPage, since: number, signal: AbortSignal): Promise<Sent> {
    const { replica, progress } = this.#options
    const given = progress.isPulled(since, position.seq) ? loneLeaves(records) : new Set()
    const held = records.filter((record) => record.kind === 'revision' && !given.has(record))
    const wanted = await this.#wanted(held, signal)
    const sent = await (alone
      ? this.sender.sendAlone(wanted, signal)
      : this.sender.send(wanted, false, signal))
    const stubs = new Set(records.filter(({ kind }) => kind === 'stub'))
    for (const leaf of cutShort(records)) {
      const found = await replica.bodies([leaf])
      if (found.length > 0) stubs.delete(leaf)
      add(sent, await this.sender.send(await this.#wanted(found, signal), false, signal))
    }
    const others = [...stubs].filter((leaf) => !given.has(leaf))
    // A page may give what changed behind its position: that says nothing of where the mirror stood.
    if (given.size + others.length > 0) this.sender.outdate()
    add(sent, await this.sender.sendUnder(await this.sender.missing(others, signal), signal))
    return sent
  }

  async #sendAgain(signal: AbortSignal): Promise<void> {
    for (const id of this.#again) {
      const { replica } = this.#options
      const leaves = await replica.leaves(id)
      const records = leaves.filter(({ kind }) => kind === 'revision')
      const sent = await this.sender.send(records, true, signal)
      for (const leaf of leaves.filter(({ kind }) => kind === 'stub')) {
        const [found] = await replica.bodies([leaf], { whole: true })
        const under = found === undefined ? (await replica.heldUnder([leaf])).records : [found]
        add(sent, await this.sender.send(under, true, signal))
      }
      await this.#settle(sent)
      this.#again.delete(id)
    }
  }

  async #settle(
    { accepted, refused }: Sent,
    store = () => this.#options.progress.push.store(),
  ): Promise<void> {
    const { progress, onPushed, onRefused } = this.#options
    for (const { id } of refused) accepted.delete(id)
    if (accepted.size === 0 && refused.length === 0) {
      await progress.push.storeWhenFar()
    } else {
      await progress.park(accepted, refused)
      await store()
    }
    onPushed(accepted.size)
    if (refused.length > 0) onRefused(refused)
  }

  /** Those of the records, all held here, that the mirror may lack. */
  async #wanted(held: readonly LogRecord[], signal: AbortSignal): Promise<readonly LogRecord[]> {
    const asked = held.filter(({ origin }) => this.#asking || origin !== this.#options.replica.id)
    const missing = new Set(await this.sender.missing(asked, signal))
    const known = new Set(asked.filter((record) => !missing.has(record)))
    return held.filter((record) => !known.has(record))
  }
}
