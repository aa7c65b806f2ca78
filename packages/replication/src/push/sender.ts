import type { Env } from '@mynah/core'
import {
  encodeRecords,
  type LeafRef,
  type LogRecord,
  type Parked,
  type Position,
  type Replica,
} from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import { MirrorAnswerError } from '../errors.js'
import type { Progress } from '../mirror/progress.js'
import type { DatabaseInfo, PushAnswer } from '../protocol/messages.js'
import { recordCodes, wireLimits } from '../protocol/names.js'

/** Leaves that are looked under at once: each may bring a body. */
export const UNDER_LEAVES = 100

/** What is sent to where. */
export interface SenderOptions {
  readonly replica: Replica
  readonly env: Env
  readonly client: MirrorClient
  readonly progress: Progress
  /** As the mirror told it when the session began. */
  readonly info: DatabaseInfo
}

/** What became of records that were sent. */
export interface Sent {
  readonly accepted: Set<string>
  readonly refused: Parked[]
}

/** Counts what became of more records to the first. */
export function add(sent: Sent, more: Sent): void {
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

/** A record, or the leaves of a transaction: never in two requests. */
type Part = readonly LogRecord[]

/** As it travels: each but the last says that its transaction goes on. */
function marked(part: Part): readonly LogRecord[] {
  return part.map((record, at) => (at < part.length - 1 ? { ...record, continues: true } : record))
}

/** Text that is the same for the same leaf only: one of foreign revs that share a rev has its body's hash too. */
export function nameOf({ id, rev, bodyHash }: LeafRef): string {
  return JSON.stringify([id, rev, bodyHash === undefined ? '' : String(bodyHash)])
}

function isSameHistory(position: Position, other: Position): boolean {
  return other.seq === 0 || position.incarnation === other.incarnation
}

/** Whether the position plainly comes after the other one in the same history. */
function isBehind(position: Position, other: Position): boolean {
  return isSameHistory(position, other) && position.seq >= other.seq
}

/** Sends records to a mirror, in requests as large as it takes, and follows its history as the answers name it. */
export class Sender {
  readonly #options: SenderOptions
  /** The mirror's newest position that it named: the target of the next checkpoint. */
  #seen: Position
  #echoed: Position
  /** Whether that may be older than what the mirror said it knows, or gave. */
  #outdated = false
  #inFlight: Promise<unknown> = Promise.resolve()

  constructor(options: SenderOptions) {
    this.#options = options
    this.#seen = options.info.position
    this.#echoed = options.info.position
  }

  /** The mirror's position when the session began, or behind that, after nothing but what was sent since. */
  get echoed(): Position {
    return this.#echoed
  }

  /** Says that what the mirror knows it may have learned since it named a position. */
  outdate(): void {
    this.#outdated = true
  }

  /** A position that is not older than anything that the mirror said: a checkpoint must name a place after that. */
  async target(signal: AbortSignal): Promise<Position> {
    if (this.#outdated) this.#seen = (await this.verified(signal)).position
    this.#outdated = false
    return this.#seen
  }

  /** Resolves when the request that is in flight now is over. */
  async idle(): Promise<void> {
    await this.#inFlight.catch(() => {})
  }

  /** The newest that the mirror named. */
  get seen(): Position {
    return this.#seen
  }

  /**
   * Takes a position that the mirror named, before anything is concluded from what it told with it. Rejects where its
   * history is another than the one of before.
   * @param before what was seen when the mirror was asked; default: now
   */
  async see(position: Position, signal: AbortSignal, before = this.#seen): Promise<void> {
    // Another answer may have come meanwhile, of a mirror that had been put back.
    const isPlain = isBehind(position, before) && isSameHistory(position, this.#seen)
    if (!isPlain) await this.verified(signal, position)
    if (position.seq > this.#seen.seq) this.#seen = position
  }

  /** Those of the leaves that the mirror says it lacks. */
  async missing<T extends LeafRef>(records: readonly T[], signal: AbortSignal): Promise<readonly T[]> {
    const lacking: T[] = []
    for (let start = 0; start < records.length; start += wireLimits.missingLeaves) {
      const chunk = records.slice(start, start + wireLimits.missingLeaves)
      const missing = await this.#options.client.missing(chunk, signal)
      lacking.push(...chunk.filter((_, index) => missing[index] !== false))
    }
    if (lacking.length < records.length) this.outdate()
    return lacking
  }

  /** Sends what is held under leaves that are neither held here nor there. */
  async sendUnder(leaves: readonly LeafRef[], signal: AbortSignal): Promise<Sent> {
    const sent: Sent = { accepted: new Set(), refused: [] }
    for (let start = 0; start < leaves.length; ) {
      const under = await this.#options.replica.heldUnder(leaves.slice(start, start + UNDER_LEAVES))
      add(sent, await this.send(await this.missing(under.records, signal), true, signal))
      start += under.done
    }
    return sent
  }

  /**
   * What of the records was taken is durable there. `whole` says that their paths are. Leaves that were written in one
   * transaction are sent in one request, also those of them that were not given, and taken or refused together.
   */
  async send(records: readonly LogRecord[], whole: boolean, signal: AbortSignal): Promise<Sent> {
    return this.#sendAll(await this.#parts(records, whole), whole, signal)
  }

  /** As `send`, of leaves that are known to have been written each alone. */
  sendAlone(records: readonly LogRecord[], signal: AbortSignal): Promise<Sent> {
    const parts = records.map((record) => [record])
    return this.#sendAll(parts, false, signal)
  }

  async #sendAll(parts: readonly Part[], whole: boolean, signal: AbortSignal): Promise<Sent> {
    const sent: Sent = { accepted: new Set(), refused: [] }
    let batch: Part[] = []
    let length = 0
    for (const part of parts) {
      if (length > 0 && length + part.length > this.#recordsMax) {
        add(sent, await this.#sendBatch(batch, whole, signal))
        batch = []
        length = 0
      }
      batch.push(part)
      length += part.length
    }
    if (length > 0) add(sent, await this.#sendBatch(batch, whole, signal))
    return sent
  }

  get #recordsMax(): number {
    return Math.max(1, Math.min(this.#options.info.limits.batchRecords, wireLimits.batchRecords))
  }

  /** The transactions to which the records belong, and the others one by one. */
  async #parts(records: readonly LogRecord[], whole: boolean): Promise<readonly Part[]> {
    const { replica } = this.#options
    const given = new Map(records.map((record) => [nameOf(record), record]))
    const parts: Part[] = []
    for (const members of await replica.together(records)) {
      const others = await replica.bodies(
        members.filter((leaf) => !given.has(nameOf(leaf))),
        { whole },
      )
      const found = new Map(others.map((record) => [nameOf(record), record]))
      const part = members.flatMap((leaf) => given.get(nameOf(leaf)) ?? found.get(nameOf(leaf)) ?? [])
      for (const leaf of part) given.delete(nameOf(leaf))
      parts.push(part)
    }
    for (const record of given.values()) parts.push([record])
    return parts
  }

  async #sendBatch(parts: readonly Part[], whole: boolean, signal: AbortSignal): Promise<Sent> {
    const records = parts.flatMap(marked)
    const shard = records.length > this.#recordsMax ? undefined : await shardOf(records, this.#options.env)
    const bytesMax = Math.min(this.#options.info.limits.requestBytes, wireLimits.requestBytes)
    if (shard === undefined || shard.length > bytesMax) return this.#sendParts(parts, whole, signal)
    const answer = await this.answered(this.#options.client.push(shard, whole, signal), signal)
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
    add(sent, await this.send(await this.#options.replica.bodies(detached, { whole: true }), true, signal))
    return sent
  }

  /** Halves a batch that is too long; a part that is too long alone is refused on the mirror's behalf. */
  async #sendParts(parts: readonly Part[], whole: boolean, signal: AbortSignal): Promise<Sent> {
    const [first] = parts
    if (first !== undefined && parts.length === 1) {
      const reason = `${first.length === 1 ? 'it is' : 'its transaction is'} more than the mirror takes at once`
      const refused = first.map((record) => this.#parked(record, 'MYNAH_REQUEST_TOO_LARGE', reason))
      return { accepted: new Set(), refused }
    }
    const middle = parts.length >> 1
    const sent = await this.#sendBatch(parts.slice(0, middle), whole, signal)
    add(sent, await this.#sendBatch(parts.slice(middle), whole, signal))
    return sent
  }

  /** Follows the mirror's history as the answer to a push tells it, and gives the answer. */
  async answered<T extends Omit<PushAnswer, 'exceptions'>>(
    request: Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const { progress } = this.#options
    const pulled = progress.pull.current?.source
    this.#inFlight = request
    const answer = await request
    await this.see(answer.position, signal)
    if (answer.before === this.#echoed.seq) this.#echoed = answer.position
    progress.skipEcho(answer, pulled)
    return answer
  }

  /**
   * Asks the mirror whether its history is still the same, as it may have been restored from an old copy under this
   * session. @param told a position that it named with an answer, and which is not `seen` yet
   */
  async verified(signal: AbortSignal, told?: Position): Promise<DatabaseInfo> {
    const { client, progress } = this.#options
    const pulled = progress.pull.current?.source
    const asked = [this.#seen, pulled, told].filter((position) => position !== undefined)
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
