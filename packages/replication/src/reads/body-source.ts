import { type Env, UnreachableError } from '@mynah/core'
import { type BodySource, type LeafRef, type LogRecord, unlessAborted } from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import { MirrorUnreachableError } from '../errors.js'
import type { FetchItem } from '../protocol/messages.js'
import { confirmHeld } from './confirm-held.js'
import { type Asked, askInTurn, type InTurnOptions, type Reachable } from './in-turn.js'
import { type Question, Questions } from './questions.js'

/** How long nobody waits for a mirror any more that another one was faster than. */
const LATE_MS = 60_000

/** Whom reads may ask. */
export interface MirrorBodiesOptions {
  readonly env: Env
  /** The mirror in use, or the next that connects. Rejects when all fail. */
  readonly reach: (signal: AbortSignal | undefined) => Promise<Reachable>
  /** All mirrors, in the order in which they are asked what the one in use does not hold. */
  readonly mirrors: () => readonly MirrorClient[]
  /** Others than the one in use that may be asked now, the best first. */
  readonly spare: () => readonly MirrorClient[]
  /** Calls when there is a mirror more; returns the way to stop. */
  readonly onAdded: (listener: () => void) => () => void
  /** How long the mirror in use may be without a sign of life before another is asked too, milliseconds. */
  readonly lateMs: () => number
  /** The id of the database here. */
  readonly databaseId: string
  /** A read has run out of its time. */
  readonly onGivenUp: () => void
  readonly covers: (id: string) => boolean
  readonly asOf: (id: string) => Date | undefined
}

/**
 * Fetches bodies from the mirror in use, or another where that is late, and what that does not hold from each other
 * mirror. Whoever asks for a leaf that
 * is asked for already shares the answer, and what is asked for in one tick travels in one request. With whole paths: a
 * read may merge what it gets.
 */
export class MirrorBodies implements BodySource {
  readonly #options: MirrorBodiesOptions
  readonly #leaves: Questions<LeafRef, LogRecord | undefined>
  readonly #documents: Questions<{ readonly id: string }, readonly LogRecord[]>
  /** Reads that wait. */
  #waiting = 0
  /** Until then the mirror in use counts as late from the start, on the monotonic clock. */
  #lateUntilMs = 0

