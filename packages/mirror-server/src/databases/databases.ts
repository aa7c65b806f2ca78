import { open as openFile, readdir, realpath, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ClosedError,
  type Database,
  type Env,
  MynahError,
  NotFoundError,
  open,
  storageError,
} from '@mynah/core'
import { type Replica, replicaOf } from '@mynah/core/replica'
import { DatabaseNameInvalidError, DatabaseUnknownError, isDatabaseName } from '@mynah/replication/protocol'
import { DatabaseUnavailableError } from '@mynah/replication/serve'
import { serverLimits } from '../limits.js'

/** How the folder of a dropped database begins: no database is called so. */
const DROPPED = '.dropped-'

/** A database that is open, with its two faces. */
export interface OpenDatabase {
  readonly name: string
  readonly database: Database
  readonly replica: Replica
  /** Addresses of other mirrors of it, to be named to who asks. */
  readonly mirrors: readonly string[]
}

/**
 * The databases of one process: one folder each under `folder`, opened on first use. Whoever asks while one is being
 * opened gets the same; one that does not open is no matter to the others.
 */
export class Databases {
  readonly #opening = new Map<string, Promise<OpenDatabase>>()
  readonly #opened = new Map<string, OpenDatabase>()
  readonly #droppedListeners: ((name: string) => void)[] = []
  #closed: Promise<void> | undefined

  constructor(
    readonly folder: string,
    readonly env: Env,
    /** Hears of each attempt to open a database that failed. */
    readonly onFailure: (error: DatabaseUnavailableError) => void = () => {},
    /** Addresses of other mirrors of a database, by its name. */
    readonly mirrorsOf: (name: string) => readonly string[] = () => [],
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

  /** The one that is open; undefined says nothing. */
  now(name: string): OpenDatabase | undefined {
    return this.#closed === undefined ? this.#opened.get(name) : undefined
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

  /** Hears the name of each database that was dropped. */
  onDropped(listener: (name: string) => void): void {
    this.#droppedListeners.push(listener)
  }

  /**
   * Ends a database for good: closes it and takes its folder away, in one step that no end of the process parts. Who asks
   * for it meanwhile waits, and finds none. @throws DatabaseUnknownError, LockedError, StorageError
   */
  async drop(name: string): Promise<void> {
    const opening = this.#open(name, false)
    const dropped = this.#drop(name, opening)
    const gone = dropped.then(() => Promise.reject(new DatabaseUnknownError(name)))
    this.#opening.set(name, gone)
    this.#opened.delete(name)
    gone.catch(() => {
      if (this.#opening.get(name) === gone) this.#opening.delete(name)
    })
    await dropped
  }

  /** Takes away what is left of databases whose drop was cut off. */
  async sweep(): Promise<void> {
    const entries = await readdir(this.folder).catch(() => [])
    for (const entry of entries) if (entry.startsWith(DROPPED)) await remove(join(this.folder, entry))
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
    const remember = (opened: OpenDatabase): void => {
      if (this.#opening.get(name) === begun) this.#opened.set(name, opened)
    }
    begun.then(remember, (error: unknown) => {
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
      return { name, database, replica: replicaOf(database), mirrors: this.mirrorsOf(name) }
    } catch (error) {
      if (error instanceof NotFoundError) throw new DatabaseUnknownError(name)
      if (!(error instanceof MynahError)) throw error
      const unavailable = new DatabaseUnavailableError(name, error)
      this.onFailure(unavailable)
      throw unavailable
    }
  }

  async #drop(name: string, opening: Promise<OpenDatabase>): Promise<void> {
    try {
      await (await opening).database.close()
    } catch (error) {
      // What does not open can be dropped all the same, but not what another process has.
      if (!(error instanceof DatabaseUnavailableError) || error.code === 'MYNAH_LOCKED') throw error
    }
    const moved = join(
      this.folder,
      `${DROPPED}${name}.${Buffer.from(this.env.randomBytes(8)).toString('hex')}`,
    )
    try {
      await rename(join(this.folder, name), moved)
      await syncFolder(this.folder)
    } catch (cause) {
      throw storageError(name, 'drop', cause)
    }
    for (const listener of this.#droppedListeners) listener(name)
    await remove(moved)
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

/** Removes a folder, and where it is a link what that points to; what is left is removed at the next start. */
async function remove(folder: string): Promise<void> {
  const target = await realpath(folder).catch(() => folder)
  await rm(target, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined)
  await rm(folder, { recursive: true, force: true }).catch(() => undefined)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await openFile(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
