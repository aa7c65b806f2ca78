import { type Env, UnreachableError } from '@mynah/core'
import type { BodySource, LeafRef, LogRecord } from '@mynah/core/replica'
import { confirmHeld } from './confirm-held.js'
import { type Deferred, deferred, unlessAborted } from './deferred.js'
import type { MirrorClient } from './mirror-client.js'
import type { FetchItem } from './protocol/messages.js'
import { wireLimits } from './protocol/names.js'

/** A mirror that can be asked, and until when. */
interface Reachable {
  readonly client: MirrorClient
  readonly signal: AbortSignal
}

export interface MirrorBodiesOptions {
  readonly env: Env
  /** The mirror in use, or the next that connects. Rejects when all fail. */
  readonly reach: (signal: AbortSignal | undefined) => Promise<Reachable>
  /** All mirrors, in the order in which they are asked what the one in use does not hold. */
  readonly mirrors: () => readonly MirrorClient[]
  /** The id of the database here. */
  readonly databaseId: string
  /** A read has run out of its time. */
  readonly onGivenUp: () => void
  readonly covers: (id: string) => boolean
  readonly asOf: () => Date | undefined
}

interface Asked {
  readonly leaf: LeafRef
  readonly answer: Deferred<LogRecord | undefined>
}

/**
 * Fetches bodies from the mirror in use. Whoever asks for a leaf that is asked for already shares the answer, and what
 * is asked for in one tick travels in one request. With whole paths: a read may merge what it gets.
 */
export class MirrorBodies implements BodySource {
  readonly #options: MirrorBodiesOptions
  readonly #asked = new Map<string, Asked>()
  readonly #documents = new Map<string, Promise<readonly LogRecord[]>>()
  #gathered: Asked[] = []

  constructor(options: MirrorBodiesOptions) {
    this.#options = options
  }

  confirm(
    leaves: readonly LeafRef[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<readonly boolean[]> {
    return confirmHeld(leaves, this.#options, signal)
  }

  covers(id: string): boolean {
    return this.#options.covers(id)
  }

  asOf(): Date | undefined {
    return this.#options.asOf()
  }

  async fetch(
    leaves: readonly LeafRef[],
    { signal }: { readonly signal?: AbortSignal },
  ): Promise<readonly LogRecord[]> {
    signal?.throwIfAborted()
    const answers = Promise.all(leaves.map((leaf) => this.#ask(leaf)))
    const records = await this.#inTime(answers, signal)
    return records.filter((record) => record !== undefined)
  }

  async fetchDocument(
    id: string,
    { signal }: { readonly signal?: AbortSignal },
  ): Promise<readonly LogRecord[]> {
    signal?.throwIfAborted()
    let answer = this.#documents.get(id)
    if (answer === undefined) {
      // Once it is asked, the answer may be older than what the next one who asks is to see.
      const asking = () => this.#documents.delete(id)
      answer = this.#requestAll(id, asking)
      this.#documents.set(id, answer)
    }
    return this.#inTime(answer, signal)
  }

  async #inTime<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await unlessAborted(answer, signal)
    } catch (error) {
      if (signal?.reason instanceof UnreachableError) this.#options.onGivenUp()
      throw error
    }
  }

  #ask(leaf: LeafRef): Promise<LogRecord | undefined> {
    const key = keyOf(leaf)
    let asked = this.#asked.get(key)
    if (asked === undefined) {
      asked = { leaf, answer: deferred() }
      this.#asked.set(key, asked)
      this.#gathered.push(asked)
      if (this.#gathered.length === 1) void this.#flush()
    }
    return asked.answer.promise
  }

  async #flush(): Promise<void> {
    await this.#options.env.yield()
    const gathered = this.#gathered
    this.#gathered = []
    for (let start = 0; start < gathered.length; start += wireLimits.fetchLeaves) {
      void this.#requestBatch(gathered.slice(start, start + wireLimits.fetchLeaves))
    }
  }

  /** Settles all of the batch. An answer leaves out what does not fit, and brings one at least where there is any. */
  async #requestBatch(batch: readonly Asked[]): Promise<void> {
    const open = new Map(batch.map((asked) => [keyOf(asked.leaf), asked]))
    try {
      while (open.size > 0) {
        const before = open.size
        const items = [...open.values()].map(({ leaf }) => leaf)
        for (const record of await this.#request(items, items[0]!.id)) {
          const asked = open.get(keyOf(record))
          if (asked !== undefined && record.kind === 'revision') this.#settle(open, asked, record)
        }
        if (open.size === before) break
      }
      for (const asked of open.values()) this.#settle(open, asked, undefined)
    } catch (error) {
      for (const [key, asked] of open) {
        this.#asked.delete(key)
        asked.answer.reject(error)
      }
    }
  }

  #settle(open: Map<string, Asked>, asked: Asked, record: LogRecord | undefined): void {
    const key = keyOf(asked.leaf)
    open.delete(key)
    this.#asked.delete(key)
    asked.answer.resolve(record)
  }

  async #requestAll(id: string, asking: () => void): Promise<readonly LogRecord[]> {
    return (await this.#request([{ id }], id, asking)).filter((record) => record.id === id)
  }

  /** Calls `asking` right before anything is sent, or when nothing will be. */
  async #request(
    items: readonly FetchItem[],
    id: string,
    asking: () => void = () => {},
  ): Promise<readonly LogRecord[]> {
    try {
      const { client, signal } = await this.#options.reach(undefined).finally(asking)
      return await client.fetch(items, 'read', signal)
    } catch (cause) {
      throw new UnreachableError(id, { cause })
    }
  }
}

function keyOf({ id, rev, bodyHash }: LeafRef): string {
  return `${rev} ${bodyHash?.join() ?? ''} ${id}`
}
