import type { Env } from '@mynah/core'
import type { Replica } from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import type { Mirror, Offered } from '../mirror/mirror.js'
import type { DatabaseInfo } from '../protocol/messages.js'
import { sleep } from '../timing/sleep.js'
import type { Push } from './push.js'

/** Until the mirror is asked again whether it lacks bodies; twice as long each time, while nothing comes of it. */
const PAUSE_MS = 300_000
const PAUSE_MS_MAX = 3_600_000

/** What is offered, and to whom. */
export interface OfferOptions {
  readonly replica: Replica
  readonly env: Env
  readonly client: MirrorClient
  readonly mirror: Mirror
  /** As the mirror told it when the session began. */
  readonly info: DatabaseInfo
  readonly push: Push
}

/**
 * Offers a mirror that lacks bodies those that are held here. A body that is fetched for a read, or supplied in another
 * way, is no change: where the push checkpoint has passed its leaf, no push would bring it again. Once for each state of
 * both sides, through the whole feed, a page with each run of the push.
 */
export class Offer {
  readonly #options: OfferOptions
  /** Where the next page begins; undefined where nothing is to be offered. */
  #since: number | undefined

  constructor(options: OfferOptions) {
    this.#options = options
  }

  /** Goes on until the signal is aborted or a request fails. @param ask for a run of the push, with a page */
  async serve(ask: () => Promise<void>, signal: AbortSignal): Promise<never> {
    const { env, client, mirror, replica, info } = this.#options
    let owes = info.owes ?? 0
    for (let pauseMs = PAUSE_MS; ; ) {
      const before = owes
      const now: Offered = { databaseId: info.id, owes, seq: replica.position().seq }
      if (owes > 0 && !isSame(mirror.offered, now)) {
        this.#since = 0
        while (this.#since !== undefined) await ask()
        mirror.offered = now
      }
      await sleep(env, pauseMs, signal)
      owes = (await client.info([], signal)).owes ?? 0
      pauseMs = owes < before ? PAUSE_MS : Math.min(2 * pauseMs, PAUSE_MS_MAX)
    }
  }

  /** One page, where there is one to be offered. */
  async page(signal: AbortSignal): Promise<void> {
    if (this.#since !== undefined) this.#since = await this.#options.push.offer(this.#since, signal)
  }
}

function isSame(a: Offered | undefined, b: Offered): boolean {
  return a?.databaseId === b.databaseId && a.owes === b.owes && a.seq === b.seq
}
