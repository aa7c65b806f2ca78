import { MynahError } from '@mynah/core'
import { answered } from './answered.js'
import type { Computer, Ground, Process } from './ground.js'
import { Violation } from './violation.js'

/** How long it may take to reach a mirror once nothing goes wrong any more. */
const LIMIT_MS = 120_000
const LOOK_MS = 2_000

/** Drops bodies on one machine, and sees that they come back. */
export class Evictor {
  readonly #ground: Ground
  readonly #machine: Computer
  /** Documents whose bodies may have been dropped on this disk. */
  #evicted = new Set<string>()
  /** Calls that were begun, and that ended. */
  #begun = 0
  #ended = 0

  readonly #disksAt: (addresses: readonly string[]) => readonly string[]

  constructor(
    ground: Ground,
    machine: Computer,
    disksAt: (addresses: readonly string[]) => readonly string[],
  ) {
    this.#ground = ground
    this.#machine = machine
    this.#disksAt = disksAt
  }

  remember(): ReadonlySet<string> {
    return new Set(this.#evicted)
  }

  recall(evicted: ReadonlySet<string> | undefined): void {
    this.#evicted = new Set(evicted)
  }

  /** Whether a body of the document may have been dropped here. */
  mayLack(id: string): boolean {
    return this.#evicted.has(id)
  }

  /** The same as long as none was being dropped: another where one was. */
  stamp({ replica }: Process): number {
    const leaves = replica.settings().left !== undefined
    return this.#begun === this.#ended && !leaves ? this.#ended : Number.NaN
  }

  /** While what left the scope is not dropped yet, any of these may be at any time. */
  leave({ replica, setup }: Process, ids: readonly string[]): void {
    if (replica.settings().left === undefined) return
    const outside = ids.filter((id) => setup.scope?.every((prefix) => !id.startsWith(prefix)))
    for (const id of outside) this.#evicted.add(id)
    const { diskName, setup: next } = this.#machine
    const { guarantees } = this.#ground.model
    const mirrors = this.#disksAt([...setup.mirrors, ...next.mirrors])
    guarantees.entrust(this.#ground.model.revisionsOf(outside), diskName, [...new Set(mirrors)])
  }

  async evict(process: Process, ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#evicted.add(id)
    this.#begun += 1
    const { diskName, setup } = this.#machine
    const { guarantees } = this.#ground.model
    const writes = this.#ground.model.revisionsOf(ids)
    const mirrors = this.#disksAt([...process.setup.mirrors, ...setup.mirrors])
    let hasDropped = true
    const ended = guarantees.entrust(writes, diskName, [...new Set(mirrors)])
    try {
      const count = await answered(process, process.db.evict(ids))
      for (let i = 0; i < count; i++) this.#ground.count('evicted bodies')
    } catch (error) {
      const { setup } = process
      if (!(error instanceof MynahError) || error.code !== 'MYNAH_HOLDS_ALL') throw error
      hasDropped = false
      if (process.db.mode === 'peer' && setup.hold === 'used')
        throw new Violation('a peer that holds by use may evict', this.#machine.name, { cause: error })
    } finally {
      this.#ended += 1
      ended(hasDropped)
    }
  }

  /** With mirrors there that hold everything, a read gives what was dropped here. `live` names what they have. */
  async check(process: Process, live: ReadonlySet<string>): Promise<void> {
    for (const id of this.#evicted) {
      if (!live.has(id)) continue
      const fault = await this.#faultOf(process, id)
      if (fault !== undefined)
        throw new Violation('what was evicted is fetched again', `${this.#machine.name}: ${id}: ${fault}`)
    }
  }

  async #faultOf(process: Process, id: string): Promise<string | undefined> {
    const { scheduler } = this.#ground
    const endMs = scheduler.nowMs + LIMIT_MS
    for (;;) {
      const found = await process.db.read(id).catch((error: unknown) => ({ error }))
      if (!('error' in found) && found.current) return found.doc === undefined ? 'nothing' : undefined
      // Who waits to try a mirror again has none yet.
      if (scheduler.nowMs > endMs) return 'error' in found ? String(found.error) : 'stale'
      await scheduler.sleep(LOOK_MS, 'look')
    }
  }
}
