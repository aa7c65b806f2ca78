import type { Env } from '@mynah/core'
import {
  encodeRecords,
  type FeedPage,
  type LogRecord,
  type Parked,
  type Position,
  type Replica,
} from '@mynah/core/replica'
import { MirrorAnswerError } from './errors.js'
import type { MirrorClient } from './mirror-client.js'
import type { Progress } from './progress.js'
import type { DatabaseInfo, PushAnswer } from './protocol/messages.js'
import { recordCodes, wireLimits } from './protocol/names.js'

/** Raw bytes of one page of the feed, and so of one push. */
const PAGE_BYTES = 1024 * 1024
/** Leaves that are looked under at once: each may bring a body. */
const UNDER_LEAVES = 100

export interface PushOptions {
  readonly replica: Replica
  readonly env: Env
  readonly client: MirrorClient
  readonly progress: Progress
  /** As the mirror told it when the session began. */
  readonly info: DatabaseInfo
  /** After each page that was answered, or needed no answer; `documents` were acknowledged. */
  readonly onPushed: (documents: number) => void
  readonly onRefused: (refused: readonly Parked[]) => void
}

/** What became of records that were sent. */
interface Sent {
  readonly accepted: Set<string>
  readonly refused: Parked[]
}

function add(sent: Sent, more: Sent): void {
  for (const id of more.accepted) sent.accepted.add(id)
  sent.refused.push(...more.refused)
}

