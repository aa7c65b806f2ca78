import { LockedError, StorageError, storageError } from '../errors.js'
import { MemoryFile, type RandomSource } from './memory-file.js'
import type { MemoryFolder } from './memory-folder.js'
import { type DiskOperation, type MemoryProcess, systemError } from './memory-process.js'
import type { Storage, StorageLock, StoredFile } from './storage.js'

/** The files of a `MemoryDisk`, as one process has them. */
export class MemoryDiskStorage implements Storage {
  readonly location = ':memory:'
  readonly #process: MemoryProcess
  /** Files whose names this process has made durable. */
  readonly #named = new Set<string>()

  constructor(process: MemoryProcess) {
    this.#process = process
  }

  lock(): Promise<StorageLock> {
    const process = this.#process
    return process.perform(operation('lock', '.'), (fault) => {
      if (fault === 'error') throw failure('.', 'lock', 'EIO')
      if (process.locked) throw new LockedError(this.location)
      process.locked = true
      let held = true
      const release = (): void => {
        if (held) process.locked = false
        held = false
      }
      return { release: () => process.perform(operation('lock', '.'), release) }
    })
  }

  list(): Promise<readonly StoredFile[]> {
    return this.#process.perform(operation('list', '.'), (fault) => {
      if (fault === 'error') throw failure('.', 'list', 'EIO')
      return Array.from(this.#folder.files, ([name, { length }]) => ({ name, length }))
    })
  }

  append(name: string, expectedLength: number, bytes: Uint8Array): Promise<void> {
    const { random, perform } = bound(this.#process)
    return perform(
      operation('append', name, bytes.length),
      (fault) => {
        const length = this.#folder.files.get(name)?.length
        if ((length ?? 0) !== expectedLength)
          throw new StorageError(name, 'append to', {
            cause: new Error(`the file has ${length ?? 0} bytes instead of ${expectedLength}`),
          })
        const room = bytes.length === 0 ? 0 : this.#process.room
        const taken = Math.min(room, bytes.length)
        if (fault === 'error' || taken < bytes.length) {
          append(this.#folder, name, bytes.subarray(0, Math.floor(random() * (taken + 1))))
          throw failure(name, 'append to', fault === 'error' ? 'EIO' : 'ENOSPC')
        }
        append(this.#folder, name, bytes)
      },
      ({ folder }) => {
        if ((folder.files.get(name)?.length ?? 0) !== expectedLength) return
        const part = random() < 0.5 ? bytes.length : Math.floor(random() * (bytes.length + 1))
        append(folder, name, bytes.subarray(0, part))
      },
    )
  }

  read(name: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#process.perform(operation('read', name, length), (fault) => {
      if (fault === 'error') throw failure(name, 'read', 'EIO')
      const { random } = this.#process
      const bytes = this.#require(name, 'read').read(offset, length)
      if (fault === 'short') return bytes.subarray(0, Math.floor(random() * bytes.length))
      if (fault === 'flip') flipOneBit(bytes, random)
      return bytes
    })
  }

  sync(name: string): Promise<void> {
    const { random, perform } = bound(this.#process)
    // What is written while it runs may be left out.
    const length = this.#folder.files.get(name)?.length ?? 0
    const { changes } = this.#folder
    const named = this.#named.has(name)
    return perform(
      operation('sync', name),
      (fault) => {
        const file = this.#require(name, 'sync')
        if (fault === 'error') {
          // Either the file or, after it, the folder.
          if (named || random() < 0.5) file.drop(length, random)
          else file.sync(length)
          throw failure(name, 'sync', 'EIO')
        }
        if (fault === 'lie') return
        file.sync(length)
        if (!named) this.#folder.sync(changes)
        this.#named.add(name)
      },
      ({ folder }) => {
        folder.files.get(name)?.sync(length)
        if (!named && random() < 0.5) folder.sync(changes)
      },
    )
  }

  replace(name: string, bytes: Uint8Array): Promise<void> {
    const { random, perform } = bound(this.#process)
    return perform(
      operation('replace', name, bytes.length),
      (fault) => {
        if (bytes.length > this.#process.room) throw failure(name, 'replace', 'ENOSPC')
        if (fault === 'error') {
          if (random() < 0.5) this.#folder.link(name, new MemoryFile(bytes.slice()))
          throw failure(name, 'replace', 'EIO')
        }
        if (fault === 'lie') {
          this.#folder.link(name, undefined)
          append(this.#folder, name, bytes)
          return
        }
        this.#folder.link(name, new MemoryFile(bytes.slice()))
        this.#folder.sync(this.#folder.changes)
        this.#named.add(name)
      },
      ({ folder }) => folder.link(name, new MemoryFile(bytes.slice())),
    )
  }

  remove(name: string): Promise<void> {
    const { random, perform } = bound(this.#process)
    return perform(
      operation('remove', name),
      (fault) => {
        this.#named.delete(name)
        if (fault !== 'error' || random() < 0.5) this.#folder.link(name, undefined)
        if (fault === 'error') throw failure(name, 'remove', 'EIO')
      },
      ({ folder }) => folder.link(name, undefined),
    )
  }

  close(): Promise<void> {
    return this.#process.perform(operation('lock', '.'), () => undefined)
  }

  get #folder(): MemoryFolder {
    return this.#process.medium.folder
  }

  #require(name: string, what: string): MemoryFile {
    const file = this.#folder.files.get(name)
    if (file === undefined) throw new StorageError(name, what, { cause: new Error('no such file') })
    return file
  }
}

/** Flips one bit, where there is one. */
export function flipOneBit(bytes: Uint8Array, random: RandomSource): void {
  if (bytes.length > 0) bytes[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8)
}

function append(folder: MemoryFolder, name: string, bytes: Uint8Array): void {
  const file = folder.files.get(name) ?? new MemoryFile(new Uint8Array(0))
  if (!folder.files.has(name)) folder.link(name, file)
  file.append(bytes)
}

function bound(process: MemoryProcess): Pick<MemoryProcess, 'random' | 'perform'> {
  return { random: process.random, perform: process.perform.bind(process) }
}

function operation(kind: DiskOperation['kind'], name: string, bytes = 0): DiskOperation {
  return { kind, name, bytes }
}

function failure(name: string, what: string, code: 'EIO' | 'ENOSPC'): StorageError {
  return storageError(name, what, systemError(code))
}
