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

/**
 * Learns whether what a mirror gives comes by other ways too: it pushes it here, or other mirrors give it. Then a page is
 * asked for without bodies, and those that nobody has brought after a little while are asked for by name. What most of a
 * page shows counts for the next one.
 */
export class OtherWays {
  readonly #options: OtherWaysOptions
  #areLikely = false

  constructor(options: OtherWaysOptions) {
    this.#options = options
  }

  get areLikely(): boolean {
    return this.#areLikely
  }

  /** A page came with its bodies. */
  learn({ records, report }: Merged): void {
    const bodies = records.flatMap(({ kind }, at) => (kind === 'revision' ? [report.outcomes[at]] : []))
    const known = bodies.filter((outcome) => outcome?.result === 'known')
    this.#areLikely = 2 * known.length > bodies.length
  }

  /**
   * Fetches and merges what of a page's stubs is not held here, and held there, in pieces: the bodies of a page of stubs
   * may be more than memory takes.
   */
  async fetch(stubs: readonly LogRecord[], whole: boolean, signal: AbortSignal): Promise<readonly Merged[]> {
    const { replica, client, env } = this.#options
    let lacking = await this.#lacking(stubs)
    if (lacking.length > 0) {
      await sleep(env, PATIENCE_MS, signal)
      lacking = await this.#lacking(lacking)
    }
    this.#areLikely = 2 * lacking.length <= stubs.length
    const open = new Map(lacking.map((stub) => [nameOf(stub), stub]))
    const merged: Merged[] = []
    while (open.size > 0) {
      const asked = [...open.values()].slice(0, wireLimits.fetchLeaves)
      const records = (await client.fetch(asked, 'background', signal)).flatMap((record) => {
        const stub = open.get(nameOf(record))
        return stub !== undefined && record.kind === 'revision' ? [{ ...record, path: stub.path }] : []
      })
      // Where none comes of some, none of them is held there.
      for (const one of records.length > 0 ? records : asked) open.delete(nameOf(one))
      if (records.length > 0)
        merged.push({ records, report: await replica.merge(records, { whole, from: 'mirror' }) })
    }
    return merged
  }

  async #lacking(stubs: readonly LogRecord[]): Promise<readonly LogRecord[]> {
    const missing = await this.#options.replica.missing(stubs)
    return stubs.filter((_, at) => missing[at] === true)
  }
}
