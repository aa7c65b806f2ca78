import { type Database, type DerivedStore, type OpenOptions, open, type Storage } from '../../src/index.js'
import { type Replica, replicaOf } from '../../src/replica.js'
import { MemoryDisk } from '../../src/storage/memory-disk.js'
import { OrderedEnv } from '../log/disk-life.js'
import type { Chance } from './chance.js'

/** What stands between a history and its database: nothing, or a fault that was planted. */
export interface Parts {
  readonly storage: (storage: Storage) => Storage
  readonly level: (level: DerivedStore) => DerivedStore
  readonly database: (db: Database) => Database
  readonly replica: (replica: Replica) => Replica
}

export const faultless: Parts = {
  storage: (storage) => storage,
  level: (level) => level,
  database: (db) => db,
  replica: (replica) => replica,
}

const NEVER: Promise<never> = new Promise(() => undefined)

/** A computer with one database on its disk. */
export class Machine {
  readonly env: OrderedEnv
  readonly disk: MemoryDisk
  readonly #chance: Chance
  readonly #parts: Parts
  #db: Database | undefined
  #replica: Replica | undefined
  /** Operations of the disk until the end; undefined: it does not come. */
  #left: number | undefined
  #end: () => void = () => undefined

  constructor(chance: Chance, parts: Parts) {
    this.#chance = chance
    this.#parts = parts
    this.env = new OrderedEnv(chance.below(2 ** 31))
    this.disk = new MemoryDisk({ random: chance.source, pace: () => this.#pace() })
  }

  get db(): Database {
    if (this.#db === undefined) throw new Error('the database is not open')
    return this.#db
  }

  get replica(): Replica {
    if (this.#replica === undefined) throw new Error('the database is not open')
    return this.#replica
  }

  async open(options: OpenOptions): Promise<void> {
    const db = await open('/ram', {
      ...options,
      env: this.env,
      storage: this.#parts.storage(this.disk.storage()),
      level: (location) => this.#parts.level(this.disk.level(location)),
    })
    this.#replica = this.#parts.replica(replicaOf(db))
    this.#db = this.#parts.database(db)
  }

  /**
   * Does something, until after so many operations of the disk the process or the power ends; at the latest when it is
   * done. Nothing of it goes on after that.
   */
  async until(operations: number, end: 'kill' | 'power cut', act: () => Promise<unknown>): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      this.#end = resolve
    })
    this.#left = operations
    await Promise.race([act(), ended])
    this.#left = undefined
    if (end === 'kill') this.disk.kill()
    else this.disk.powerCut()
    this.#db = undefined
    this.#replica = undefined
  }

  async #pace(): Promise<void> {
    if (this.#left !== undefined && this.#left-- <= 0) {
      this.#left = undefined
      this.#end()
      return NEVER
    }
    if (this.#chance.is(0.1)) await this.env.yield()
  }
}
