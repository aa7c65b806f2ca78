import type { RandomSource } from './memory-file.js'
import { MemoryFolder } from './memory-folder.js'
import { MemoryLevelFile } from './memory-level-file.js'

/** Something that a process asks of a `MemoryDisk`. */
export interface DiskOperation {
  readonly kind:
    | 'lock'
    | 'list'
    | 'read'
    | 'append'
    | 'sync'
    | 'replace'
    | 'remove'
    | 'level-open'
    | 'level-read'
    | 'level-write'
    | 'level-close'
  /** The file, or the location of the level. */
  readonly name: string
  /** Bytes that are to be written, or are asked for where that is known. */
  readonly bytes: number
}

/**
 * What goes wrong with one operation. `error` (EIO) goes for all. For `read` and `level-read` of single keys also `flip`
 * (one bit of what is given); for `read` also `short` (less is given). For `sync`, `replace` and `level-write` also
 * `lie`: it is answered as done, and nothing is durable.
 */
export type DiskFault = 'error' | 'flip' | 'short' | 'lie'

/** How a disk in RAM behaves. */
export interface MemoryDiskOptions {
  /** What the disk leaves to chance. Default: always 0.5, for a disk that nothing happens to. */
  readonly random?: RandomSource
  /** Bytes of files and levels together; more is refused. Default: no end. */
  readonly capacityBytes?: number
  /** Waits as long as the operation takes. Default: no longer than a microtask. */
  readonly pace?: (operation: DiskOperation) => Promise<void>
  /** Asked when the operation reaches the disk. */
  readonly fault?: (operation: DiskOperation) => DiskFault | undefined
}

/** What is on a disk. */
export class MemoryMedium {
  folder = new MemoryFolder()
  readonly levels = new Map<string, MemoryLevelFile>()

  get bytes(): number {
    let { bytes } = this.folder
    for (const level of this.levels.values()) bytes += level.bytes
    return bytes
  }

  level(location: string): MemoryLevelFile {
    const level = this.levels.get(location) ?? new MemoryLevelFile()
    this.levels.set(location, level)
    return level
  }

  copy(): MemoryMedium {
    const medium = new MemoryMedium()
    medium.folder = this.folder.copy()
    for (const [location, level] of this.levels) medium.levels.set(location, level.copy())
    return medium
  }
}

/** What an operation that was under way may have done when its process ended. */
type Landing = (medium: MemoryMedium, random: RandomSource) => void

/** A new one for each who waits: one for all would keep all of them. */
const never = (): Promise<never> => new Promise(() => undefined)

/** One process's dealings with a disk, from its start to its end; then nothing that it asked is ever answered. */
export class MemoryProcess {
  readonly medium: MemoryMedium
  readonly random: RandomSource
  readonly #options: MemoryDiskOptions
  readonly #capacity: () => number
  /** What has begun and is not done. */
  readonly underWay: Set<Landing>
  readonly openLevels = new Set<string>()
  locked = false
  #alive = true

  constructor(
    medium: MemoryMedium,
    options: MemoryDiskOptions & { readonly random: RandomSource; readonly capacity: () => number },
    underWay: Iterable<Landing> = [],
  ) {
    this.medium = medium
    this.random = options.random
    this.#options = options
    this.#capacity = options.capacity
    this.underWay = new Set(underWay)
  }

  /** Bytes that still fit. */
  get room(): number {
    const capacity = this.#capacity()
    return capacity === Number.POSITIVE_INFINITY ? capacity : Math.max(0, capacity - this.medium.bytes)
  }

  /** Does something, in its time; `land` does what may be done of it when the process ends before. */
  async perform<T>(
    operation: DiskOperation,
    act: (fault: DiskFault | undefined) => T | Promise<T>,
    land?: Landing,
  ): Promise<T> {
    if (!this.#alive) return never()
    const { pace } = this.#options
    if (pace) {
      if (land) this.underWay.add(land)
      await pace(operation)
      if (!this.#alive) return never()
      if (land) this.underWay.delete(land)
    }
    return act(this.faultOf(operation))
  }

  faultOf(operation: DiskOperation): DiskFault | undefined {
    return this.#options.fault?.(operation)
  }

  /** Ends the process: of what was under way, some is done. */
  end(): void {
    this.#alive = false
    for (const land of this.underWay) if (this.random() < 0.5) land(this.medium, this.random)
    this.underWay.clear()
  }
}

/** What the system says of a failing disk. */
export function systemError(code: 'EIO' | 'ENOSPC'): Error {
  const text = code === 'EIO' ? 'EIO: i/o error' : 'ENOSPC: no space left on device'
  return Object.assign(new Error(text), { code })
}
