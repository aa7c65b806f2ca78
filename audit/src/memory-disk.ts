import { type DerivedStore, LockedError, type Storage, StorageError } from '@mynah/core'
import { MemoryLevel } from 'memory-level'
import type { Random } from './random.js'

/** One for as long as it exists, under whatever name. */
interface MemoryFile {
  bytes: Uint8Array
  /** How much of it a power cut leaves for certain. */
  durable: number
}

type IndexWrite = readonly { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }[]

const NEVER: Promise<never> = new Promise(() => undefined)
const SECTOR = 64
const views = { keyEncoding: 'view', valueEncoding: 'view', storeEncoding: 'view' } as const

/**
 * A disk in RAM whose machine stops after so many writes: everything that is asked of it then is never answered. It
 * knows what a power cut would leave, and gives disks that hold that, as many as are asked for.
 */
export class MemoryDisk {
  /** What a process sees. */
  readonly #files: Map<string, MemoryFile>
  /** Names that a power cut leaves for certain, and what they name. */
  #named: Map<string, MemoryFile>
  /** Every write to a store of derived data, by its folder, with those that were answered first. */
  readonly #indexes = new Map<string, { readonly writes: IndexWrite[]; answered: number }>()
  readonly #stopAfter: number
  readonly #lying: boolean
  #locked = false
  writes = 0
  #stop: () => void = () => undefined
  /** Resolves when the machine stops. */
  readonly stopped = new Promise<void>((resolve) => {
    this.#stop = resolve
  })

  /** @param stopAfter the write that is the last to do anything, and is not answered */
  constructor(
    stopAfter: number,
    options: { readonly lying: boolean },
    files = new Map<string, MemoryFile>(),
  ) {
    this.#stopAfter = stopAfter
    this.#lying = options.lying
    this.#files = files
    this.#named = new Map(files)
  }

