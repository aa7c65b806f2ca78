import { LockedError, StorageError } from '../errors.js'
import type { Storage, StorageLock, StoredFile } from './storage.js'

interface MemoryFile {
  bytes: Uint8Array
  length: number
}

/** Files in RAM, gone with the object. */
export function memoryStorage(): Storage {
  return new MemoryStorage()
}

class MemoryStorage implements Storage {
  readonly location = ':memory:'
  readonly #files = new Map<string, MemoryFile>()
  #locked = false

  async lock(): Promise<StorageLock> {
    if (this.#locked) throw new LockedError(this.location)
    this.#locked = true
    let held = true
    return {
      release: async () => {
        if (held) this.#locked = false
        held = false
      },
    }
  }

  async list(): Promise<readonly StoredFile[]> {
    return Array.from(this.#files, ([name, { length }]) => ({ name, length }))
  }

  async append(name: string, expectedLength: number, bytes: Uint8Array): Promise<void> {
    const file = this.#files.get(name) ?? { bytes: new Uint8Array(0), length: 0 }
    if (file.length !== expectedLength || (expectedLength > 0 && !this.#files.has(name)))
      throw new StorageError(name, 'append to', {
        cause: new Error(`the file has ${file.length} bytes instead of ${expectedLength}`),
      })
    const length = expectedLength + bytes.length
    if (length > file.bytes.length) {
      const larger = new Uint8Array(Math.max(length, file.bytes.length * 2))
      larger.set(file.bytes.subarray(0, file.length))
      file.bytes = larger
    }
    file.bytes.set(bytes, expectedLength)
    file.length = length
    this.#files.set(name, file)
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    const file = this.#require(name, 'read')
    return file.bytes.slice(Math.min(offset, file.length), Math.min(offset + length, file.length))
  }

  async sync(name: string): Promise<void> {
    this.#require(name, 'sync')
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    this.#files.set(name, { bytes: bytes.slice(), length: bytes.length })
  }

  async remove(name: string): Promise<void> {
    this.#files.delete(name)
  }

  async close(): Promise<void> {}

  #require(name: string, operation: string): MemoryFile {
    const file = this.#files.get(name)
    if (file === undefined) throw new StorageError(name, operation, { cause: new Error('no such file') })
    return file
  }
}
