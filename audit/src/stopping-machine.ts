import { type DiskOperation, MemoryDisk } from '@mynah/core/compliance'
import type { Random } from './random.js'

interface StoppingMachineOptions {
  /** The write that is the last to be begun, and is not answered. */
  readonly stopAfter: number
  /** No `sync` does anything. */
  readonly lying: boolean
}

const WRITES: ReadonlySet<DiskOperation['kind']> = new Set([
  'append',
  'sync',
  'replace',
  'remove',
  'level-write',
])
const never = (): Promise<never> => new Promise(() => undefined)
/** Writes between two copies of the disk, of which older indexes are taken. */
const COPY_EVERY = 16

/** A machine with a disk in RAM that stops after so many writes: what is asked of the disk then is never answered. */
export class StoppingMachine {
  readonly disk: MemoryDisk
  readonly #random: Random
  readonly #options: StoppingMachineOptions
  readonly #older: MemoryDisk[] = []
  #writes = 0
  #stop: () => void = () => undefined
  /** Resolves when the machine stops. */
  readonly stopped = new Promise<void>((resolve) => {
    this.#stop = resolve
  })

  /** @param from the disk that it starts with, copied */
  constructor(random: Random, options: StoppingMachineOptions, from = new MemoryDisk()) {
    this.#random = random
    this.#options = options
    this.disk = from.copy({
      random: () => random.next(),
      pace: (operation) => this.#take(operation),
      fault: ({ kind }) => (options.lying && kind === 'sync' ? 'lie' : undefined),
    })
  }

  /** A machine whose disk is as a power cut at this moment might leave this one's. */
  afterCut(stopAfter: number): StoppingMachine {
    const next = new StoppingMachine(this.#random, { ...this.#options, stopAfter }, this.disk)
    next.disk.powerCut()
    // An older index, and none, must do as well.
    if (this.#random.chance(0.3)) {
      const older = this.#random.pick([new MemoryDisk(), ...this.#older])
      for (const location of next.disk.levels()) next.disk.takeLevel(location, older)
    }
    return next
  }

  async #take(operation: DiskOperation): Promise<void> {
    if (!WRITES.has(operation.kind)) return
    if (this.#writes >= this.#options.stopAfter) return never()
    this.#writes += 1
    if (this.#writes === this.#options.stopAfter) {
      this.#stop()
      return never()
    }
    if (this.#writes % COPY_EVERY === 0) this.#older.push(this.disk.copy())
    // Others get their turn before it is answered, as with a disk.
    await new Promise((resolve) => setImmediate(resolve))
  }
}
