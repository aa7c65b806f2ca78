import {
  constants,
  type FileHandle,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  stat,
  unlink,
} from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { StorageError, storageError } from '../errors.js'
import { lockFolder } from './node-lock.js'
import type { Storage, StorageLock, StoredFile } from './storage.js'

const NAME = /^[a-z0-9.-]{1,64}$/
/** Ends the name of a file that is being replaced; outside the alphabet of names, so it never meets one. */
const TEMPORARY = '~'
/** File handles kept open. */
const HANDLES = 32

interface OpenFile {
  readonly handle: FileHandle
  readonly access: Access
  /** As far as this process knows; undefined after a failed write, and for a file that is only read. */
  length: number | undefined
  /** Calls that hold the handle: the last one closes it when it is `closing`. */
  users: number
  closing: boolean
}

type Access = 'read' | 'write' | 'create' | 'durable'
/** Never O_APPEND: Linux then ignores the position of a write. */
const FLAGS: Record<Access, number> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT,
  durable: constants.O_RDWR | constants.O_DSYNC,
}

/** Elsewhere O_DSYNC is missing (Windows), or does not reach the medium (macOS). */
const WRITES_DURABLY = process.platform === 'linux'

/** Files in one folder of the disk, which is made by the first write or `lock`. */
export function nodeStorage(folder: string): Storage {
  return new NodeStorage(resolve(folder))
}

class NodeStorage implements Storage {
  readonly location: string
  readonly #files = new Map<string, Promise<OpenFile>>()
  /** Files whose entry in the folder is known to be durable. */
  readonly #named = new Set<string>()
  #folder: Promise<void> | undefined

  constructor(folder: string) {
    this.location = folder
  }

  async lock(): Promise<StorageLock> {
    await this.#attempt('lock', '.', () => this.#ready())
    const lock = await lockFolder(this.location, await realpath(this.location))
    await this.#removeLeftovers()
    return lock
  }

  list(): Promise<readonly StoredFile[]> {
    return this.#attempt('list', '.', async () => {
      const files: StoredFile[] = []
      for (const entry of (await unlessMissing(readdir(this.location, { withFileTypes: true }))) ?? []) {
        if (!entry.isFile() || !NAME.test(entry.name)) continue
        const found = await unlessMissing(stat(this.#path(entry.name)))
        if (found !== undefined) files.push({ name: entry.name, length: found.size })
      }
      return files
    })
  }

