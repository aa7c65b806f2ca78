import { createInterface } from 'node:readline'
import { type Database, open, UnconfirmedError } from '@mynah/core'
import { replicate } from '@mynah/replication'
import { bodyOf, idOf } from './content.js'
import { digestOf, type LeafDigest, leavesOf } from './leaves.js'
import { tell } from './message.js'
import { Random } from './random.js'

/** What a peer is to do, as JSON in its first argument. */
export interface PeerTask {
  readonly location: string
  readonly mirror: string
  readonly hold: 'used' | 'all'
  /** Ids that only this peer makes begin with it. */
  readonly prefix: string
  /** Ids that all peers write. */
  readonly shared: readonly string[]
  readonly contentSeed: number
  readonly seed: number
  readonly firstN: number
  readonly firstDocument: number
  /** It makes no more documents of its own than this: what piles up while the mirror is away stays within bounds. */
  readonly documents: number
}

/** What a peer may be asked. Each is answered, by its number. */
export type PeerQuestion =
  /** Write these shared documents, whatever is current; some are deleted. */
  | { readonly ask: number; readonly what: 'edit'; readonly ids: readonly string[] }
  /** Write no more. */
  | { readonly ask: number; readonly what: 'quiet' }
  | { readonly ask: number; readonly what: 'status' }
  | { readonly ask: number; readonly what: 'leaves' }
  /** Read everything that was dropped here. */
  | { readonly ask: number; readonly what: 'reread' }
  /** Close, and end. */
  | { readonly ask: number; readonly what: 'close' }

export interface PeerStatus {
  readonly root: { readonly count: number; readonly sum: string }
  readonly ahead: number
  readonly behind: number
  readonly state: string
  readonly error: string | undefined
}

export type PeerMessage =
  | { readonly kind: 'open' }
  | {
      readonly kind: 'try'
      readonly writes: readonly (readonly [id: string, n: number, kind: 'put' | 'delete'])[]
    }
  | { readonly kind: 'ack'; readonly writes: readonly (readonly [id: string, n: number, rev: string])[] }
  /** The writes of one transaction and what they make, before it commits. */
  | { readonly kind: 'whole'; readonly writes: readonly (readonly [id: string, n: number, rev: string])[] }
  | { readonly kind: 'evicted'; readonly bodies: number }
  | { readonly kind: 'answer'; readonly ask: number; readonly value: PeerStatus | LeafDigest | null }
  | { readonly kind: 'fault'; readonly fault: string }

const PAUSE_MS = 40
/** How long the mirror may take to give one document. */
const REREAD_MS = 20_000
const told = (message: PeerMessage): void => tell(message)

class Peer {
  readonly #db: Database
  readonly #task: PeerTask
  readonly #random: Random
  /** Ids with a write under way. */
  readonly #busy = new Set<string>()
  /** Documents whose bodies may have been dropped. */
  readonly #evicted = new Set<string>()
  #n: number
  #document: number
  #quiet = false

  constructor(db: Database, task: PeerTask) {
    this.#db = db
    this.#task = task
    this.#random = new Random(task.seed)
    this.#n = task.firstN
    this.#document = task.firstDocument
  }

