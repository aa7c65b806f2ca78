import type { MemoryFile, RandomSource } from './memory-file.js'

interface NameChange {
  readonly number: number
  readonly name: string
  /** What the name stands for from then on; undefined for nothing. */
  readonly file: MemoryFile | undefined
}

/** The folder of a `MemoryDisk`: names and what they stand for, now and after a power cut. */
export class MemoryFolder {
  #files = new Map<string, MemoryFile>()
  /** As when the folder was synced last. */
  #durable = new Map<string, MemoryFile>()
  /** What was done to names since, in order. */
  #changes: NameChange[] = []
  #count = 0

  get files(): ReadonlyMap<string, MemoryFile> {
    return this.#files
  }

  get bytes(): number {
    let bytes = 0
    for (const file of this.#files.values()) bytes += file.length
    return bytes
  }

  /** How many changes of names there were: what `sync` takes. */
  get changes(): number {
    return this.#count
  }

  /** Has the name stand for the file, or for nothing. Not durable before `sync`. */
  link(name: string, file: MemoryFile | undefined): void {
    if (file === undefined && !this.#files.has(name)) return
    if (file) this.#files.set(name, file)
    else this.#files.delete(name)
    this.#count += 1
    this.#changes.push({ number: this.#count, name, file })
  }

  /** Makes the first so many changes of names durable. */
  sync(upTo: number): void {
    const later = this.#changes.findIndex(({ number }) => number > upTo)
    for (const { name, file } of this.#changes.splice(0, later === -1 ? this.#changes.length : later)) {
      if (file) this.#durable.set(name, file)
      else this.#durable.delete(name)
    }
  }

  /** What a power cut does: each name stands for what it durably stood for, or for anything that it was given since. */
  cut(random: RandomSource): void {
    const fates = new Map<string, (MemoryFile | undefined)[]>()
    for (const [name, file] of this.#durable) fates.set(name, [file])
    for (const { name, file } of this.#changes) {
      const known = fates.get(name)
      if (known) known.push(file)
      else fates.set(name, [undefined, file])
    }
    const left = new Map<string, MemoryFile>()
    for (const [name, choices] of fates) {
      const file = choices[Math.floor(random() * choices.length)]
      if (file) left.set(name, file)
    }
    const all = [...new Set([...fates.values()].flat())].filter((file) => file !== undefined)
    for (const file of left.values()) file.cut(random, all)
    this.#settle(left)
  }

  /** Changes the names on the medium itself. */
  damage(change: (files: Map<string, MemoryFile>) => void): void {
    change(this.#files)
    this.#settle(this.#files)
  }

  #settle(files: Map<string, MemoryFile>): void {
    this.#files = files
    this.#durable = new Map(files)
    this.#changes = []
  }

  copy(): MemoryFolder {
    const copies = new Map<MemoryFile, MemoryFile>()
    const copyOf = (file: MemoryFile): MemoryFile => {
      const copy = copies.get(file) ?? file.copy()
      copies.set(file, copy)
      return copy
    }
    const folder = new MemoryFolder()
    for (const [name, file] of this.#files) folder.#files.set(name, copyOf(file))
    for (const [name, file] of this.#durable) folder.#durable.set(name, copyOf(file))
    folder.#changes = this.#changes.map((change) => ({ ...change, file: change.file && copyOf(change.file) }))
    folder.#count = this.#count
    return folder
  }
}
