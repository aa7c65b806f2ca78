import { LockedError, StorageError } from '../../src/errors.js'
import type { Storage, StorageLock, StoredFile } from '../../src/storage/storage.js'

export type Operation = 'append' | 'sync' | 'replace' | 'remove' | 'read'

interface DiskFile {
  bytes: Uint8Array
  /** Up to here it survives a power cut. */
  durable: number
  /** Its name survives a power cut. */
  named: boolean
  /** What a failed sync threw away: it reads well until the power goes, and no later sync brings it back. */
  doomed: { readonly from: number; readonly to: number }[]
}

/**
 * A disk in RAM that can fail, stop, and lose what was not synced. Each change is one step; step `diesAt` happens in
 * part, and from then on nothing does.
 */
export class CrashStorage implements Storage {
  readonly location = 'crash'
  readonly #files: Map<string, DiskFile>
  /** Removed files whose going is not durable yet. */
  readonly #ghosts = new Map<string, DiskFile>()
  readonly #random: (bound: number) => number
  diesAt = Number.POSITIVE_INFINITY
  steps = 0
  dead = false
  /** Says which operations fail: these change something in part, like a full or broken disk. */
  fails: (operation: Operation, name: string) => boolean = () => false
  readonly journal: string[] = []

  constructor(random: (bound: number) => number, files: Map<string, DiskFile> = new Map()) {
    this.#random = random
    this.#files = files
  }

  async lock(): Promise<StorageLock> {
    throw new LockedError(this.location)
  }

  async list(): Promise<readonly StoredFile[]> {
    this.#requireAlive('.', 'list')
    return Array.from(this.#files, ([name, { bytes }]) => ({ name, length: bytes.length }))
  }

  async append(name: string, expectedLength: number, bytes: Uint8Array): Promise<void> {
    const broken = this.#step('append', name)
    const file = this.#files.get(name) ?? { bytes: new Uint8Array(0), durable: 0, named: false, doomed: [] }
    if (file.bytes.length !== expectedLength || (expectedLength > 0 && !this.#files.has(name)))
      throw new StorageError(name, 'append to', { cause: new Error(`${file.bytes.length} bytes`) })
    const part = broken ? bytes.subarray(0, this.#random(bytes.length + 1)) : bytes
    file.bytes = concat(file.bytes, part)
    this.#files.set(name, file)
    if (broken) throw new StorageError(name, 'append to')
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    this.#requireAlive(name, 'read')
    if (this.fails('read', name)) throw new StorageError(name, 'read')
    return this.#require(name).bytes.slice(offset, offset + length)
  }

  async sync(name: string): Promise<void> {
    const broken = this.#step('sync', name)
    const file = this.#require(name)
    if (broken && this.#random(2) === 0) {
      file.doomed.push({ from: file.durable, to: file.bytes.length })
      throw new StorageError(name, 'sync')
    }
    file.durable = file.bytes.length
    file.named = true
    this.#syncFolder()
    if (broken) throw new StorageError(name, 'sync')
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    const broken = this.#step('replace', name)
    if (!broken || this.#random(2) === 0) {
      this.#files.set(name, { bytes: bytes.slice(), durable: bytes.length, named: true, doomed: [] })
      this.#syncFolder()
    }
    if (broken) throw new StorageError(name, 'replace')
  }

  async remove(name: string): Promise<void> {
    const broken = this.#step('remove', name)
    const file = this.#files.get(name)
    if (file !== undefined && (!broken || this.#random(2) === 0)) {
      this.#files.delete(name)
      this.#ghosts.set(name, file)
    }
    if (broken) throw new StorageError(name, 'remove')
  }

  async close(): Promise<void> {}

  /** The disk as the next process finds it: after `kill` with all that was written, after `power` with what was synced. */
  survivor(end: 'kill' | 'power'): CrashStorage {
    const files = new Map<string, DiskFile>()
    if (end === 'power')
      for (const [name, file] of this.#ghosts) if (this.#random(2) === 0) files.set(name, this.#cut(file))
    for (const [name, file] of this.#files) {
      if (end === 'power' && !file.named && this.#random(2) === 0) continue
      files.set(name, end === 'power' ? this.#cut(file) : { ...file, bytes: file.bytes.slice() })
    }
    return new CrashStorage(this.#random, files)
  }

  /** Changes bytes in place, as a failing medium does. */
  edit(name: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const file = this.#require(name)
    file.bytes = change(file.bytes.slice())
    file.durable = file.bytes.length
  }

  bytes(name: string): Uint8Array {
    return this.#require(name).bytes.slice()
  }

  names(): readonly string[] {
    return [...this.#files.keys()]
  }

  drop(name: string): void {
    this.#files.delete(name)
  }

  put(name: string, bytes: Uint8Array): void {
    this.#files.set(name, { bytes, durable: bytes.length, named: true, doomed: [] })
  }

  copy(): CrashStorage {
    return this.survivor('kill')
  }

  #cut(file: DiskFile): DiskFile {
    const kept = file.durable + this.#random(file.bytes.length - file.durable + 1)
    const bytes = file.bytes.slice(0, kept)
    for (const { from, to } of file.doomed) bytes.fill(0, from, to)
    // Of what was not synced any block may be missing.
    if (kept > file.durable && this.#random(2) === 0)
      bytes.fill(0, file.durable, file.durable + this.#random(kept - file.durable))
    return { bytes, durable: kept, named: true, doomed: [] }
  }

  #syncFolder(): void {
    this.#ghosts.clear()
    for (const file of this.#files.values()) file.named = true
  }

  #step(operation: Operation, name: string): boolean {
    this.#requireAlive(name, operation)
    this.steps++
    this.journal.push(`${operation} ${name}`)
    if (this.steps > this.diesAt) this.dead = true
    return this.dead || this.fails(operation, name)
  }

  #requireAlive(name: string, operation: string): void {
    if (this.dead) throw new StorageError(name, operation, { cause: new Error('the machine has stopped') })
  }

  #require(name: string): DiskFile {
    const file = this.#files.get(name)
    if (file === undefined) throw new StorageError(name, 'read', { cause: new Error('no such file') })
    return file
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
