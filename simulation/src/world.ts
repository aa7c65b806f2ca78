import { Application } from './application.js'
import { Check } from './check.js'
import { Ground, type GroundOptions, type Process, type Setup } from './ground.js'
import { Hosts } from './hosts.js'
import { Machine } from './machine.js'
import type { Random } from './random.js'

/** Documents of a run that has many. */
const FILLERS = 200

export interface WorldOptions extends GroundOptions {
  /** Default: as many as are drawn. */
  readonly ids?: readonly string[]
}

/** Everything in one run: the machines, what is between them, and what is known of them. */
export class World extends Ground {
  readonly check: Check
  readonly hosts: Hosts
  /** Those in the fleet now. */
  readonly machines: Machine[] = []
  readonly ids: readonly string[]
  /** Documents that are there for their number, in some runs. */
  readonly fillers: readonly string[]
  readonly #applications = new Map<Machine, Application>()
  /** Operations that were begun and are not over, with the life that they belong to. */
  readonly #pending = new Set<{
    readonly machine: Machine
    readonly process: Process
    readonly what: string
  }>()
  #names = 0

  constructor(options: WorldOptions) {
    super(options)
    this.check = new Check(this)
    this.hosts = new Hosts(this)
    this.ids = options.ids ?? idsOf(this.random.between(...options.profile.ids), this.random)
    const many = this.random.chance(options.profile.many)
    this.fillers = many ? idsOf(FILLERS, this.random).map((id) => `${id} filler`) : []
  }

  get mirrors(): readonly Machine[] {
    return this.machines.filter(({ name }) => name.startsWith('m'))
  }

  get peers(): readonly Machine[] {
    return this.machines.filter(({ name }) => !name.startsWith('m'))
  }

  /** A new machine in the fleet, which is not started. */
  add(mode: 'peer' | 'mirror', setup: Setup): Machine {
    const machine = new Machine(this, {
      name: `${mode === 'mirror' ? 'm' : 'p'}${this.#names++}`,
      mode,
      setup,
      hosts: this.hosts,
      check: this.check,
      onUp: (up, process) => this.#started(up, process),
    })
    this.machines.push(machine)
    const application = new Application(this, machine, {
      disksAt: (addresses) =>
        machine.setup.discovers ? this.machines.map(({ diskName }) => diskName) : this.disksAt(addresses),
      failed: (operation, error) => this.check.operationFailed(machine, operation, error),
    })
    this.#applications.set(machine, application)
    return machine
  }

  /** Takes a machine out, for good. */
  remove(machine: Machine): void {
    machine.crash('kill')
    machine.gone = true
    this.machines.splice(this.machines.indexOf(machine), 1)
    this.model.guarantees.setBack(machine.diskName)
  }

  applicationOf(machine: Machine): Application {
    return this.#applications.get(machine)!
  }

  /** The machine at a mirror's address, where there is one. */
  machineAt(address: string): Machine | undefined {
    return this.machines.find(({ name }) => addressOf(name) === address)
  }

  /** What the disks of the mirrors at these addresses are called now. */
  disksAt(addresses: readonly string[]): readonly string[] {
    return addresses.flatMap((address) => this.machineAt(address)?.diskName ?? [])
  }

  /** A process has come up. */
  #started(machine: Machine, process: Process): void {
    this.count('starts')
    const check = async (running: Process, application: Application) => {
      await this.check.opened(machine, running)
      await application.transactor.look(running)
    }
    this.applicationOf(machine).evictor.leave(process, [...this.ids, ...this.fillers])
    this.run(machine, 'check after the start', check, process)
    this.heed(machine)
  }

  /** Has the machine's replication know the mirrors that its setup names, and no others. */
  heed(machine: Machine): void {
    this.run(machine, 'heed its setup', async ({ replication }) => {
      const { mirrors } = machine.setup
      for (const { url, namedBy } of replication.mirrors())
        if (namedBy === undefined && !mirrors.includes(url)) await replication.removeMirror(url)
      for (const url of mirrors) await replication.addMirror(url)
    })
  }

  /** Runs something on a machine, without waiting for it, and judges how it ends. */
  run(
    machine: Machine,
    what: string,
    operation: (process: Process, application: Application) => Promise<unknown>,
    process = machine.process,
  ): void {
    if (process === undefined || !process.alive) return
    const pending = { machine, process, what }
    this.#pending.add(pending)
    this.tell(`${machine.name} ${what}`)
    this.count('operations')
    const { mirrors } = machine.setup
    void this.#settle(pending, mirrors, operation(process, this.applicationOf(machine)))
  }

  /** What should have ended, and has not. */
  unanswered(): readonly string[] {
    return [...this.#pending]
      .filter(({ process }) => process.alive)
      .map(({ machine, what }) => `${machine.name}: ${what}`)
  }

  async #settle(
    pending: { readonly machine: Machine; readonly process: Process; readonly what: string },
    mirrors: readonly string[],
    operation: Promise<unknown>,
  ): Promise<void> {
    const { machine, process, what } = pending
    try {
      await operation
      if (process.alive) this.tell(`${machine.name} did: ${what}`)
    } catch (error) {
      if (!process.alive) return
      try {
        this.check.operationFailed(machine, what, error, mirrors)
        this.tell(`${machine.name} could not: ${what}: ${String(error)}`)
      } catch (violation) {
        this.fail(violation as Error)
      }
    } finally {
      this.#pending.delete(pending)
    }
  }
}

/** A mirror's address. */
export function addressOf(name: string): string {
  return `http://${name}/v1/fleet`
}

/** Ids below a few prefixes, which scopes take. */
function idsOf(count: number, random: Random): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${random.pick(prefixes)}${i}`)
}

export const prefixes = ['a/', 'b/', 'c/'] as const
