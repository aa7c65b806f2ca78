/** The unit in which a disk writes or loses bytes. */
const SECTOR = 512

/** Bytes of a file that a power cut need not leave. */
interface DirtyRange {
  readonly from: number
  to: number
  /** A sync of them failed: they were dropped from what is to be written, and no later sync makes them durable. */
  readonly dropped: boolean
}

/** Gives numbers from 0 (inclusive) to 1 (exclusive). */
export type RandomSource = () => number

/** A file of a `MemoryDisk`, under whatever names: its bytes, and which of them are durable. */
export class MemoryFile {
  #bytes: Uint8Array
  #length: number
  /** How long a power cut leaves it at least. */
  #sized: number
  /** In order, without overlap: all else is durable. */
  #dirty: DirtyRange[] = []

  /** A durable file with these bytes, which it takes over. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#length = bytes.length
    this.#sized = bytes.length
  }

  get length(): number {
    return this.#length
  }

  append(bytes: Uint8Array): void {
    const from = this.#length
    const to = from + bytes.length
    if (to > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(to, this.#bytes.length * 2))
      larger.set(this.#bytes.subarray(0, from))
      this.#bytes = larger
    }
    this.#bytes.set(bytes, from)
    this.#length = to
    const last = this.#dirty.at(-1)
    if (last?.to === from && !last.dropped) last.to = to
    else if (to > from) this.#dirty.push({ from, to, dropped: false })
  }

  /** A copy of what there is from `offset`, up to `length` bytes. */
  read(offset: number, length: number): Uint8Array {
    return this.#bytes.slice(Math.min(offset, this.#length), Math.min(offset + length, this.#length))
  }

  /** Makes durable what was written below `upTo`, but for what a failed sync dropped. */
  sync(upTo: number): void {
    this.#sized = Math.max(this.#sized, Math.min(upTo, this.#length))
    this.#dirty = this.#dirty.flatMap((range) => {
      if (range.dropped || range.from >= upTo) return [range]
      return range.to > upTo ? [{ ...range, from: upTo }] : []
    })
  }

  /**
   * What a failed sync does: the system gives up what it could not write and tells nobody again. Some file systems go
   * on showing the new bytes, some show what the disk has.
   *
   * @see Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020
   */
  drop(upTo: number, random: RandomSource): void {
    const reverts = random() < 0.5
    this.#dirty = this.#dirty.flatMap((range) => {
      if (range.dropped || range.from >= upTo) return [range]
      const to = Math.min(range.to, upTo)
      if (reverts) this.#lose({ ...range, to }, 0.5, random)
      const rest = range.to > upTo ? [{ ...range, from: upTo }] : []
      return [{ from: range.from, to, dropped: true }, ...rest]
    })
  }

  /**
   * What a power cut does: the end may be missing, and any sector of what was not synced.
   *
   * @param others files whose old sectors may turn up in the place of lost ones
   */
  cut(random: RandomSource, others: readonly MemoryFile[] = []): void {
    const fate = random()
    if (fate < 0.3) this.truncate(this.#sized)
    else if (fate < 0.7) this.truncate(this.#sized + Math.floor(random() * (this.#length - this.#sized + 1)))
    const chance = [0, 0.1, 0.5][Math.floor(random() * 3)]!
    for (const range of this.#dirty) this.#lose(range, chance, random, others)
    this.#dirty = []
    this.#sized = this.#length
  }

  /** Puts something else in the place of some sectors of a range. */
  #lose(range: DirtyRange, chance: number, random: RandomSource, others: readonly MemoryFile[] = []): void {
    for (let from = range.from; from < range.to; ) {
      const to = Math.min(range.to, (Math.floor(from / SECTOR) + 1) * SECTOR)
      if (random() < chance) {
        this.#bytes.fill(random() < 0.7 ? 0 : Math.floor(random() * 256), from, to)
        const other = random() < 0.3 ? others[Math.floor(random() * others.length)] : undefined
        if (other && other !== this) this.#bytes.set(other.read(from, to - from), from)
      }
      from = to
    }
  }

  /** Changes the bytes on the medium itself. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length)
    this.#sized = Math.min(this.#sized, this.#length)
    this.#dirty = this.#dirty.flatMap((range) => {
      if (range.from >= this.#length) return []
      return [{ ...range, to: Math.min(range.to, this.#length) }]
    })
  }

  flip(offset: number, bit: number): void {
    if (offset < this.#length) this.#bytes[offset]! ^= 1 << bit
  }

  zero(offset: number, length: number): void {
    this.#bytes.fill(0, Math.min(offset, this.#length), Math.min(offset + length, this.#length))
  }

  copy(): MemoryFile {
    const file = new MemoryFile(this.read(0, this.#length))
    file.#sized = this.#sized
    file.#dirty = this.#dirty.map((range) => ({ ...range }))
    return file
  }
}
