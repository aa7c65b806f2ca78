import { PinsFullError, StorageError } from '../errors.js'
import { limits } from '../limits.js'
import type { Manifest } from '../log/manifest.js'
import { readPatiently } from '../log/patient-read.js'
import { Serial } from '../log/serial.js'
import type { Storage } from '../storage/storage.js'
import { decodePins, encodePins, PIN_FILES, pinsFileName, pinsFileNumber, pinsFileOf } from './pins-format.js'
import type { VerifyFinding } from './verify-finding.js'

/** A pinned document that may be known and not held, and since when: each time that it may is another. */
export interface Lacking {
  readonly id: string
  readonly since: number
}

/**
 * Ids whose documents are to be held: never dropped for want of room, and fetched when they are not held. They are kept
 * in files of their own beside the log, each replaced as a whole, and in RAM. The manifest knows which files there are.
 *
 * To know what to fetch without looking at all of them again and again, those that may lack a body are listed apart: all
 * at first, then whatever is pinned, or becomes known without its body. Who finds one held takes it from the list, unless
 * it was listed anew since.
 */
export class Pins {
  readonly #storage: Storage
  readonly #manifest: Manifest
  readonly #files: readonly Set<string>[] = Array.from({ length: PIN_FILES }, () => new Set())
  readonly #changed = new Set<number>()
  readonly #writes = new Serial()
  readonly #lacking = new Map<string, number>()
  readonly #listeners: (() => void)[] = []
  /** Files that cannot be read, and why. */
  readonly #faults = new Map<number, string>()
  #size = 0
  #listed = 0

  private constructor(storage: Storage, manifest: Manifest) {
    this.#storage = storage
    this.#manifest = manifest
  }

  /** Damaged files count as empty, and are told. @throws FormatUnknownError, StorageError */
  static async load(storage: Storage, manifest: Manifest): Promise<Pins> {
    const pins = new Pins(storage, manifest)
    await pins.#read((number, ids) => {
      for (const id of ids) pins.#put(number, id)
    })
    for (const file of pins.#files) for (const id of file) pins.#list(id)
    return pins
  }

  get size(): number {
    return this.#size
  }

  /** Raised whenever one may lack its body. */
  get listed(): number {
    return this.#listed
  }

  has(id: string): boolean {
    return this.#size > 0 && this.#files[pinsFileOf(id)]!.has(id)
  }

  /**
   * Durable when it resolves. Where it rejects, the pins count as long as the database is open, and may count afterwards.
   * @throws PinsFullError: then nothing was changed; StorageError
   */
  async add(ids: readonly string[]): Promise<void> {
    const fresh = [...new Set(ids)].filter((id) => !this.has(id))
    if (this.#size + fresh.length > limits.pins) throw new PinsFullError(limits.pins)
    for (const id of fresh) {
      this.#changed.add(this.#put(pinsFileOf(id), id))
      this.#list(id)
    }
    this.#tell(fresh.length)
    await this.#write()
  }

  /** Durable when it resolves; as `add` where it rejects. @throws StorageError */
  async delete(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const number = pinsFileOf(id)
      if (!this.#files[number]!.delete(id)) continue
      this.#size -= 1
      this.#lacking.delete(id)
      this.#changed.add(number)
    }
    await this.#write()
  }

  /** These documents became known, or were left, without a body. */
  lack(ids: Iterable<string>): void {
    let count = 0
    for (const id of ids) {
      if (!this.has(id)) continue
      this.#list(id)
      count += 1
    }
    this.#tell(count)
  }

  /** About `count` of those that may lack a body, listed after `since`, in order of it. */
  lacking(since: number, count: number): readonly Lacking[] {
    const some: Lacking[] = []
    for (const [id, listed] of this.#lacking) {
      if (listed > since) some.push({ id, since: listed })
      if (some.length === count) break
    }
    return some
  }

  /** It was found held, or unknown. */
  found({ id, since }: Lacking): void {
    if (this.#lacking.get(id) === since) this.#lacking.delete(id)
  }

  /** Calls each time when more may lack a body. */
  onListed(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Files that could not be read when the database was opened, and were not written since. */
  findings(): readonly VerifyFinding[] {
    return Array.from(this.#faults, ([number, fault]) => ({ file: pinsFileName(number), fault, ids: [] }))
  }

  /** Reads the files again; with `repair`, writes those anew that are not as they should be, and gives them. */
  verify(repair: boolean): Promise<{
    readonly findings: readonly VerifyFinding[]
    readonly repaired: readonly string[]
  }> {
    return this.#writes.run(async () => {
      await this.#read(() => undefined)
      const findings = this.findings()
      const repaired = repair ? findings.map(({ file }) => file) : []
      if (repair) for (const number of this.#faults.keys()) this.#changed.add(number)
      await this.#flush()
      return { findings, repaired }
    })
  }

  /** Resolves when nothing is being written. */
  close(): Promise<void> {
    return this.#writes.run(async () => undefined)
  }

  async #read(take: (number: number, ids: readonly string[]) => void): Promise<void> {
    const there = new Map<number, { readonly name: string; readonly length: number }>()
    for (const file of await this.#storage.list()) {
      const number = pinsFileNumber(file.name)
      if (number !== undefined) there.set(number, file)
    }
    const { pins = [], id: database } = this.#manifest.data
    this.#faults.clear()
    for (const number of new Set([...pins, ...there.keys()])) {
      const file = there.get(number)
      const ids = file && (await this.#ids(file, number, database))
      if (ids === undefined) this.#faults.set(number, FAULT[file ? 'damaged' : 'missing'])
      else take(number, ids)
    }
  }

  async #ids(
    { name, length }: { readonly name: string; readonly length: number },
    number: number,
    database: string,
  ): Promise<readonly string[] | undefined> {
    const decode = (bytes: Uint8Array) => decodePins(bytes, database, number)
    try {
      return await readPatiently(
        this.#storage,
        { name, offset: 0, length },
        decode,
        (ids) => ids !== undefined,
      )
    } catch (error) {
      if (error instanceof StorageError) return undefined
      throw error
    }
  }

  #put(number: number, id: string): number {
    this.#files[number]!.add(id)
    this.#size += 1
    return number
  }

  #list(id: string): void {
    this.#lacking.delete(id)
    this.#lacking.set(id, ++this.#listed)
  }

  #tell(count: number): void {
    if (count > 0) for (const listener of this.#listeners) listener()
  }

  /** Calls at the same time share the work. */
  #write(): Promise<void> {
    return this.#writes.run(() => this.#flush())
  }

  async #flush(): Promise<void> {
    const changed = [...this.#changed]
    this.#changed.clear()
    try {
      for (const number of changed) {
        const bytes = encodePins(this.#manifest.data.id, number, this.#files[number]!)
        await this.#storage.replace(pinsFileName(number), bytes)
        this.#faults.delete(number)
      }
      // Afterwards: a file that the manifest names and that is not there is damage.
      const { pins = [] } = this.#manifest.data
      if (changed.some((number) => !pins.includes(number)))
        await this.#manifest.update(() => ({
          pins: [...new Set([...pins, ...changed])].sort((a, b) => a - b),
        }))
    } catch (error) {
      for (const number of changed) this.#changed.add(number)
      throw error
    }
  }
}

const FAULT = {
  damaged: 'it cannot be read: documents that were pinned are so no more',
  missing: 'it is missing: documents that were pinned are so no more',
} as const