  /** Writes documents of its own, and now and then a shared one, until it is to be quiet. */
  async run(): Promise<void> {
    while (!this.#quiet) {
      if (this.#random.chance(0.3)) await this.#transact(this.#random.between(2, 12))
      else if (this.#document < this.#task.documents) await this.#batch(this.#random.between(1, 30))
      if (this.#random.chance(0.02)) await this.#db.compact()
      if (this.#task.hold === 'used' && this.#random.chance(0.5)) await this.#evict()
      await this.#write(this.#ownId(), this.#random.chance(0.2))
      if (this.#random.chance(0.3)) await this.#write(this.#random.pick(this.#task.shared), false)
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }

  quiet(): void {
    this.#quiet = true
  }

  async edit(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#write(id, this.#random.chance(0.15))))
  }

  #ownId(): string {
    return this.#task.prefix + idOf(this.#random.below(Math.max(1, this.#document)))
  }

  async #write(id: string, remove: boolean): Promise<void> {
    if (this.#busy.has(id)) return
    this.#busy.add(id)
    const n = this.#n++
    told({ kind: 'try', writes: [[id, n, remove ? 'delete' : 'put']] })
    const body = bodyOf(this.#task.contentSeed, n)
    const ref = remove ? await this.#db.delete(id) : await this.#db.put({ ...body, id }, { overwrite: true })
    if (ref !== undefined) told({ kind: 'ack', writes: [[id, n, ref.rev]] })
    this.#busy.delete(id)
  }

  async #batch(size: number): Promise<void> {
    const writes = Array.from(
      { length: size },
      () => [this.#task.prefix + idOf(this.#document++), this.#n++, 'put'] as const,
    )
    told({ kind: 'try', writes })
    const docs = writes.map(([id, n]) => ({ ...bodyOf(this.#task.contentSeed, n), id }))
    // A document of that number may be there: written by the process before this one, which died.
    const outcomes = await this.#db.putMany(docs, { overwrite: true })
    const done: [string, number, string][] = []
    for (const [i, [id, n]] of writes.entries()) {
      const outcome = outcomes[i]
      if (outcome?.ok) done.push([id, n, outcome.doc.rev])
      else told({ kind: 'fault', fault: `${id} was refused in a batch: ${outcome?.error.message}` })
    }
    told({ kind: 'ack', writes: done })
  }

  /** Edits one or two documents together, and makes some while there may be more. */
  async #transact(size: number): Promise<void> {
    const ids = Array.from({ length: size }, (_, i) =>
      i < 2 || this.#document >= this.#task.documents
        ? this.#ownId()
        : this.#task.prefix + idOf(this.#document++),
    )
    const free = [...new Set(ids)].filter((id) => !this.#busy.has(id))
    const writes = free.map((id) => [id, this.#n++, 'put'] as const)
    told({ kind: 'try', writes })
    const done = await this.#db.transaction(async (tx) => {
      const made: [string, number, string][] = []
      for (const [id, n] of writes) {
        const { rev } = await tx.put({ ...bodyOf(this.#task.contentSeed, n), id }, { overwrite: true })
        made.push([id, n, rev])
      }
      told({ kind: 'whole', writes: made })
      return made
    })
    told({ kind: 'ack', writes: done })
  }

  /** Drops what the mirror has of some documents. */
  async #evict(): Promise<void> {
    const ids = Array.from({ length: 50 }, () => this.#ownId())
    // A document of such a number may not be written yet, nor ever, by the process before this one, which died.
    const held = await this.#db.getMany(ids, { freshness: 'local' })
    try {
      const bodies = await this.#db.evict(ids)
      for (const doc of held) if (doc) this.#evicted.add(doc.id)
      told({ kind: 'evicted', bodies })
    } catch (error) {
      // The mirror is away.
      if (!(error instanceof UnconfirmedError)) throw error
    }
  }

  /** What was dropped in this life comes back when it is read. */
  async reread(): Promise<void> {
    for (const id of this.#evicted) {
      const { doc, deleted, current } = await this.#db.read(id, { waitMs: REREAD_MS })
      const known = doc !== undefined || deleted
      if (!current || !known)
        told({
          kind: 'fault',
          fault: `${id} was dropped, and a read gives ${known ? 'an old one' : 'nothing'}`,
        })
    }
  }
}

async function main(): Promise<void> {
  const task = JSON.parse(process.argv[2] ?? '') as PeerTask
  const db = await open(task.location, { shardBytes: 16_384 })
  const replication = await replicate(db, { mirrors: [task.mirror], hold: task.hold })
  const peer = new Peer(db, task)
  told({ kind: 'open' })
  const answer = async (question: PeerQuestion): Promise<PeerStatus | LeafDigest | null> => {
    switch (question.what) {
      case 'edit':
        await peer.edit(question.ids)
        return null
      case 'quiet':
        peer.quiet()
        await writing
        return null
      case 'status': {
        const { root } = await db.stats()
        const { ahead, behind, state } = replication.status()
        return { root, ahead, behind, state, error: replication.mirrors()[0]?.error?.message }
      }
      case 'reread':
        await peer.reread()
        return null
      case 'leaves':
        return digestOf(await leavesOf(db, { bodies: false }))
      case 'close':
        peer.quiet()
        await writing
        await replication.close()
        await db.close()
        return null
    }
  }
  const writing = peer.run().catch(die)
  for await (const line of createInterface({ input: process.stdin })) {
    const question = JSON.parse(line) as PeerQuestion
    answer(question).then((value) => {
      told({ kind: 'answer', ask: question.ask, value })
      if (question.what === 'close') process.exit(0)
    }, die)
  }
}

function die(error: unknown): void {
  told({ kind: 'fault', fault: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  process.exit(1)
}

await main().catch(die)