  /** A disk as a power cut at this moment might leave this one. */
  afterCut(random: Random, stopAfter = Number.POSITIVE_INFINITY): MemoryDisk {
    const files = new Map<string, MemoryFile>()
    for (const name of new Set([...this.#files.keys(), ...this.#named.keys()])) {
      const [now, sure] = [this.#files.get(name), this.#named.get(name)]
      // A name that was made, changed or removed since the folder was synced is as it was, or as it is.
      const file = sure === now || random.chance(0.5) ? now : sure
      if (file === undefined) continue
      const bytes = torn(file, random)
      files.set(name, { bytes, durable: bytes.length })
    }
    const disk = new MemoryDisk(stopAfter, { lying: this.#lying }, files)
    for (const [folder, { writes, answered }] of this.#indexes) {
      // LevelDB's own log ends somewhere behind what was answered; an older copy of it, and none, must do as well.
      const kept = random.chance(0.7) ? random.between(answered, writes.length) : random.below(answered + 1)
      disk.#indexes.set(folder, { writes: writes.slice(0, kept), answered: kept })
    }
    return disk
  }

  storage(): Storage {
    const synced = new Set<string>()
    return {
      location: 'a disk in RAM',
      lock: async () => {
        if (this.#locked) throw new LockedError('a disk in RAM')
        this.#locked = true
        return {
          release: async () => {
            this.#locked = false
          },
        }
      },
      list: async () => [...this.#files].map(([name, { bytes }]) => ({ name, length: bytes.length })),
      read: async (name, offset, length) => this.#require(name, 'read').bytes.slice(offset, offset + length),
      append: (name, expectedLength, bytes) =>
        this.#write(() => {
          const file = this.#files.get(name) ?? { bytes: new Uint8Array(0), durable: 0 }
          if (file.bytes.length !== expectedLength) throw new StorageError(name, 'append to')
          file.bytes = joined(file.bytes, bytes)
          this.#files.set(name, file)
        }),
      sync: (name) => {
        const file = this.#require(name, 'sync')
        const { length } = file.bytes
        const names = synced.has(name) ? undefined : new Map(this.#files)
        synced.add(name)
        return this.#write(() => undefined).then(() => {
          if (this.#lying) return
          if (names) this.#named = names
          file.durable = Math.max(file.durable, length)
        })
      },
      replace: (name, bytes) => {
        const names = new Map(this.#files)
        const file = { bytes: bytes.slice(), durable: bytes.length }
        return this.#write(() => this.#files.set(name, file)).then(() => {
          this.#named = names.set(name, file)
          synced.add(name)
        })
      },
      remove: (name) =>
        this.#write(() => {
          this.#files.delete(name)
          synced.delete(name)
        }),
      close: async () => undefined,
    }
  }

  /** A store for each folder that has one, filled with what this disk holds of it, and empty ones for the others. */
  async stores(): Promise<(folder: string) => DerivedStore> {
    const ready = new Map<string, MemoryLevel<Uint8Array, Uint8Array>>()
    for (const [folder, { writes }] of this.#indexes) {
      const level = new MemoryLevel<Uint8Array, Uint8Array>(views)
      for (const write of writes) await level.batch([...write])
      ready.set(folder, level)
    }
    return (folder) => this.#watched(folder, ready.get(folder) ?? new MemoryLevel(views))
  }

  #watched(folder: string, level: MemoryLevel<Uint8Array, Uint8Array>): DerivedStore {
    const index = this.#indexes.get(folder) ?? { writes: [], answered: 0 }
    this.#indexes.set(folder, index)
    const written = async (write: IndexWrite, options: unknown, run: () => Promise<void>): Promise<void> => {
      if ((options as { sync?: boolean } | undefined)?.sync !== true)
        throw new Error('a write to the index did not ask for sync')
      await this.#write(() => index.writes.push(write))
      await run()
      index.answered = index.writes.length
    }
    const put = level.put.bind(level)
    const batch = level.batch.bind(level) as unknown as () => {
      put(key: Uint8Array, value: Uint8Array): unknown
      write(options?: object): Promise<void>
    }
    const watched = {
      put: (key: Uint8Array, value: Uint8Array, options?: object) =>
        written([{ type: 'put', key, value }], options, () => put(key, value)),
      batch: () => {
        const chained = batch()
        const write: { type: 'put'; key: Uint8Array; value: Uint8Array }[] = []
        const [add, send] = [chained.put.bind(chained), chained.write.bind(chained)]
        chained.put = (key, value) => {
          write.push({ type: 'put', key, value })
          return add(key, value)
        }
        chained.write = (options) => written(write, options, () => send())
        return chained
      },
    }
    return Object.assign(level, watched) as unknown as DerivedStore
  }

  /** Does something to the disk, unless the machine has stopped; is not answered when it stops with this. */
  async #write(act: () => void): Promise<void> {
    if (this.writes >= this.#stopAfter) return NEVER
    this.writes += 1
    act()
    // Others get their turn before it is answered, as with a disk.
    await new Promise((resolve) => setImmediate(resolve))
    if (this.writes < this.#stopAfter) return
    this.#stop()
    return NEVER
  }

  #require(name: string, operation: string): MemoryFile {
    const file = this.#files.get(name)
    if (file === undefined) throw new StorageError(name, operation)
    return file
  }
}

/** What a power cut leaves of a file: what is durable, and of the rest nothing, a part, or some of its sectors. */
function torn({ bytes, durable }: MemoryFile, random: Random): Uint8Array {
  const fate = random.pick(['whole', 'gone', 'part', 'sectors'])
  if (fate === 'whole' || durable === bytes.length) return bytes.slice()
  if (fate === 'gone') return bytes.slice(0, durable)
  const part = bytes.slice(0, random.between(durable, bytes.length))
  if (fate === 'part') return part
  for (let at = durable; at < part.length; at += SECTOR)
    if (random.chance(0.4)) part.fill(random.pick([0, 0xff]), at, at + SECTOR)
  return part
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length)
  whole.set(first)
  whole.set(second, first.length)
  return whole
}
