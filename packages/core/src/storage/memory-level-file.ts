import { toHex } from '../bytes/hex.js'
import type { RandomSource } from './memory-file.js'

/** One operation of a write to a store of the `abstract-level` kind, keys and values as bytes. */
export interface LevelOperation {
  readonly type: 'put' | 'del'
  readonly key: Uint8Array
  readonly value?: Uint8Array
}

export interface LevelWrite {
  readonly operations: readonly LevelOperation[]
  /** 'synced': durable. 'written': there while the power is on. 'doubtful': it failed, or was not answered. */
  readonly state: 'synced' | 'written' | 'doubtful'
}

/** What a `MemoryDisk` holds of one store: its durable content, and the writes after it. */
export class MemoryLevelFile {
  readonly #entries = new Map<string, readonly [Uint8Array, Uint8Array]>()
  /** From the first write on that is not durable. */
  #writes: LevelWrite[] = []
  #bytes = 0

  get bytes(): number {
    return this.#writes.reduce((sum, { operations }) => sum + operationBytes(operations), this.#bytes)
  }

  add(write: LevelWrite): void {
    if (write.state === 'synced' && this.#writes.length === 0) this.#apply(write)
    else this.#writes.push(write)
  }

  /** What opening finds, which is durable then: as LevelDB does, it gathers its log into a table. */
  open(random: RandomSource): readonly LevelOperation[] {
    this.#keep((write) => write.state !== 'doubtful' || random() < 0.5)
    return [...this.#entries.values()].map(([key, value]) => ({ type: 'put', key, value }))
  }

  /** What a power cut does: any write that was not synced may be gone, as a whole. */
  cut(random: RandomSource): void {
    this.#keep((write) => write.state === 'synced' || random() < 0.5)
  }

  #keep(kept: (write: LevelWrite) => boolean): void {
    for (const write of this.#writes) if (kept(write)) this.#apply(write)
    this.#writes = []
  }

  #apply({ operations }: LevelWrite): void {
    for (const { type, key, value } of operations) {
      const name = toHex(key)
      const before = this.#entries.get(name)
      if (before) this.#bytes -= before[0].length + before[1].length
      if (type === 'put' && value) {
        this.#entries.set(name, [key, value])
        this.#bytes += key.length + value.length
      } else this.#entries.delete(name)
    }
  }

  copy(): MemoryLevelFile {
    const file = new MemoryLevelFile()
    for (const [name, entry] of this.#entries) file.#entries.set(name, entry)
    file.#writes = [...this.#writes]
    file.#bytes = this.#bytes
    return file
  }
}

export function operationBytes(operations: readonly LevelOperation[]): number {
  return operations.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0)
}
