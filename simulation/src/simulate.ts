import { type Document, REMOVE, type Stored } from '@mynah/core'
import type { Application } from './application.js'
import type { Process } from './ground.js'
import type { Machine } from './machine.js'
import { nameOf } from './model.js'
import { profiles } from './profile.js'
import type { Random } from './random.js'
import { type RunReport, run, type Usage } from './run.js'
import { Violation } from './violation.js'
import type { World } from './world.js'

/** What an edit or a merge makes of a document: its members, without id and rev. */
export type Outcome<T> = T | typeof REMOVE

export interface SimulateOptions<T extends object> {
  /** How many histories. */
  readonly seeds: number
  /** Default 1. */
  readonly firstSeed?: number
  /** The documents that all peers edit. Default one, `doc`. */
  readonly ids?: readonly string[]
  /**
   * What a user does to a document, which is undefined where there is none; undefined does nothing. Chance comes from
   * `random` alone, so that a seed is one history.
   */
  readonly edit: (doc: Readonly<Stored<T>> | undefined, random: Random) => Outcome<T> | undefined
  /** The merge under test. `leaves` has the winner first, then the others; at least two. */
  readonly merge: (conflict: { readonly id: string; readonly leaves: readonly Stored<T>[] }) => Outcome<T>
  /**
   * Judges the documents on which all replicas agree in the end, when no conflicts are left: gives what is wrong with
   * them. `edits` are all edits that were acknowledged, in order.
   */
  readonly check?: (
    documents: ReadonlyMap<string, Stored<T>>,
    edits: readonly Stored<T>[],
  ) => string | undefined
  /** Called after each history. */
  readonly onProgress?: (report: RunReport) => void
}

/** What the histories came to. */
export interface SimulateReport {
  readonly seeds: number
  /** How often a merge was called. */
  readonly merges: number
  /** Those in which a promise was broken: the fleet did not agree, or the check was not content. */
  readonly failures: readonly RunReport[]
}

/**
 * Runs an application's merge in many histories of a fleet whose network fails and whose machines crash: peers edit the
 * same documents, apart from each other, and merge the conflicts that they see. Reports whether all replicas come to
 * the same documents, without conflicts, and whether nothing is wrong with these.
 */
export async function simulate<T extends object = Document>(
  options: SimulateOptions<T>,
): Promise<SimulateReport> {
  const { seeds, firstSeed = 1, onProgress } = options
  const failures: RunReport[] = []
  let merges = 0
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const report = await run({ seed, profile: profiles.merges, usage: new MergeUsage(options) })
    merges += report.counts.get('merges') ?? 0
    if (report.violation !== undefined) failures.push(report)
    onProgress?.(report)
  }
  return { seeds, merges, failures }
}

/** Peers that edit and merge as the application does. */
class MergeUsage<T extends object> implements Usage {
  readonly ids: readonly string[]
  readonly #options: SimulateOptions<T>
  readonly #edits: Stored<T>[] = []

  constructor(options: SimulateOptions<T>) {
    this.#options = options
    this.ids = options.ids ?? ['doc']
  }

  step(world: World, machine: Machine): void {
    const random = world.random.fork()
    const id = random.pick(this.ids)
    if (machine.mode === 'mirror') return
    if (random.chance(0.2))
      world.run(machine, 'merge', (process, app) => this.#merge(world, process, app, id))
    else world.run(machine, 'edit', (process, app) => this.#edit(world, process, app, { id, random }))
  }

  /** Has conflicts that are left merged, by whoever sees them. */
  async look(world: World): Promise<string | undefined> {
    let left: string | undefined
    for (const machine of world.machines)
      for (const id of this.ids) {
        const { conflicts } = (await machine.process?.db.read(id, { freshness: 'local' })) ?? {}
        if (conflicts === undefined || conflicts.length === 0) continue
        left = `${id} has conflicts: ${conflicts.join()}`
        if (machine.mode === 'peer')
          world.run(machine, 'merge', (process, app) => this.#merge(world, process, app, id))
      }
    return left
  }

  async end(world: World): Promise<void> {
    const documents = new Map<string, Stored<T>>()
    for await (const doc of world.mirrors[0]?.process?.db.list<T>() ?? []) documents.set(doc.id, doc)
    const { guarantees } = world.model
    const edits = this.#edits.filter(({ id, rev }) => guarantees.holds(nameOf(id, rev)))
    const fault = this.#options.check?.(documents, edits)
    if (fault !== undefined) throw new Violation('the check is content', fault)
  }

  async #edit(
    world: World,
    process: Process,
    app: Application,
    { id, random }: { readonly id: string; readonly random: Random },
  ): Promise<void> {
    const { doc } = await app.read(process, id, {})
    const edited = this.#options.edit(doc as Stored<T> | undefined, random)
    if (edited === undefined) return
    const stored = await this.#write(world, process, app, { id, on: doc, outcome: edited })
    if (stored !== undefined) this.#edits.push(stored)
  }

  async #merge(world: World, process: Process, app: Application, id: string): Promise<void> {
    const leaves = await app.conflict(process, id)
    const [winner, ...others] = leaves ?? []
    if (winner === undefined) return
    world.count('merges')
    const outcome = this.#options.merge({ id, leaves: leaves as readonly Stored[] as readonly Stored<T>[] })
    await this.#write(world, process, app, { id, on: winner, outcome })
    for (const other of others) await app.deleteRevision(process, other)
  }

  async #write(
    world: World,
    process: Process,
    app: Application,
    {
      id,
      on,
      outcome,
    }: { readonly id: string; readonly on: Stored | undefined; readonly outcome: Outcome<T> },
  ): Promise<Stored<T> | undefined> {
    if (outcome === REMOVE) {
      if (on !== undefined) await app.deleteRevision(process, on)
      return undefined
    }
    const { id: _id, rev: _rev, ...members } = outcome as Document
    const doc = { ...members, id, ...(on && { rev: on.rev }) }
    world.model.attempt(id, doc)
    return (await app.put(process, doc)) as Stored<T>
  }
}