  append(name: string, expectedLength: number, bytes: Uint8Array): Promise<void> {
    return this.#attempt('append to', name, () =>
      this.#use(name, expectedLength === 0 ? 'create' : 'write', (file) =>
        appendTo(file, expectedLength, bytes),
      ),
    )
  }

  /** One trip to another thread instead of two. */
  async appendDurably(name: string, expectedLength: number, bytes: Uint8Array): Promise<void> {
    if (WRITES_DURABLY && this.#named.has(name)) {
      return this.#attempt('append to', name, () =>
        this.#use(name, 'durable', (file) => appendTo(file, expectedLength, bytes)),
      )
    }
    await this.append(name, expectedLength, bytes)
    await this.sync(name)
  }

  read(name: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#attempt('read', name, () =>
      this.#use(name, 'read', async ({ handle }) => {
        const bytes = new Uint8Array(length)
        let filled = 0
        while (filled < length) {
          const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled)
          if (bytesRead === 0) break
          filled += bytesRead
        }
        return filled === length ? bytes : bytes.slice(0, filled)
      }),
    )
  }

  sync(name: string): Promise<void> {
    return this.#attempt('sync', name, async () => {
      await this.#use(name, 'read', ({ handle }) => handle.datasync())
      if (this.#named.has(name)) return
      await syncFolder(this.location)
      this.#named.add(name)
    })
  }

  replace(name: string, bytes: Uint8Array): Promise<void> {
    return this.#attempt('replace', name, async () => {
      await this.#ready()
      const temporary = this.#path(`${name}${TEMPORARY}`)
      const handle = await open(temporary, 'w')
      try {
        await writeAll(handle, bytes, 0)
        await handle.datasync()
      } finally {
        await handle.close()
      }
      await this.#forget(name)
      await rename(temporary, this.#path(name))
      await syncFolder(this.location)
      this.#named.add(name)
    })
  }

  remove(name: string): Promise<void> {
    return this.#attempt('remove', name, async () => {
      await this.#forget(name)
      this.#named.delete(name)
      await unlessMissing(unlink(this.#path(name)))
    })
  }

  close(): Promise<void> {
    return this.#attempt('close', '.', async () => {
      await Promise.all([...this.#files.keys()].map((name) => this.#forget(name)))
    })
  }

  #path(name: string): string {
    return join(this.location, name)
  }

  /** What a crash left of replacements: only the owner of the lock knows that nobody is replacing. */
  async #removeLeftovers(): Promise<void> {
    for (const name of (await unlessMissing(readdir(this.location))) ?? []) {
      if (!name.endsWith(TEMPORARY) || !NAME.test(name.slice(0, -TEMPORARY.length))) continue
      // What cannot be removed (a read-only medium) is ignored all the same.
      await unlink(this.#path(name)).catch(() => undefined)
    }
  }

  async #attempt<T>(operation: string, name: string, run: () => Promise<T>): Promise<T> {
    if (name !== '.' && !NAME.test(name)) throw new RangeError(`Not the name of a stored file: ${name}`)
    try {
      return await run()
    } catch (cause) {
      if (cause instanceof StorageError) throw cause
      throw storageError(name === '.' ? this.location : this.#path(name), operation, cause)
    }
  }

  #ready(): Promise<void> {
    this.#folder ??= makeFolder(this.location).catch((error: unknown) => {
      this.#folder = undefined
      throw error
    })
    return this.#folder
  }

  async #use<T>(name: string, access: Access, run: (file: OpenFile) => Promise<T>): Promise<T> {
    for (;;) {
      const file = await this.#opened(name, access)
      // Given up while it was awaited: the next one is new.
      if (file.closing) continue
      if (access !== 'read' && !serves(file.access, access)) {
        await this.#forget(name)
        continue
      }
      file.users++
      try {
        return await run(file)
      } finally {
        file.users--
        if (file.closing && file.users === 0) await file.handle.close()
      }
    }
  }

  #opened(name: string, access: Access): Promise<OpenFile> {
    const cached = this.#files.get(name)
    if (cached !== undefined) {
      // Moved to the end: the first is the least recently used.
      this.#files.delete(name)
      this.#files.set(name, cached)
      return cached
    }
    const opening = this.#open(name, access)
    this.#files.set(name, opening)
    opening.catch(() => {
      if (this.#files.get(name) === opening) this.#files.delete(name)
    })
    const [oldest] = this.#files.keys()
    // Closing concerns no data: what must be durable was synced.
    if (this.#files.size > HANDLES && oldest !== undefined) this.#forget(oldest).catch(() => undefined)
    return opening
  }

  async #open(name: string, access: Access): Promise<OpenFile> {
    if (access === 'create') await this.#ready()
    const handle = await open(this.#path(name), FLAGS[access])
    return { handle, access, length: undefined, users: 0, closing: false }
  }

  async #forget(name: string): Promise<void> {
    const opening = this.#files.get(name)
    if (opening === undefined) return
    this.#files.delete(name)
    const file = await opening.catch(() => undefined)
    if (file === undefined) return
    file.closing = true
    if (file.users === 0) await file.handle.close()
  }
}

/** Whether a file that was opened for one access may be used for another. */
function serves(opened: Access, wanted: Access): boolean {
  return opened === wanted || (opened === 'create' && wanted === 'write')
}

async function appendTo(file: OpenFile, expectedLength: number, bytes: Uint8Array): Promise<void> {
  const length = file.length ?? (await file.handle.stat()).size
  if (length !== expectedLength) {
    file.length = length
    throw new Error(`the file has ${length} bytes instead of ${expectedLength}`)
  }
  file.length = undefined
  await writeAll(file.handle, bytes, expectedLength)
  file.length = expectedLength + bytes.length
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written)
    if (bytesWritten === 0) throw new Error('the disk took no more bytes')
    written += bytesWritten
  }
}

/** Makes the folder and those above it, durably. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined) return
  for (let made = folder; ; made = dirname(made)) {
    await syncFolder(dirname(made))
    if (made === first || made === dirname(made)) return
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows has no such call, and makes names durable by itself.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function unlessMissing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
