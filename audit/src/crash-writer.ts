import { once } from 'node:events'
import { type Database, nodeStorage, open, type Storage } from '@mynah/core'
import { bodyOf, idOf } from './content.js'
import type { WriteKind } from './ledger.js'
import { type Message, tell } from './message.js'
import { PowerCutStorage, withoutSync } from './power-cut-storage.js'
import { Random } from './random.js'
import { watchedLevel } from './watched-level.js'

/** What a writing child is to do, as JSON in its first argument. */
export interface WriterTask {
  readonly location: string
  /** Where links of replaced and removed files are kept; undefined to write as an application does, unwatched. */
  readonly kept: string | undefined
  /** The planted fault: no `sync` reaches the disk. */
  readonly lying: boolean
  readonly shardBytes: number
  /** Of the bodies. */
  readonly contentSeed: number
  /** Of the choices. */
  readonly seed: number
  /** Writes are numbered from here. */
  readonly firstN: number
  /** Documents are made from this number on; those before it may be there. */
  readonly firstDocument: number
  /** Writes after which it closes by itself. */
  readonly writes: number
}

type Write = readonly [id: string, n: number, kind: WriteKind]

const told = (message: Message): void => tell(message)
const phase = (name: Extract<Message, { kind: 'phase' }>['phase']): void =>
  told({ kind: 'phase', phase: name })

/** Writes what a task says, until the task is done or somebody kills it. */
class Writer {
  readonly #db: Database
  readonly #task: WriterTask
  readonly #random: Random
  readonly #busy = new Set<string>()
  #n: number
  #document: number
  #sealing = false

  constructor(db: Database, task: WriterTask) {
    this.#db = db
    this.#task = task
    this.#random = new Random(task.seed)
    this.#n = task.firstN
    this.#document = task.firstDocument
  }

