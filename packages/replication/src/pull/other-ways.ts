import type { Env } from '@mynah/core'
import type { LogRecord, MergeReport, Replica } from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import { wireLimits } from '../protocol/names.js'
import { nameOf } from '../push/sender.js'
import { sleep } from '../timing/sleep.js'

/** How long others have to bring what is lacking, before it is asked for. */
const PATIENCE_MS = 200

/** Records, and what their merge came to. */
export interface Merged {
  readonly records: readonly LogRecord[]
  readonly report: MergeReport
}

export interface OtherWaysOptions {
  readonly replica: Replica
  readonly client: MirrorClient
  readonly env: Env
}

/** How a page of stubs is taken. */
export interface FetchOptions {
  /** Whether the paths are whole. */
  readonly whole: boolean
  /** After each merge: the bodies of a page of stubs may be more than memory takes, and come in pieces. */
  readonly onMerged: (merged: Merged) => void
}

/**
 * Learns whether what one mirror gives another comes by other ways too: it pushes it here, or others give it. Then a page
 * is asked for without bodies, and those that nobody has brought after a little while are asked for by name. What most of
 * a page shows counts for the next one. A peer has one way, and learns nothing.
 */
export class OtherWays {
  readonly #options: OtherWaysOptions
  #areLikely = false
  /** Whether somebody else brought something; what was written here is known without. */
  #othersBring = false

  constructor(options: OtherWaysOptions) {
    this.#options = options
  }

  get areLikely(): boolean {
    return this.#areLikely && this.#options.replica.mode === 'mirror'
  }

  /** A page came with its bodies. */
  learn({ records, report }: Merged): void {
    const bodies = [...records.entries()].filter(([, { kind }]) => kind === 'revision')
    const known = bodies.filter(([at]) => report.outcomes[at]?.result === 'known')
    this.#areLikely = 2 * known.length > bodies.length
    this.#othersBring = this.#isFromOthers(known.map(([, record]) => record))
  }

  /** Fetches and merges what of a page's stubs is not held here, and held there. */
  async fetch(stubs: readonly LogRecord[], options: FetchOptions, signal: AbortSignal): Promise<void> {
    const { replica, client, env } = this.#options
    const { whole, onMerged } = options
    let lacking = await this.#lacking(stubs)
    if (lacking.length > 0 && this.#othersBring) {
      await sleep(env, PATIENCE_MS, signal)
      lacking = await this.#lacking(lacking)
    }
    const open = new Map(lacking.map((stub) => [nameOf(stub), stub]))
    this.#areLikely = 2 * lacking.length <= stubs.length
    this.#othersBring = this.#isFromOthers(stubs.filter((stub) => !open.has(nameOf(stub))))
    while (open.size > 0) {
      const asked = [...open.values()].slice(0, wireLimits.fetchLeaves)
      const records = (await client.fetch(asked, 'background', signal)).flatMap((record) => {
        const stub = open.get(nameOf(record))
        return stub !== undefined && record.kind === 'revision' ? [{ ...record, path: stub.path }] : []
      })
      for (const one of records.length > 0 ? records : asked) open.delete(nameOf(one))
      if (records.length > 0)
        onMerged({ records, report: await replica.merge(records, { whole, from: 'mirror' }) })
      // It changed there meanwhile, and may go on to change faster than it is fetched: with its page a body always comes.
      else this.#areLikely = false
    }
  }

  #isFromOthers(records: readonly LogRecord[]): boolean {
    return records.some(({ origin }) => origin !== this.#options.replica.id)
  }

  async #lacking(stubs: readonly LogRecord[]): Promise<readonly LogRecord[]> {
    const missing = await this.#options.replica.missing(stubs)
    return stubs.filter((_, at) => missing[at] === true)
  }
}
