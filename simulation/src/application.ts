import type { Document, Read, ReadOptions, Ref, Stored } from '@mynah/core'
import { answered } from './answered.js'
import type { Editor } from './editor.js'
import { Evictor } from './evictor.js'
import { type Followed, Follower } from './follower.js'
import type { Computer, Ground, Process } from './ground.js'
import { generationOf, nameOf, WRITE } from './model.js'
import { Pinner } from './pinner.js'
import type { Random } from './random.js'
import { checkAbsence, checkCurrent } from './read-checks.js'
import { Resolver } from './resolver.js'
import { Transactor } from './transactor.js'
import { Violation } from './violation.js'

/** What an application knows, and finds again with its machine's disk. */
interface Memory {
  /** Revisions that it was told of as stored or read, by document. */
  readonly seen: ReadonlyMap<string, ReadonlySet<string>>
  readonly followed: Followed
  /** Documents whose bodies may have been dropped. */
  readonly evicted: ReadonlySet<string>
  readonly pinned: ReadonlySet<string>
}

export interface ApplicationOptions {
  /** What the disks of the mirrors at these addresses are called now. */
  readonly disksAt: (addresses: readonly string[]) => readonly string[]
  /** Judges what a part of an operation came to. @throws Violation */
  readonly failed: (operation: string, error: unknown) => void
}

/**
 * The application of one machine: uses the database in all ways there are, and checks every answer against the model.
 */
export class Application implements Editor {
  readonly #ground: Ground
  readonly #machine: Computer
  readonly #random: Random
  #seen = new Map<string, Set<string>>()
  readonly follower: Follower
  readonly transactor: Transactor
  readonly evictor: Evictor
  readonly pinner: Pinner
  readonly resolver: Resolver
  readonly #disksAt: (addresses: readonly string[]) => readonly string[]
  readonly #failed: (operation: string, error: unknown) => void

  constructor(ground: Ground, machine: Computer, { disksAt, failed }: ApplicationOptions) {
    this.#ground = ground
    this.#machine = machine
    this.#random = ground.random.fork()
    this.#disksAt = disksAt
    this.#failed = failed
    this.follower = new Follower(ground, machine)
    this.transactor = new Transactor(ground, machine, this)
    this.evictor = new Evictor(ground, machine, disksAt)
    this.pinner = new Pinner(ground, machine)
    this.resolver = new Resolver(ground, this)
  }

