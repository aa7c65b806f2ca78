import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ClosedError, type Database, type Env, MynahError, NotFoundError, open } from '@mynah/core'
import { type Replica, replicaOf } from '@mynah/core/replica'
import { DatabaseNameInvalidError, DatabaseUnknownError, isDatabaseName } from '@mynah/replication/protocol'
import { DatabaseUnavailableError } from '@mynah/replication/serve'
import { serverLimits } from './limits.js'

/** A database that is open, with its two faces. */
export interface OpenDatabase {
  readonly name: string
  readonly database: Database
  readonly replica: Replica
}

/**
 * The databases of one process: one folder each under `folder`, opened on first use. Whoever asks while one is being
 * opened gets the same; one that does not open is no matter to the others.
 */
export class Databases {
  readonly #opening = new Map<string, Promise<OpenDatabase>>()
  #closed: Promise<void> | undefined

  constructor(
    readonly folder: string,
    readonly env: Env,
    /** Hears of each attempt to open a database that failed. */
    readonly onFailure: (error: DatabaseUnavailableError) => void = () => {},
  ) {}

  /** Names of those that are there, in order; whether they open is another question. */
  async names(): Promise<readonly string[]> {
    const entries = await readdir(this.folder, { withFileTypes: true }).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    })
    return entries
      .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && isDatabaseName(entry.name))
      .map((entry) => entry.name)
      .sort()
  }

  /** @throws DatabaseNameInvalidError, DatabaseUnknownError, DatabaseUnavailableError, ClosedError */
  async get(name: string): Promise<OpenDatabase> {
    return await this.#open(name, false)
  }

  /** Opens it, or makes it where there is none. */
  async create(name: string): Promise<{ readonly opened: OpenDatabase; readonly created: boolean }> {
    try {
      return { opened: await this.#open(name, false), created: false }
    } catch (error) {
      if (!(error instanceof DatabaseUnknownError)) throw error
    }
    return { opened: await this.#open(name, true), created: true }
  }

  /** Closes all, also those that are just being opened; what one of them throws is thrown at the end. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll()
    return this.#closed
  }

  #open(name: string, createIfMissing: boolean): Promise<OpenDatabase> {
    if (this.#closed !== undefined) return Promise.reject(new ClosedError())
    if (!isDatabaseName(name)) return Promise.reject(new DatabaseNameInvalidError(name))
    const opening = this.#opening.get(name)
    if (opening !== undefined) return opening
    const begun = this.#openFolder(name, createIfMissing)
    this.#opening.set(name, begun)
    begun.catch((error: unknown) => {
      const forget = (): void => {
        if (this.#opening.get(name) === begun) this.#opening.delete(name)
      }
      // A name that nobody made must cost nothing; a broken database must not be read again for each request.
      if (error instanceof DatabaseUnknownError) forget()
      else this.env.setTimer(forget, serverLimits.reopenMs)
    })
    return begun
  }

  async #openFolder(name: string, createIfMissing: boolean): Promise<OpenDatabase> {
    const location = join(this.folder, name)
    try {
      const database = await open(location, { mode: 'mirror', createIfMissing, env: this.env })
      return { name, database, replica: replicaOf(database) }
    } catch (error) {
      if (error instanceof NotFoundError) throw new DatabaseUnknownError(name)
      if (!(error instanceof MynahError)) throw error
      const unavailable = new DatabaseUnavailableError(name, error)
      this.onFailure(unavailable)
      throw unavailable
    }
  }

  async #closeAll(): Promise<void> {
    const opened = await Promise.allSettled(this.#opening.values())
    const closed = await Promise.allSettled(
      opened.map((one) => (one.status === 'fulfilled' ? one.value.database.close() : undefined)),
    )
    const failures = closed.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    if (failures.length > 0) throw new AggregateError(failures, 'Some databases did not close cleanly')
  }
}
