import type { Env } from '@mynah/core'
import { type LeafRef, type LogRecord, type Replica, unlessAborted } from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import type { Mirror } from '../mirror/mirror.js'
import { deferred } from '../timing/deferred.js'

/** Leaves asked for at once: little, so that reads need not wait long. */
const BATCH = 100
/** Until what a mirror did not have is asked for again; twice as long each time, while it has nothing. */
const PAUSE_MS = 60_000
const PAUSE_MS_MAX = 3_600_000

/** What owes bodies, and who may have them. */
export interface OwedOptions {
  readonly replica: Replica
  readonly env: Env
  readonly client: MirrorClient
  readonly mirror: Mirror
  /** After each pass; the mirror then tells how much is left. */
  readonly onCounted: () => void
}

/**
 * Fetches in the background what the replica owes: bodies that it lost, those of pinned documents, and all that one lacks that is to hold
 * everything. One request at a time. What the mirror does not have either stays owed, and hinders nothing.
 */
export class Owed {
  readonly #options: OwedOptions
  #seen = 0
  #pinned = 0

  constructor(options: OwedOptions) {
    this.#options = options
  }

  /** Goes on until the signal is aborted or a request fails; rejects with the reason or the failure. */
  async serve(signal: AbortSignal): Promise<never> {
    const { replica, mirror, onCounted } = this.#options
    for (let pauseMs = PAUSE_MS; ; ) {
      this.#seen = replica.owedUpTo
      this.#pinned = replica.pinned
      const { got, left } = await this.#pass(signal)
      mirror.owed = left
      onCounted()
      pauseMs = got > 0 || left === 0 ? PAUSE_MS : Math.min(2 * pauseMs, PAUSE_MS_MAX)
      await this.#pause(pauseMs, signal)
    }
  }

  /** Asks for all that is owed, once. */
  async #pass(signal: AbortSignal): Promise<{ readonly got: number; readonly left: number }> {
    const { replica, env } = this.#options
    let got = 0
    let left = 0
    for (let after: string | undefined; ; ) {
      const page = await replica.owed({ limit: BATCH, ...(after !== undefined && { after }) })
      for (let start = 0; start < page.leaves.length; start += BATCH) {
        const some = page.leaves.slice(start, start + BATCH)
        const supplied = await this.#fetch(some, signal)
        got += supplied
        left += some.length - supplied
      }
      after = page.next
      if (after === undefined) return { got, left }
      await env.yield()
    }
  }

  /** How many of the leaves are held now. An answer leaves out what does not fit, and brings one at least of those it has. */
  async #fetch(leaves: readonly LeafRef[], signal: AbortSignal): Promise<number> {
    const { replica, client } = this.#options
    const open = new Map(leaves.map((leaf) => [keyOf(leaf), leaf]))
    while (open.size > 0) {
      const before = open.size
      const records: LogRecord[] = []
      for (const record of await client.fetch([...open.values()], 'background', signal))
        if (record.kind === 'revision' && open.has(keyOf(record))) records.push(record)
      const { outcomes } = await replica.merge(records, { whole: true, from: 'mirror' })
      for (const [index, { result }] of outcomes.entries())
        if (result !== 'refused' && result !== 'detached') open.delete(keyOf(records[index]!))
      if (open.size === before) break
    }
    return leaves.length - open.size
  }

  /** Ends early when more is owed. */
  async #pause(pauseMs: number, signal: AbortSignal): Promise<void> {
    const { replica, env } = this.#options
    const over = deferred<void>()
    const timer = env.setTimer(() => over.resolve(), pauseMs)
    const look = () => {
      if (replica.owedUpTo > this.#seen || replica.pinned > this.#pinned) over.resolve()
    }
    const stop = replica.onCommit(look)
    look()
    try {
      await unlessAborted(over.promise, signal)
    } finally {
      timer.cancel()
      stop()
    }
  }
}

function keyOf({ id, rev, bodyHash }: LeafRef): string {
  return `${rev} ${bodyHash?.join() ?? ''} ${id}`
}
