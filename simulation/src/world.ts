import type { Database, DerivedStore, Storage } from '@mynah/core'
import { Application } from './application.js'
import { Check } from './check.js'
import { Hosts } from './hosts.js'
import { Machine, type Process, type Setup } from './machine.js'
import { Model } from './model.js'
import type { Profile } from './profile.js'
import { Random } from './random.js'
import { Scheduler } from './scheduler.js'
import { Trace } from './trace.js'
import type { Violation } from './violation.js'

/** Parts under the fleet's databases that a test may replace by broken ones, to see whether the checks notice. */
export interface Parts {
  readonly storage: (storage: Storage) => Storage
  readonly level: (level: DerivedStore, location: string) => DerivedStore
  readonly database: (db: Database, mode: 'peer' | 'mirror') => Database
}

const whole: Parts = { storage: (one) => one, level: (one) => one, database: (one) => one }

export interface WorldOptions {
  readonly seed: number
  readonly profile: Profile
  readonly parts?: Partial<Parts>
  /** Default: as many as are drawn. */
  readonly ids?: readonly string[]
  /** Called with each line of the trace. */
  readonly print?: (line: string) => void
}

/** Everything in one run: the machines, what is between them, and what is known of them. */
export class World {
  readonly profile: Profile
  readonly parts: Parts
  readonly random: Random
  readonly trace: Trace
  readonly scheduler: Scheduler
  readonly model = new Model()
  readonly check: Check
  readonly hosts: Hosts
  /** Those in the fleet now. */
  readonly machines: Machine[] = []
  readonly counts = new Map<string, number>()
  readonly ids: readonly string[]
  readonly #applications = new Map<Machine, Application>()
  /** The scopes under which a machine was answered by a mirror. */
  readonly #exchanged = new Map<Machine, Set<string>>()
  /** Operations that were begun and are not over, with the life that they belong to. */
  readonly #pending = new Set<{
    readonly machine: Machine
    readonly process: Process
    readonly what: string
  }>()
  #announce: (violation: Violation | Error) => void = () => undefined
  /** Rejects with the first violation. */
  readonly failure = new Promise<never>((_, reject) => {
    this.#announce = reject
  })
  #failed = false
  #names = 0

  constructor({ seed, profile, parts, ids, print }: WorldOptions) {
    this.profile = profile
    this.parts = { ...whole, ...parts }
    this.random = new Random(seed)
    this.trace = new Trace(print)
    this.scheduler = new Scheduler(this.trace)
    this.check = new Check(this)
    this.hosts = new Hosts(this)
    this.ids = ids ?? idsOf(this.random.between(...profile.ids), this.random)
    this.failure.catch(() => undefined)
  }

  tell(text: string): void {
    this.trace.tell(this.scheduler.nowMs, text)
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  /** Ends the run with this. */
  fail(violation: Violation | Error): void {
    if (this.#failed) return
    this.#failed = true
    this.tell(`VIOLATION ${violation.message}`)
    this.#announce(violation)
  }

  get mirrors(): readonly Machine[] {
    return this.machines.filter(({ name }) => name.startsWith('m'))
  }

  get peers(): readonly Machine[] {
    return this.machines.filter(({ name }) => !name.startsWith('m'))
  }

  /** A new machine in the fleet, which is not started. */
  add(mode: 'peer' | 'mirror', setup: Setup): Machine {
    const machine = new Machine(this, `${mode === 'mirror' ? 'm' : 'p'}${this.#names++}`, mode, setup)
    this.machines.push(machine)
    this.#applications.set(machine, new Application(this, machine))
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

  /** Whether the machine's database may ever have exchanged anything with a mirror under this scope. */
  everExchanged(machine: Machine, scope: Setup['scope']): boolean {
    return this.#exchanged.get(machine)?.has(String(scope)) === true
  }

  noteExchange(machine: Machine, scope: Setup['scope']): void {
    const scopes = this.#exchanged.get(machine) ?? new Set()
    this.#exchanged.set(machine, scopes.add(String(scope)))
  }

  /** The machine has exchanged what the other has, which may be nothing. */
  copyExchanged(machine: Machine, original: Machine | undefined): void {
    const scopes = original && this.#exchanged.get(original)
    if (scopes === undefined) this.#exchanged.delete(machine)
    else this.#exchanged.set(machine, new Set(scopes))
  }

  /** A process has come up. */
  started(machine: Machine, process: Process): void {
    this.count('starts')
    this.run(machine, 'check after the start', (running) => this.check.opened(machine, running), process)
    this.heed(machine)
  }

  /** Has the machine's replication know the mirrors that its setup names, and no others. */
  heed(machine: Machine): void {
    this.run(machine, 'heed its setup', async ({ replication }) => {
      const { mirrors } = machine.setup
      for (const { url } of replication.mirrors())
        if (!mirrors.includes(url)) await replication.removeMirror(url)
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
    void this.#settle(pending, operation(process, this.applicationOf(machine)))
  }

  /** What should have ended, and has not. */
  unanswered(): readonly string[] {
    return [...this.#pending]
      .filter(({ process }) => process.alive)
      .map(({ machine, what }) => `${machine.name}: ${what}`)
  }

  async #settle(
    pending: { readonly machine: Machine; readonly process: Process; readonly what: string },
    operation: Promise<unknown>,
  ): Promise<void> {
    const { machine, process, what } = pending
    try {
      await operation
      if (process.alive) this.tell(`${machine.name} did: ${what}`)
    } catch (error) {
      if (!process.alive) return
      try {
        this.check.operationFailed(machine, what, error)
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
