import type { Env } from '../env/env.js'
import type { Storage } from '../storage/storage.js'
import { type FileNumbers, fileName } from './file-name.js'
import { encodeGroup, SALT_BYTES } from './group.js'
import { encodeHotHeader, HOT_HEADER_BYTES, type HotEnd, type HotHeader } from './hot-file.js'

/** One commit's records, as a block. An empty one has `count` 0 and no payload. */
export interface PendingGroup {
  readonly firstSeq: number
  readonly count: number
  readonly payload: Uint8Array
}

/** A hot file that is being written. After anything failed it is not written again. */
export class HotOutput {
  readonly name: string
  readonly number: number
  readonly #storage: Storage
  readonly #salt: Uint8Array
  #length: number
  /** Of the last header. */
  #checksum: number
  #durable: HotEnd
  /** `synced` in the last header, and in the last durable one. */
  #claim: number
  #durableClaim: number
  #failed = false

  private constructor(storage: Storage, number: number, header: HotHeader, checksum: number) {
    this.name = fileName('hot', number)
    this.number = number
    this.#storage = storage
    this.#salt = header.salt
    this.#length = HOT_HEADER_BYTES
    this.#checksum = checksum
    this.#durable = { number, length: HOT_HEADER_BYTES, checksum }
    this.#claim = header.firstSeq - 1
    this.#durableClaim = this.#claim
  }

  /** Makes a file with its header, durably. @throws StorageError: then it is as if it had never been */
  static async create(
    storage: Storage,
    env: Env,
    numbers: FileNumbers,
    header: Omit<HotHeader, 'salt'>,
  ): Promise<HotOutput> {
    const number = numbers.take()
    const name = fileName('hot', number)
    const salted = { ...header, salt: env.randomBytes(SALT_BYTES) }
    const { bytes, checksum } = encodeHotHeader(salted)
    try {
      await storage.append(name, 0, bytes)
      await storage.sync(name)
    } catch (error) {
      // Nothing names it, so it may go; where even that fails, the next open removes it.
      await storage.remove(name).catch(() => undefined)
      throw error
    }
    return new HotOutput(storage, number, salted, checksum)
  }

  /** Also of what failed, as far as that is known. */
  get length(): number {
    return this.#length
  }

  get failed(): boolean {
    return this.#failed
  }

  /** How far it counts. */
  get durable(): HotEnd {
    return this.#durable
  }

  /** Nothing but the header is durable. */
  get empty(): boolean {
    return this.#durable.length === HOT_HEADER_BYTES
  }

  /** Whether a durable header says that all up to `synced` is durable. */
  tells(synced: number): boolean {
    return this.#durableClaim >= synced
  }

  /** Appends a group; not durable before `sync`. @throws StorageError */
  put(group: PendingGroup, synced: number): Promise<void> {
    return this.#append(group, synced, (bytes) => this.#storage.append(this.name, this.#length, bytes))
  }

  /** Appends a group and makes all durable. @throws StorageError */
  async putDurably(group: PendingGroup, synced: number): Promise<void> {
    const storage = this.#storage
    if (this.#durable.length < this.#length || storage.appendDurably === undefined) {
      await this.put(group, synced)
      return this.sync()
    }
    await this.#append(group, synced, (bytes) => storage.appendDurably!(this.name, this.#length, bytes))
    this.#becomeDurable()
  }

  async #append(
    group: PendingGroup,
    synced: number,
    write: (bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const { bytes, checksum } = encodeGroup({ ...group, salt: this.#salt, previous: this.#checksum, synced })
    try {
      await write(bytes)
    } catch (error) {
      this.#failed = true
      throw error
    }
    this.#length += bytes.length
    this.#checksum = checksum
    this.#claim = synced
  }

  /** @throws StorageError */
  async sync(): Promise<void> {
    try {
      await this.#storage.sync(this.name)
    } catch (error) {
      this.#failed = true
      throw error
    }
    this.#becomeDurable()
  }

  #becomeDurable(): void {
    this.#durable = { number: this.number, length: this.#length, checksum: this.#checksum }
    this.#durableClaim = this.#claim
  }
}
