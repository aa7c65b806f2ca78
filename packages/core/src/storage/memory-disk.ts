import type { AbstractLevel } from 'abstract-level'
import { MemoryDiskLevel } from './memory-disk-level.js'
import { MemoryDiskStorage } from './memory-disk-storage.js'
import type { MemoryFile } from './memory-file.js'
import { type MemoryDiskOptions, MemoryMedium, MemoryProcess } from './memory-process.js'
import type { Storage, StoredFile } from './storage.js'

export type { RandomSource } from './memory-file.js'
export type { DiskFault, DiskOperation, MemoryDiskOptions } from './memory-process.js'

/** What becomes of a file that nobody wrote: on the medium itself, at rest. */
export type DiskDamage =
  | { readonly kind: 'flip'; readonly offset: number /** 0 to 7. */; readonly bit: number }
  | { readonly kind: 'cut'; readonly length: number }
  | { readonly kind: 'zero'; readonly offset: number; readonly length: number }
  | { readonly kind: 'remove' }
  /** Each of two files takes the other's name. */
  | { readonly kind: 'swap'; readonly other: string }

/**
 * One machine's disk in RAM: files and levels, with everything that a disk can do to them.
 *
 * A process works on it through `storage()` and `level()`. `kill` ends the process: what it wrote is there, and of what
 * was under way any part that a process can leave. `powerCut` ends it too: of what was not synced any sectors may be
 * gone, the end of a file may be missing, and each name in the folder stands for what it durably stood for or for
 * anything that it was given since. After either, `storage()` and `level()` serve the next process, and whatever the
 * last one still asks is never answered and does nothing.
 *
 * A sync that fails gives its bytes up: no later sync of the file makes them durable. Names that a failed sync of the
 * folder left in doubt are durable after the next one that does not fail.
 */
export class MemoryDisk {
  /** Bytes of files and levels together; may be changed at any time. */
  capacityBytes: number
  readonly #options: MemoryDiskOptions
  #medium = new MemoryMedium()
  #process: MemoryProcess

  constructor(options: MemoryDiskOptions = {}) {
    this.#options = options
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY
    this.#process = this.#start()
  }

  get usedBytes(): number {
    return this.#medium.bytes
  }

  /** The files as a process would see them. */
  files(): readonly StoredFile[] {
    return Array.from(this.#medium.folder.files, ([name, { length }]) => ({ name, length }))
  }

  /** Locations of levels that were opened. */
  levels(): readonly string[] {
    return [...this.#medium.levels.keys()]
  }

  /** For the process that runs now: one that starts after `kill` or `powerCut` takes another. */
  storage(): Storage {
    return new MemoryDiskStorage(this.#process)
  }

  /** A level at this location, for the process that runs now; one that was never written is empty. */
  level(location: string): AbstractLevel<string | Buffer | Uint8Array, Uint8Array, Uint8Array> {
    return new MemoryDiskLevel(this.#process, location)
  }

  /** Removes a level that is not open. */
  removeLevel(location: string): void {
    this.#medium.levels.delete(location)
  }

  /** Puts in the place of a level that is not open what another disk has of it. */
  takeLevel(location: string, from: MemoryDisk): void {
    this.#medium.levels.set(location, from.#medium.level(location).copy())
  }

  kill(): void {
    this.#process.end()
    this.#process = this.#start()
  }

  powerCut(): void {
    this.#process.end()
    const { random } = this.#process
    this.#medium.folder.cut(random)
    for (const level of this.#medium.levels.values()) level.cut(random)
    this.#process = this.#start()
  }

  /**
   * Another disk with all of this one, also what is not durable and what is under way: to be killed or cut before it is
   * used, where something is.
   */
  copy(options: MemoryDiskOptions = {}): MemoryDisk {
    const disk = new MemoryDisk({ ...this.#options, capacityBytes: this.capacityBytes, ...options })
    disk.#medium = this.#medium.copy()
    disk.#process = disk.#start(this.#process)
    return disk
  }

  /** @throws RangeError when there is no such file */
  damage(name: string, damage: DiskDamage): void {
    const { folder } = this.#medium
    const file = required(folder.files, name)
    if (damage.kind === 'flip') file.flip(damage.offset, damage.bit)
    else if (damage.kind === 'cut') file.truncate(damage.length)
    else if (damage.kind === 'zero') file.zero(damage.offset, damage.length)
    else if (damage.kind === 'remove') folder.damage((files) => files.delete(name))
    else {
      const other = required(folder.files, damage.other)
      folder.damage((files) => files.set(name, other).set(damage.other, file))
    }
  }

  #start(before?: MemoryProcess): MemoryProcess {
    const random = this.#options.random ?? (() => 0.5)
    const options = { ...this.#options, random, capacity: () => this.capacityBytes }
    return new MemoryProcess(this.#medium, options, before?.underWay)
  }
}

function required(files: ReadonlyMap<string, MemoryFile>, name: string): MemoryFile {
  const file = files.get(name)
  if (file === undefined) throw new RangeError(`no such file: ${name}`)
  return file
}