  /** A copy of what it knows. */
  remember(): Memory {
    const seen = new Map(Array.from(this.#seen, ([id, revs]) => [id, new Set(revs)]))
    return {
      seen,
      followed: this.follower.remember(),
      evicted: this.evictor.remember(),
      pinned: this.pinner.remember(),
    }
  }

  /** Goes on from there, or from nothing. */
  recall(memory: Memory | undefined): void {
    this.#seen = new Map(Array.from(memory?.seen ?? [], ([id, revs]) => [id, new Set(revs)]))
    this.follower.recall(memory?.followed)
    this.evictor.recall(memory?.evicted)
    this.pinner.recall(memory?.pinned)
  }

  /** Reads a document and checks the answer; undefined where nothing could be told. */
  async read(process: Process, id: string, options: ReadOptions): Promise<Read> {
    const before = [...(this.#seen.get(id) ?? [])]
    // Alone, it is what it knows; a mirror that is added under the read does not make that untrue.
    const alone = process.replication.mirrors().length === 0
    const found = await answered(process, process.db.read(id, options))
    const { doc } = found
    const older = options.rev === undefined && (found.current || !this.evictor.mayLack(id)) ? before : []
    if (doc !== undefined) this.#checkDocument(id, doc, older)
    else if (options.rev === undefined) checkAbsence(this.#ground, this.#machine, id, found, before)
    if (options.rev !== undefined && doc !== undefined && doc.rev !== options.rev)
      throw new Violation('a read of a revision gives it', `${id} ${doc.rev} for ${options.rev}`)
    if (found.current && found.from === 'local' && !alone)
      checkCurrent(this.#ground, this.#machine, process, id)
    return found
  }

  /** Puts a new body on what is current here, or as a new document. */
  async edit(process: Process, id: string, options: ReadOptions): Promise<void> {
    const { doc } = await this.read(process, id, options)
    await this.put(process, { ...this.draw(id), ...(doc && { rev: doc.rev }) })
  }

  /** A body that no other write has. */
  draw(id: string): Document & { readonly id: string } {
    const random = this.#random
    const doc: Document & { readonly id: string } = {
      id,
      [WRITE]: this.#ground.model.nextWrite(),
      at: this.#machine.name,
      ...(random.chance(0.5) && { text: 'lorem ipsum '.repeat(random.below(8)) }),
      ...(random.chance(0.2) && { when: new Date(random.below(1e12)), big: BigInt(random.integer()) }),
      ...(random.chance(0.2) && { bytes: random.bytes(random.below(random.chance(0.1) ? 3_000 : 60)) }),
      ...(random.chance(0.2) && { list: [1, 'two', { three: null }, -0] }),
    }
    this.#ground.model.attempt(id, doc)
    return doc
  }

  async put(process: Process, doc: Document & { readonly id: string }): Promise<Stored> {
    const stored = await answered(process, process.db.put(doc))
    await this.wrote(process, stored, doc)
    if (!this.#random.chance(0.05) || !process.alive) return stored
    // An application that was not told tries again.
    const again = await answered(
      process,
      process.db.put(doc).catch(() => undefined),
    )
    if (again !== undefined && doc.rev !== undefined && again.rev !== stored.rev)
      throw new Violation('a repeated put is no new one', `${doc.id} ${again.rev} after ${stored.rev}`)
    return stored
  }

  async putMany(process: Process, ids: readonly string[]): Promise<void> {
    const docs = []
    for (const id of ids) {
      const { doc } = await this.read(process, id, { freshness: 'local' })
      docs.push({ ...this.draw(id), ...(doc && { rev: doc.rev }) })
    }
    const outcomes = await answered(process, process.db.putMany(docs))
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.ok) await this.wrote(process, outcome.doc, docs[index]!)
      else this.#failed('putMany', outcome.error)
    }
  }

  async update(process: Process, id: string): Promise<void> {
    let written: (Document & { readonly id: string }) | undefined
    let rev: string | undefined
    const stored = await answered(
      process,
      process.db.update(id, (doc) => {
        rev = doc?.rev
        written = this.draw(id)
        return written
      }),
    )
    if (stored !== undefined && written !== undefined)
      await this.wrote(process, stored, { ...written, ...(rev !== undefined && { rev }) })
  }

  /** Deletes what is current, or one revision that was read. */
  async delete(process: Process, id: string): Promise<void> {
    const byRef = this.#random.chance(0.5)
    const { doc } = byRef ? await this.read(process, id, { freshness: 'local' }) : {}
    this.#ground.model.attemptDelete(id)
    const ref = await answered(process, process.db.delete(doc === undefined ? id : { id, rev: doc.rev }))
    if (ref !== undefined) await this.buried(process, id, ref.rev, doc?.rev)
  }

  /** The live leaves of a document that has several, the winner first; where they can all be read. */
  async conflict(process: Process, id: string): Promise<readonly Stored[] | undefined> {
    const { doc, conflicts, current } = await this.read(process, id, {})
    // What is stale may be one of the others.
    if (doc === undefined || !current || conflicts.length === 0) return undefined
    const leaves = [doc]
    for (const rev of conflicts) {
      const other = await this.read(process, id, { rev })
      if (other.doc === undefined) return undefined
      leaves.push(other.doc)
    }
    return leaves
  }

  /** Deletes one revision that was read. */
  async deleteRevision(process: Process, { id, rev }: Ref): Promise<void> {
    this.#ground.model.attemptDelete(id)
    const ref = await answered(process, process.db.delete({ id, rev }))
    if (ref !== undefined) await this.buried(process, id, ref.rev, rev)
  }

  async getMany(process: Process, ids: readonly string[]): Promise<void> {
    const before = ids.map((id) => [...(this.#seen.get(id) ?? [])])
    const docs = await answered(process, process.db.getMany(ids))
    for (const [index, doc] of docs.entries())
      if (doc !== undefined) this.#checkDocument(doc.id, doc, this.#notBefore(doc.id, before[index]!))
  }

  async list(process: Process, missing: 'skip' | 'fetch'): Promise<void> {
    const { seen } = this.remember()
    let last = ''
    for await (const doc of process.db.list({ missing })) {
      if (doc.id <= last) throw new Violation('a list is in order', `${doc.id} after ${last}`)
      last = doc.id
      if (!process.alive) return
      this.#checkDocument(doc.id, doc, this.#notBefore(doc.id, seen.get(doc.id) ?? []))
    }
  }

  /** Waits until all that was acknowledged here is durable on a mirror. */
  async synced(process: Process): Promise<void> {
    const { model } = this.#ground
    const { diskName, setup } = this.#machine
    const written = [...model.required(diskName)]
    const disks = this.#disksAt(setup.mirrors)
    const since = written.map(({ id, rev }) => model.guarantees.since(nameOf(id, rev)))
    const abort = new AbortController()
    process.env.setTimer(() => abort.abort(new Error('waited long enough')), 20_000)
    await answered(process, process.replication.synced({ signal: abort.signal }))
    const all = [...new Set([...disks, ...this.#disksAt(setup.mirrors)])]
    if (diskName !== this.#machine.diskName) return
    for (const [index, { id, rev }] of written.entries()) {
      const name = nameOf(id, rev)
      // What was evicted here and went with its mirror nobody can send any more.
      if (model.guarantees.mayBeDropped(name, diskName)) continue
      model.guarantees.add(name, all, since[index]!)
    }
  }

  /** Something was stored: it is there at once. */
  async wrote(
    process: Process,
    stored: Document & { readonly id: string; readonly rev: string },
    given: Document,
  ): Promise<void> {
    const { id, rev } = stored
    // A put of what is there already is no new revision.
    const parent = given.rev === rev ? undefined : given.rev
    this.#ground.model.acknowledge(this.#machine.diskName, { id, rev, parent, doc: stored })
    this.evictor.leave(process, [id])
    this.#see(id, rev)
    this.#ground.count('writes')
    if (!process.alive) return
    const before = this.evictor.stamp(process)
    const again = await this.read(process, id, { rev, freshness: 'local' })
    if (again.doc === undefined && !this.#machine.diskFailed && before === this.evictor.stamp(process))
      throw new Violation('what was written is read', `${this.#machine.name}: ${id} ${rev} is not there`)
    if (parent === undefined && generationOf(rev) > 1) await this.learn(process, id)
  }

  /** Something was deleted. */
  async buried(process: Process, id: string, rev: string, parent: string | undefined): Promise<void> {
    this.#ground.model.acknowledge(this.#machine.diskName, { id, rev, parent })
    this.evictor.leave(process, [id])
    this.#see(id, rev)
    this.#ground.count('deletes')
    if (parent === undefined) await this.learn(process, id)
  }

  /** Asks the database what a document's revisions follow. */
  async learn(process: Process, id: string): Promise<void> {
    for (const { rev, deleted, path } of await answered(process, process.replica.leaves(id)))
      this.#ground.model.learnPath(id, rev, deleted, path)
  }

  #see(id: string, rev: string): void {
    this.#seen.set(id, (this.#seen.get(id) ?? new Set()).add(rev))
  }

  /** What a read must not go behind that may be stale: nothing, once a newer body may have been dropped. */
  #notBefore(id: string, revs: Iterable<string>): readonly string[] {
    return this.evictor.mayLack(id) ? [] : [...revs]
  }

  #checkDocument(id: string, doc: Document & { readonly rev: string }, before: readonly string[]): void {
    const { model } = this.#ground
    model.checkBody(id, doc.rev, doc)
    const newer = before.find((rev) => model.isAncestor(id, doc.rev, rev))
    if (newer !== undefined)
      throw new Violation(
        'a read never goes back',
        `${this.#machine.name}: ${id} is ${doc.rev}, after ${newer}`,
      )
    this.#see(id, doc.rev)
  }
}