/** Undefined for several records that are more than one shard takes. */
async function shardOf(records: readonly LogRecord[], env: Env): Promise<Uint8Array | undefined> {
  try {
    return await encodeRecords(records, env)
  } catch (error) {
    if (error instanceof RangeError && records.length > 1) return undefined
    throw error
  }
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
 * Sends a mirror what it lacks. Leaves written here are sent at once, others only when the mirror asks for them; all
 * are asked about while there is no valid checkpoint. Where the mirror lacks a leaf that is not held here, and did not
 * give it, it is sent what is held under it. The checkpoint moves after the answer, which comes after the mirror's
 * fsync, and is stored together with what was refused.
 */
export class Push {
  readonly #options: PushOptions
  readonly #again = new Set<string>()
  #asking: boolean
  /** The mirror's newest position that an answer named: the target of the next checkpoint. */
  #seen: Position
  /** Whether that may be older than what the mirror said it knows, or gave. */
  #outdated = false
  #inFlight: Promise<unknown> = Promise.resolve()

  constructor(options: PushOptions) {
    this.#options = options
    this.#asking = options.progress.push.current === undefined
    this.#seen = options.info.position
  }

  /** Resolves when the request that is in flight now is over. */
  async idle(): Promise<void> {
    await this.#inFlight.catch(() => {})
  }

  /** Rejects where the mirror's history is another than the one that was pushed to. */
  async verify(signal: AbortSignal): Promise<void> {
    await this.idle()
    await this.#verified(signal)
  }

  /** Sends the document's leaves again, with the next run. */
  again(id: string): void {
    this.#again.add(id)
  }

  /** Sends everything up to the head; resolves when all of it was answered and the checkpoint is stored. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#sendAgain(signal)
    const { replica, progress, onPushed } = this.#options
    for (;;) {
      const since = progress.push.current?.source.seq ?? 0
      if (replica.position().seq <= since) break
      const page = await replica.feed({ since, bodies: true, bytes: PAGE_BYTES, signal })
      const sent = await this.#sendPage(page, since, signal)
      if (this.#outdated) this.#seen = (await this.#verified(signal)).position
      this.#outdated = false
      progress.push.advance({ source: page.position, target: this.#seen })
      if (!page.more) progress.pushedAll()
      await this.#settle(sent)
      if (page.position.seq <= since) break
    }
    this.#asking = false
    progress.pushedAll()
    onPushed(0)
  }

  async #sendPage({ records, position }: FeedPage, since: number, signal: AbortSignal): Promise<Sent> {
    const { replica, progress } = this.#options
    const held = records.filter(({ kind }) => kind === 'revision')
    const sent = await this.#send(await this.#wanted(held, signal), false, signal)
    const stubs = new Set(records.filter(({ kind }) => kind === 'stub'))
    for (const leaf of cutShort(records)) {
      const found = await replica.bodies([leaf])
      if (found.length > 0) stubs.delete(leaf)
      add(sent, await this.#send(await this.#wanted(found, signal), false, signal))
    }
    if (stubs.size > 0) this.#outdated = true
    const given = progress.isPulled(since, position.seq) ? loneLeaves(records) : new Set()
    const others = [...stubs].filter((leaf) => !given.has(leaf))
    add(sent, await this.#sendUnder(await this.#missing(others, signal), signal))
    return sent
  }

  /** Sends what is held under leaves that are neither held here nor there. */
  async #sendUnder(leaves: readonly LogRecord[], signal: AbortSignal): Promise<Sent> {
    const sent: Sent = { accepted: new Set(), refused: [] }
    for (let start = 0; start < leaves.length; ) {
      const under = await this.#options.replica.heldUnder(leaves.slice(start, start + UNDER_LEAVES))
      add(sent, await this.#send(await this.#missing(under.records, signal), true, signal))
      start += under.done
    }
    return sent
  }

  async #sendAgain(signal: AbortSignal): Promise<void> {
    for (const id of this.#again) {
      const { replica } = this.#options
      const leaves = await replica.leaves(id)
      const records = leaves.filter(({ kind }) => kind === 'revision')
      const sent = await this.#send(records, true, signal)
      for (const leaf of leaves.filter(({ kind }) => kind === 'stub')) {
        const [found] = await replica.bodies([leaf], { whole: true })
        const under = found === undefined ? (await replica.heldUnder([leaf])).records : [found]
        add(sent, await this.#send(under, true, signal))
      }
      await this.#settle(sent)
      this.#again.delete(id)
    }
  }

  async #settle({ accepted, refused }: Sent): Promise<void> {
    const { progress, onPushed, onRefused } = this.#options
    for (const { id } of refused) accepted.delete(id)
    if (accepted.size === 0 && refused.length === 0) {
      await progress.push.storeWhenFar()
    } else {
      progress.park(accepted, refused)
      await progress.storePush()
    }
    onPushed(accepted.size)
    if (refused.length > 0) onRefused(refused)
  }

  /** Those of the records, all held here, that the mirror may lack. */
  async #wanted(held: readonly LogRecord[], signal: AbortSignal): Promise<readonly LogRecord[]> {
    const asked = held.filter(({ origin }) => this.#asking || origin !== this.#options.replica.id)
    const missing = new Set(await this.#missing(asked, signal))
    const known = new Set(asked.filter((record) => !missing.has(record)))
    return held.filter((record) => !known.has(record))
  }

  /** Those of the records that the mirror says it lacks. */
  async #missing(records: readonly LogRecord[], signal: AbortSignal): Promise<readonly LogRecord[]> {
    const lacking: LogRecord[] = []
    for (let start = 0; start < records.length; start += wireLimits.missingLeaves) {
      const chunk = records.slice(start, start + wireLimits.missingLeaves)
      const missing = await this.#options.client.missing(chunk, signal)
      lacking.push(...chunk.filter((_, index) => missing[index] !== false))
    }
    // What the mirror knows it may have learned since the last answer: the checkpoint must name a place after that.
    if (lacking.length < records.length) this.#outdated = true
    return lacking
  }

  async #send(records: readonly LogRecord[], whole: boolean, signal: AbortSignal): Promise<Sent> {
    const sent: Sent = { accepted: new Set(), refused: [] }
    const { batchRecords } = this.#options.info.limits
    const lengthMax = Math.max(1, Math.min(batchRecords, wireLimits.batchRecords))
    for (let start = 0; start < records.length; start += lengthMax) {
      add(sent, await this.#sendBatch(records.slice(start, start + lengthMax), whole, signal))
    }
    return sent
  }

  async #sendBatch(records: readonly LogRecord[], whole: boolean, signal: AbortSignal): Promise<Sent> {
    const shard = await shardOf(records, this.#options.env)
    const bytesMax = Math.min(this.#options.info.limits.requestBytes, wireLimits.requestBytes)
    if (shard === undefined || shard.length > bytesMax) {
      return this.#sendParts(records, shard?.length ?? 0, whole, signal)
    }
    const answer = await this.#answered(shard, whole, signal)
    const accepted = new Set(records.map(({ id }) => id))
    const refused: Parked[] = []
    const detached: LogRecord[] = []
    for (const { index, code, reason } of answer.exceptions) {
      const record = records[index]
      if (record === undefined) throw this.#unfit('an exception for a record that was not sent')
      accepted.delete(record.id)
      if (code === recordCodes.detached && !whole) detached.push(record)
      else refused.push(this.#parked(record, code, reason))
    }
    if (detached.length === 0) return { accepted, refused }
    const sent: Sent = { accepted, refused }
    add(sent, await this.#send(await this.#options.replica.bodies(detached, { whole: true }), true, signal))
    return sent
  }

  /** Halves a batch that is too long; a record that is too long alone is refused on the mirror's behalf. */
  async #sendParts(
    records: readonly LogRecord[],
    shardBytes: number,
    whole: boolean,
    signal: AbortSignal,
  ): Promise<Sent> {
    const [first] = records
    if (first !== undefined && records.length === 1) {
      const reason = `${shardBytes} bytes are more than the mirror takes`
      return { accepted: new Set(), refused: [this.#parked(first, 'MYNAH_REQUEST_TOO_LARGE', reason)] }
    }
    const middle = records.length >> 1
    const sent = await this.#sendBatch(records.slice(0, middle), whole, signal)
    add(sent, await this.#sendBatch(records.slice(middle), whole, signal))
    return sent
  }

  async #answered(shard: Uint8Array, whole: boolean, signal: AbortSignal): Promise<PushAnswer> {
    const { client, progress } = this.#options
    const pulled = progress.pull.current?.source
    const request = client.push(shard, whole, signal)
    this.#inFlight = request
    const answer = await request
    if (!this.#follows(answer.position)) await this.#verified(signal)
    this.#seen = answer.position
    progress.skipEcho(answer, pulled)
    return answer
  }

  /** Whether the position plainly comes after the last one in the same history. */
  #follows({ incarnation, seq }: Position): boolean {
    return this.#seen.seq === 0 || (incarnation === this.#seen.incarnation && seq >= this.#seen.seq)
  }

  /**
   * Asks the mirror whether its history is still the same, as it may have been restored from an old copy under this
   * session.
   */
  async #verified(signal: AbortSignal): Promise<DatabaseInfo> {
    const { client, progress } = this.#options
    const pulled = progress.pull.current?.source
    const asked = [this.#seen, ...(pulled === undefined ? [] : [pulled])]
    const info = await client.info(asked, signal)
    if (info.id !== progress.databaseId || info.holds?.includes(false) === true) {
      throw this.#unfit('its history is not the one of before')
    }
    return info
  }

  #parked({ id, rev }: LogRecord, code: string, reason: string): Parked {
    return { id, rev, code, reason, mirror: this.#options.client.address }
  }

  #unfit(detail: string): MirrorAnswerError {
    return new MirrorAnswerError(this.#options.client.address, 200, detail)
  }
}