  constructor(options: MirrorBodiesOptions) {
    this.#options = options
    const { env } = options
    this.#leaves = new Questions({
      env,
      keyOf,
      shared: 'until answered',
      ask: (asked) => this.#askLeaves(asked),
    })
    this.#documents = new Questions({
      env,
      keyOf: ({ id }) => id,
      // Once it is asked, the answer may be older than what the next one who asks is to see.
      shared: 'until asked',
      ask: (asked, asking) => this.#askDocuments(asked, asking),
    })
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

  asOf(id: string): Date | undefined {
    return this.#options.asOf(id)
  }

  async fetch(
    leaves: readonly LeafRef[],
    { signal }: { readonly signal?: AbortSignal },
  ): Promise<readonly LogRecord[]> {
    signal?.throwIfAborted()
    const came: LogRecord[] = []
    const answers = leaves.map(async (leaf) => {
      const record = await this.#leaves.ask(leaf)
      if (record !== undefined) came.push(record)
    })
    try {
      await this.#inTime(Promise.all(answers), signal)
    } catch (error) {
      // What came in time is of use, whatever became of the rest.
      if (came.length === 0 || !(error instanceof UnreachableError)) throw error
    }
    return came
  }

  async fetchDocument(
    id: string,
    { signal }: { readonly signal?: AbortSignal },
  ): Promise<readonly LogRecord[]> {
    signal?.throwIfAborted()
    return this.#inTime(this.#documents.ask({ id }), signal)
  }

  async #inTime<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    this.#waiting += 1
    try {
      return await unlessAborted(answer, signal)
    } catch (error) {
      if (signal?.reason instanceof UnreachableError) this.#options.onGivenUp()
      throw error
    } finally {
      this.#waiting -= 1
    }
  }

  async #askLeaves(asked: ReadonlyMap<string, Question<LeafRef, LogRecord | undefined>>): Promise<void> {
    const open = new Map(asked)
    const { id } = [...open.values()][0]!.of
    const { client, signal } = await this.#inTurn(id, (one) => this.#takeLeaves(open, one))
    const others = this.#options.mirrors().filter(({ address }) => address !== client.address)
    // At once: one that does not answer must not keep the others from it.
    await Promise.allSettled(others.map((other) => this.#takeLeaves(open, { client: other, signal })))
    for (const question of open.values()) question.answer.resolve(undefined)
  }

  /** Answers what this mirror holds. An answer leaves out what does not fit, and brings one at least where there is any. */
  async #takeLeaves(
    open: Map<string, Question<LeafRef, LogRecord | undefined>>,
    from: Reachable & Partial<Asked>,
  ): Promise<void> {
    for (let before = open.size + 1; open.size > 0 && open.size < before; ) {
      before = open.size
      const items = [...open.values()].map(({ of }) => of)
      for (const record of await this.#fetch(from, items)) {
        const key = keyOf(record)
        if (record.kind !== 'revision') continue
        open.get(key)?.answer.resolve(record)
        open.delete(key)
      }
    }
  }

  /** Documents are answered in order, as many as fit: of those before the last one that came, the others are not there. */
  async #askDocuments(
    asked: ReadonlyMap<string, Question<{ readonly id: string }, readonly LogRecord[]>>,
    asking: () => void,
  ): Promise<void> {
    const { id } = [...asked.values()][0]!.of
    await this.#inTurn(id, async (from) => {
      asking()
      // Another may be this very database, whose word is none.
      if (from.isSpare) await this.#requireOther(from)
      let open = [...asked.values()]
      while (open.length > 0) {
        const found = new Map<string, LogRecord[]>()
        const items = open.map(({ of }) => of)
        for (const record of await this.#fetch(from, items))
          found.set(record.id, [...(found.get(record.id) ?? []), record])
        const last = open.findLastIndex(({ of }) => found.has(of.id))
        const answered = last === -1 ? open : open.slice(0, last + 1)
        for (const { of, answer } of answered) answer.resolve(found.get(of.id) ?? [])
        open = open.slice(answered.length)
      }
    })
  }

  async #inTurn(id: string, ask: (asked: Asked) => Promise<void>): Promise<Reachable> {
    const { env, spare, onAdded, lateMs } = this.#options
    const isLate = env.monotonicMs() < this.#lateUntilMs
    const options: InTurnOptions = {
      env,
      onAdded,
      lateMs: isLate ? 0 : lateMs(),
      reach: () => this.#reach(id),
      // What nobody waits for any more is nobody else's business.
      spare: () => (this.#waiting > 0 ? spare() : []),
    }
    const asked = await askInTurn(options, ask)
    this.#lateUntilMs = asked.isSpare ? env.monotonicMs() + LATE_MS : 0
    return asked
  }

  async #requireOther({ client, signal }: Asked): Promise<void> {
    const { id } = await client.info([], signal)
    if (id === this.#options.databaseId)
      throw new MirrorUnreachableError(client.address, 'it is this very database')
  }

  async #reach(id: string): Promise<Reachable> {
    try {
      return await this.#options.reach(undefined)
    } catch (cause) {
      throw new UnreachableError(id, { cause })
    }
  }

  async #fetch(
    { client, signal, onBytes }: Reachable & Partial<Asked>,
    items: readonly FetchItem[],
  ): Promise<readonly LogRecord[]> {
    try {
      return await client.fetch(items, 'read', signal, onBytes)
    } catch (cause) {
      throw new UnreachableError(items[0]!.id, { cause })
    }
  }
}

function keyOf({ id, rev, bodyHash }: LeafRef): string {
  return `${rev} ${bodyHash?.join() ?? ''} ${id}`
}