  async run(): Promise<void> {
    const writers = this.#random.pick([1, 8, 32, 64])
    const batches = this.#random.pick([0, 0.05, 0.2])
    const size = this.#random.pick([5, 40, 150])
    const loop = async (): Promise<void> => {
      while (this.#n - this.#task.firstN < this.#task.writes) await this.#step(batches, size)
    }
    await Promise.all(Array.from({ length: writers }, loop))
  }

  async #step(batches: number, size: number): Promise<void> {
    const chance = this.#random.next()
    if (chance < batches) return this.#batch(this.#random.between(1, size))
    if (chance > 0.997 && !this.#sealing) return this.#seal()
    if (chance > 0.99 && !this.#sealing) return this.#compact()
    if (chance > 0.955) return this.#transact(this.#random.between(2, 12))
    const fate = this.#random.next()
    if (fate < 0.6) return this.#put(this.#newId())
    const id = this.#oldId()
    if (id === undefined) return
    if (fate < 0.72) return this.#put(id)
    if (fate < 0.88) return this.#update(id)
    return this.#delete(id)
  }

  #newId(): string {
    const id = idOf(this.#document++)
    this.#busy.add(id)
    return id
  }

  /** The id of a document that may be there, and that no other write is under way for. */
  #oldId(): string | undefined {
    if (this.#document === 0) return undefined
    const id = idOf(this.#random.below(this.#document))
    if (this.#busy.has(id)) return undefined
    this.#busy.add(id)
    return id
  }

  async #put(id: string): Promise<void> {
    const before = await this.#db.get(id)
    const [write] = this.#try([[id, 'put']])
    if (write === undefined) return
    const doc = { ...bodyOf(this.#task.contentSeed, write[1]), id, ...(before && { rev: before.rev }) }
    const { rev } = await this.#db.put(doc)
    this.#acknowledge([[id, write[1], rev]])
  }

  async #update(id: string): Promise<void> {
    const [write] = this.#try([[id, 'put']])
    if (write === undefined) return
    const stored = await this.#db.update(id, () => bodyOf(this.#task.contentSeed, write[1]))
    if (stored === undefined) told({ kind: 'fault', fault: `an update of ${id} gave nothing` })
    else this.#acknowledge([[id, write[1], stored.rev]])
  }

  async #delete(id: string): Promise<void> {
    const before = await this.#db.get(id)
    if (before === undefined) {
      this.#busy.delete(id)
      return
    }
    const [write] = this.#try([[id, 'delete']])
    if (write === undefined) return
    const ref = await this.#db.delete(this.#random.chance(0.5) ? id : { id, rev: before.rev })
    if (ref === undefined) told({ kind: 'fault', fault: `${id} was there, and its delete found nothing` })
    else this.#acknowledge([[id, write[1], ref.rev]])
  }

  async #batch(size: number): Promise<void> {
    const ids: string[] = []
    for (let i = 0; i < size; i++) {
      const id = this.#random.chance(0.8) ? this.#newId() : this.#oldId()
      if (id !== undefined) ids.push(id)
    }
    const before = await this.#db.getMany(ids)
    const writes = this.#try(ids.map((id) => [id, 'put']))
    const docs = writes.map(([id, n], i) => ({
      ...bodyOf(this.#task.contentSeed, n),
      id,
      ...(before[i] && { rev: before[i].rev }),
    }))
    const outcomes = await this.#db.putMany(docs)
    const done: [string, number, string][] = []
    for (const [i, [id, n]] of writes.entries()) {
      const outcome = outcomes[i]
      if (outcome?.ok) done.push([id, n, outcome.doc.rev])
      else told({ kind: 'fault', fault: `${id} was refused in a batch: ${outcome?.error.message}` })
    }
    this.#acknowledge(done)
  }

  /** Edits and makes some documents together, and deletes one or another. */
  async #transact(size: number): Promise<void> {
    const ids: string[] = []
    for (let i = 0; i < size; i++) {
      const id = this.#random.chance(0.4) ? this.#newId() : this.#oldId()
      if (id !== undefined) ids.push(id)
    }
    // Nobody else writes to them meanwhile.
    const before = await this.#db.getMany(ids)
    const kinds = before.map((doc) => (doc && this.#random.chance(0.2) ? 'delete' : 'put'))
    const writes = this.#try(ids.map((id, i) => [id, kinds[i]!]))
    const done = await this.#db.transaction(async (tx) => {
      const made: [string, number, string][] = []
      for (const [id, n, kind] of writes) {
        const doc = await tx.get(id)
        const body = { ...bodyOf(this.#task.contentSeed, n), id, ...(doc && { rev: doc.rev }) }
        const ref = kind === 'delete' ? await tx.delete(id) : await tx.put(body)
        if (ref === undefined) told({ kind: 'fault', fault: `${id} was there, and its delete found nothing` })
        else made.push([id, n, ref.rev])
      }
      told({ kind: 'whole', writes: made })
      return made
    })
    this.#acknowledge(done)
  }

  async #seal(): Promise<void> {
    this.#sealing = true
    phase('sealing')
    await this.#db.seal()
    phase('open')
    this.#sealing = false
  }

  /** Beside the other writers, which go on. */
  async #compact(): Promise<void> {
    this.#sealing = true
    phase('compacting')
    await this.#db.compact()
    phase('open')
    this.#sealing = false
  }

  #try(what: readonly (readonly [id: string, kind: WriteKind])[]): Write[] {
    const writes = what.map(([id, kind]) => [id, this.#n++, kind] as const)
    told({ kind: 'try', writes })
    return writes
  }

  #acknowledge(writes: readonly (readonly [id: string, n: number, rev: string])[]): void {
    told({ kind: 'ack', writes })
    for (const [id] of writes) this.#busy.delete(id)
  }
}

async function openFor(task: WriterTask): Promise<Database> {
  const { location, kept, lying, shardBytes } = task
  if (kept === undefined) return open(location, { shardBytes })
  const watched: Storage = new PowerCutStorage(nodeStorage(location), kept, told)
  const storage = lying ? withoutSync(watched) : watched
  return open(location, { shardBytes, storage, level: (folder) => watchedLevel(folder, told) })
}

async function main(): Promise<void> {
  phase('ready')
  const [line] = (await once(process.stdin, 'data')) as [Buffer]
  process.stdin.unref()
  const task = JSON.parse(line.toString()) as WriterTask
  phase('opening')
  const db = await openFor(task)
  phase('open')
  await new Writer(db, task).run()
  phase('closing')
  await db.close()
  phase('closed')
}

await main().catch((error: unknown) => {
  told({ kind: 'fault', fault: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  process.exitCode = 1
})
