import type { Database, DerivedStore, Storage } from '@mynah/core'
import type { Replica } from '@mynah/core/replica'
import type { Replication } from '@mynah/replication'
import { Model } from './model.js'
import type { Profile } from './profile.js'
import { Random } from './random.js'
import { Scheduler } from './scheduler.js'
import type { SimEnv } from './sim-env.js'
import { Trace } from './trace.js'
import type { Violation } from './violation.js'

/** What a machine's replication is begun with. */
export interface Setup {
  /** Addresses. */
  readonly mirrors: readonly string[]
  readonly scope: readonly string[] | undefined
  readonly hold: 'used' | 'all'
  readonly live: boolean
  /** Whether it uses mirrors that others name. */
  readonly discovers: boolean
  /** Undefined for any number. */
  readonly bytesPerHour: number | undefined
}

/** The process of one machine, from its start to its end. */
export interface Process {
  readonly env: SimEnv
  readonly db: Database
  readonly replica: Replica
  readonly replication: Replication
  /** As it was begun with. */
  readonly setup: Setup
  /** Whether it still runs. */
  alive: boolean
  /** Whether it was told to close. */
  closing: boolean
}

/** A machine, as others see it. */
export interface Computer {
  readonly name: string
  /** What its disk is called: another after each new disk. */
  readonly diskName: string
  /** Whether a disk or a lack of space may have failed something in this life. */
  readonly diskFailed: boolean
  /** Counts starts and ends: what was begun before the last one is void. */
  readonly life: number
  /** As the next process is begun with. */
  readonly setup: Setup
}

/** Parts under the fleet's databases that a test may replace by broken ones, to see whether the checks notice. */
export interface Parts {
  readonly storage: (storage: Storage) => Storage
  readonly level: (level: DerivedStore, location: string) => DerivedStore
  readonly database: (db: Database, mode: 'peer' | 'mirror') => Database
}

const whole: Parts = { storage: (one) => one, level: (one) => one, database: (one) => one }

export interface GroundOptions {
  readonly seed: number
  readonly profile: Profile
  readonly parts?: Partial<Parts>
  /** Called with each line of the trace. */
  readonly print?: (line: string) => void
}

/** What everything in one run stands on: time, chance, the trace, and what is known to be true. */
export class Ground {
  readonly profile: Profile
  readonly parts: Parts
  readonly random: Random
  readonly trace: Trace
  readonly scheduler: Scheduler
  readonly model = new Model()
  /** Whether the run has hours in which nothing is done. */
  readonly hasHours: boolean
  /** Whether its mirrors name each other. */
  readonly hasNamed: boolean
  readonly counts = new Map<string, number>()
  /** The scopes under which a machine was answered by a mirror. */
  readonly #exchanged = new Map<Computer, Map<string, Setup['scope']>>()
  #announce: (violation: Violation | Error) => void = () => undefined
  /** Rejects with the first violation. */
  readonly failure = new Promise<never>((_, reject) => {
    this.#announce = reject
  })
  #failed = false

  constructor({ seed, profile, parts, print }: GroundOptions) {
    this.profile = profile
    this.parts = { ...whole, ...parts }
    this.random = new Random(seed)
    this.trace = new Trace(print)
    this.scheduler = new Scheduler(this.trace)
    this.hasHours = this.random.chance(profile.hours)
    this.hasNamed = this.random.chance(profile.discovers)
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

  /** Whether the machine's database may ever have exchanged anything with a mirror under a scope that has this id. */
  everExchanged(machine: Computer, id: string): boolean {
    const scopes = [...(this.#exchanged.get(machine)?.values() ?? [])]
    return scopes.some((scope) => scope === undefined || scope.some((prefix) => id.startsWith(prefix)))
  }

  noteExchange(machine: Computer, scope: Setup['scope']): void {
    const scopes = this.#exchanged.get(machine) ?? new Map<string, Setup['scope']>()
    this.#exchanged.set(machine, scopes.set(String(scope), scope))
  }

  /** The machine has exchanged what the other has, which may be nothing. */
  copyExchanged(machine: Computer, original: Computer | undefined): void {
    const scopes = original && this.#exchanged.get(original)
    if (scopes === undefined) this.#exchanged.delete(machine)
    else this.#exchanged.set(machine, new Map(scopes))
  }
}
