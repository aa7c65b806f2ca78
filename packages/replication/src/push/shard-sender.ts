import type { LeafRef, OwnShard, OwnShards } from '@mynah/core/replica'
import { MirrorAnswerError } from '../errors.js'
import { wireLimits } from '../protocol/names.js'
import { add, nameOf, type Sender, type SenderOptions, type Sent, UNDER_LEAVES } from './sender.js'

/** About what it costs to ask whether a mirror lacks a leaf: where it may know most, what is more than that is asked about. */
const QUESTION_BYTES = 64
/** Of an answer that says that shards cannot be pushed there, or not these. */
const NO_WAY: ReadonlySet<string | undefined> = new Set([
  'MYNAH_ROUTE_UNKNOWN',
  'MYNAH_METHOD_UNKNOWN',
  'MYNAH_MEDIA_TYPE_UNKNOWN',
  'MYNAH_MESSAGE_INVALID',
  'MYNAH_REQUEST_TOO_LARGE',
])

/**
 * Sends a mirror what is sealed here as it lies. Only where all of it was written here, so that it would be sent at once
 * anyway; and until the mirror says that it takes nothing in this way, to the end of the session.
 */
export class ShardSender {
  readonly #options: SenderOptions
  readonly #sender: Sender
  #isWay: boolean

  constructor(options: SenderOptions, sender: Sender) {
    this.#options = options
    this.#sender = sender
    // Shards are of all ids.
    this.#isWay = options.info.prefixes === undefined
  }

  /**
   * What may be sent so next; undefined where nothing may. @param asking whether the mirror may know what was written
   * here: then it is sent only where it is less than the question
   */
  async next(after: number, asking: boolean, signal: AbortSignal): Promise<OwnShards | undefined> {
    if (!this.#isWay) return undefined
    const { replica, client, info } = this.#options
    const bytes = Math.min(client.pushBytes, info.limits.requestBytes / 2)
    const found = await replica.ownShards({ after, bytes, records: wireLimits.copyRecords, signal })
    const isDear = ({ bytes: shard, ids }: OwnShard) => shard.length > QUESTION_BYTES * ids.length
    return asking && found.shards.some(isDear) ? { ...found, shards: [] } : found
  }

  /**
   * Undefined where the mirror takes nothing in this way: then nothing was done. What it did not take of the shards it is
   * sent as records, as far as these still are leaves: then it tells why.
   */
  async send(shards: readonly OwnShard[], signal: AbortSignal): Promise<Sent | undefined> {
    const { client, replica } = this.#options
    const bytes = shards.map((shard) => shard.bytes)
    const request = client.pushShards(bytes, signal)
    const answer = await this.#sender.answered(request, signal).catch((error: unknown) => {
      if (!(error instanceof MirrorAnswerError) || !NO_WAY.has(error.answerCode)) throw error
      this.#isWay = false
    })
    if (answer === undefined) return undefined
    const left = this.#leavesAt(answer.left, shards)
    const accepted = new Set(shards.flatMap(({ ids }) => ids))
    for (const { id } of left) accepted.delete(id)
    const sent: Sent = { accepted, refused: [] }
    for (let start = 0; start < left.length; start += UNDER_LEAVES) {
      const some = left.slice(start, start + UNDER_LEAVES)
      const held = await replica.bodies(some, { whole: true })
      add(sent, await this.#sender.send(held, true, signal))
      // Evicted meanwhile; what is no leaf any more travels as an ancestor of its successor.
      const found = new Set(held.map(nameOf))
      const others = some.filter((leaf) => !found.has(nameOf(leaf)))
      add(sent, await this.#sender.sendUnder(await this.#sender.missing(others, signal), signal))
    }
    return sent
  }

  #leavesAt(places: readonly number[], shards: readonly OwnShard[]): readonly LeafRef[] {
    const firsts: number[] = []
    let count = 0
    for (const { ids } of shards) {
      firsts.push(count)
      count += ids.length
    }
    return places.map((place) => {
      if (place >= count) {
        const { address } = this.#options.client
        throw new MirrorAnswerError(address, 200, 'a place of a record that was not sent')
      }
      const shard = firsts.findLastIndex((first) => first <= place)
      return shards[shard]!.leaf(place - firsts[shard]!)
    })
  }
}
