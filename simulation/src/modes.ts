import type { LeafRef } from '@mynah/core/replica'
import type { Process } from './ground.js'
import { heldBy, without } from './held-check.js'
import type { Machine } from './machine.js'
import { Violation } from './violation.js'
import type { World } from './world.js'

/** Has a machine be a mirror, or a peer, from now on: as it runs, or with its next start. */
export class Modes {
  readonly #world: World
  readonly #startLater: (machine: Machine) => void

  constructor(world: World, startLater: (machine: Machine) => void) {
    this.#world = world
    this.#startLater = startLater
  }

  /** A mirror of everything, once it has what it owes. */
  becomeMirror(machine: Machine): void {
    this.#world.count('peers that became mirrors')
    this.#world.tell(`${machine.name} is to be a mirror`)
    machine.mode = 'mirror'
    if (this.#world.random.chance(0.5)) return this.#restart(machine)
    this.#world.run(machine, 'become a mirror', async (process) => {
      await this.#setMode(machine, process)
      if (process.alive) this.#world.hosts.serve(machine, process)
    })
  }

  /** A peer, which keeps what it holds until it is dropped. */
  becomePeer(machine: Machine): void {
    this.#world.count('mirrors that became peers')
    this.#world.tell(`${machine.name} is to be a peer`)
    machine.mode = 'peer'
    const restarts = this.#world.random.chance(0.5)
    this.#world.run(machine, 'become a peer', async (process) => {
      const held = (await heldBy(process.replica)).filter(({ deleted }) => !deleted)
      if (!process.alive) return
      if (!restarts) {
        await this.#setMode(machine, process)
        return await this.#look(machine, process, held)
      }
      await machine.stop()
      if (machine.process !== undefined || machine.gone) return
      const { diskName } = machine
      await machine.start()
      const look = (again: Process) => this.#look(machine, again, held)
      if (machine.diskName === diskName) this.#world.run(machine, 'look at what it holds', look)
    })
  }

  #restart(machine: Machine): void {
    void machine.stop().then(() => this.#startLater(machine))
  }

  /** Where its disk refuses it, the next start does it. */
  async #setMode(machine: Machine, process: Process): Promise<void> {
    try {
      await process.db.setMode(machine.mode)
    } catch (error) {
      if (process.alive) this.#restart(machine)
      throw error
    }
  }

  async #look(machine: Machine, process: Process, held: readonly LeafRef[]): Promise<void> {
    const { evictor } = this.#world.applicationOf(machine)
    for (const { id, rev } of await without(process.replica, held)) {
      const isLeaf = (await process.replica.leaves(id)).some((leaf) => leaf.rev === rev)
      if (process.alive && isLeaf && !machine.diskFailed && !evictor.mayLack(id))
        throw new Violation('who becomes a peer keeps what it holds', `${machine.name}: ${id} ${rev}`)
    }
  }
}
