import { toHex } from '../bytes/hex.js'
import type { Env, Timer } from '../env/env.js'
import type { MynahError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import type { FileNumbers } from './file-name.js'
import type { HotEnd, PastHotFile } from './hot-file.js'
import { HotOutput, type PendingGroup } from './hot-output.js'
import { type Incarnation, type Manifest, type ManifestChange, withIncarnation } from './manifest.js'
import { Serial } from './serial.js'

/** A hot file past this length is followed by a new one, so that it can go when its records are sealed. */
const HOT_FILE_BYTES = 256 * 1024
/** Quiet after which an empty group moves `synced`. */
const IDLE_MS = 1_000
const INCARNATION_BYTES = 16

export interface HotWriterOptions {
  readonly storage: Storage
  readonly env: Env
  readonly manifest: Manifest
  readonly numbers: FileNumbers
  /** The last seq, durable. */
  readonly head: number
  readonly files: readonly PastHotFile[]
  /** The end of the last of `files`; what the first new file follows. */
  readonly predecessor: HotEnd | undefined
  /** Told of failures that no caller waits for. */
  readonly onError: (error: MynahError) => void
}

/**
 * Writes groups to hot files, one file after another.
 *
 *   none ── append ──► current ── full, failed, or retired ──► (next append) ──► current' …
 *
 * A file that failed is never written again. The next one says how far it counts (as far as it was synced), and begins
 * with all groups after that, written anew from RAM. When that fails too, the caller's group takes no seq: nothing of
 * it can come back beside another record, because the next group that is acknowledged stands in a file by whose header
 * the failed bytes do not count.
 */
export class HotWriter {
  readonly #options: HotWriterOptions
  readonly #serial = new Serial()
  #head: number
  #synced: number
  #past: PastHotFile[]
  #predecessor: HotEnd | undefined
  /** Whether the last of the past files may have more than what counts of it, with no other file that says so. */
  #trailing: boolean
  #current: HotOutput | undefined
  /** Made and durable, but perhaps not yet named by the manifest. */
  #prepared: HotOutput | undefined
  #incarnation: string | undefined
  /** Acknowledged without a sync, and not durable yet. */
  #pending: PendingGroup[] = []
  #timer: Timer | undefined
  #lastCommitMs = 0
  #closing = false

  constructor(options: HotWriterOptions) {
    this.#options = options
    this.#head = options.head
    this.#synced = options.head
    this.#past = [...options.files]
    const last = options.files.at(-1)
    this.#trailing = last !== undefined && last.length > last.counted
    this.#predecessor = options.predecessor
  }

  get head(): number {
    return this.#head
  }

  get synced(): number {
    return this.#synced
  }

  get diskBytes(): number {
    return this.#past.reduce((sum, file) => sum + file.length, this.#current?.length ?? 0)
  }

  /** The files and how far they count and are durable, oldest first. */
  files(): readonly { readonly name: string; readonly counted: number }[] {
    const current = this.#current
    return current === undefined
      ? this.#past
      : [...this.#past, { name: current.name, counted: current.durable.length }]
  }

  /**
   * Appends one group and gives its first seq. `take` is called as soon as it counts, before anything else happens.
   * @throws StorageError: then nothing was appended
   */
  append(
    encode: (firstSeq: number) => { readonly count: number; readonly payload: Uint8Array },
    options: { readonly sync: boolean; readonly take: (firstSeq: number, payload: Uint8Array) => void },
  ): Promise<number> {
    return this.#serial.run(async () => {
      const firstSeq = this.#head + 1
      const group = { firstSeq, ...encode(firstSeq) }
      const durable = await this.#commit(group, options.sync)
      this.#head += group.count
      if (durable) this.#synced = this.#head
      options.take(firstSeq, group.payload)
      return firstSeq
    })
  }

  /** Makes all that was appended durable. @throws StorageError */
  sync(): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#pending.length > 0) await this.#commit(undefined, true)
    })
  }

  /** Gives the history one new name, from its first seq on, for this damage. @throws StorageError */
  rename(damage: number): Promise<void> {
    return this.#serial.run(async () => {
      const id = toHex(this.#options.env.randomBytes(INCARNATION_BYTES))
      await this.#options.manifest.update(() => ({ incarnations: [{ id, firstSeq: 1 }], settled: damage }))
      // The name of before must not come back with the next file.
      this.#incarnation = id
    })
  }

  /** Makes all durable and leaves the file: the next append begins a new one. */
  retire(): Promise<void> {
    return this.#serial.run(() => this.#retire())
  }

  async #retire(): Promise<void> {
    if (this.#pending.length > 0) await this.#commit(undefined, true)
    this.#leave()
  }

  /**
   * Gives so many seqs to records that stand elsewhere, and the first of them. `commit`, told that and what the manifest is
   * to say of the history, makes them count: all before is durable by then. @throws whatever it does: then they are free
   */
  leap(span: number, commit: (firstSeq: number, begun: ManifestChange) => Promise<void>): Promise<number> {
    return this.#serial.run(async () => {
      await this.#retire()
      // What was refused at the end of a file, or never proven, would come back where these seqs end within it.
      if (this.#trailing) {
        await this.#rotate()
        this.#leave()
      }
      const firstSeq = this.#head + 1
      const incarnation = this.#begun(firstSeq)
      await commit(firstSeq, ({ incarnations }) => ({
        incarnations: withIncarnation(incarnations, incarnation),
      }))
      this.#head += span
      this.#synced = this.#head
      return firstSeq
    })
  }

  /** Removes the past files whose records all stand before the first unsealed seq. */
  async release(firstUnsealed: number): Promise<void> {
    const gone = this.#past.filter((file) => file.lastSeq < firstUnsealed)
    if (gone.length === 0) return
    const names = new Set(gone.map((file) => file.name))
    await this.#options.manifest.update((data) => ({ hot: data.hot.filter((name) => !names.has(name)) }))
    this.#past = this.#past.filter((file) => !names.has(file.name))
    for (const name of names) await this.#options.storage.remove(name)
  }

  /** Makes all durable, and says so in the file. */
  async close(): Promise<void> {
    this.#closing = true
    this.#timer?.cancel()
    await this.sync()
    await this.#serial.run(() => this.#mark())
  }

  /** Writes the group, or only syncs; gives whether all is durable now. */
  async #commit(group: PendingGroup | undefined, sync: boolean): Promise<boolean> {
    const file = this.#current
    this.#touch()
    if (file !== undefined && !file.failed) {
      try {
        if (group === undefined || file.length < HOT_FILE_BYTES) {
          await this.#write(file, group, sync)
          return sync
        }
        // What a successor says counts must be durable before it says so.
        if (this.#pending.length > 0) await this.#sync(file)
      } catch {
        // Written anew to the next file.
      }
    }
    return this.#rewrite(group, sync)
  }

  /** Writes what is not durable, and the group, to a new file. */
  async #rewrite(group: PendingGroup | undefined, sync: boolean): Promise<boolean> {
    const durable = sync || this.#pending.length > 0 || this.#current?.failed === true
    const file = await this.#rotate()
    for (const pending of this.#pending) await file.put(pending, this.#synced)
    await this.#write(file, group, durable)
    return durable
  }

  async #write(file: HotOutput, group: PendingGroup | undefined, sync: boolean): Promise<void> {
    if (group === undefined) {
      if (sync) await this.#sync(file)
      return
    }
    if (!sync) {
      await file.put(group, this.#synced)
      this.#pending.push(group)
      return
    }
    await file.putDurably(group, this.#synced)
    this.#becomeDurable()
  }

  async #sync(file: HotOutput): Promise<void> {
    await file.sync()
    this.#becomeDurable()
  }

  #becomeDurable(): void {
    this.#pending = []
    this.#synced = this.#head
  }

  /** Begins a new file: made and synced, then named, then written. */
  async #rotate(): Promise<HotOutput> {
    const { env, manifest, numbers, storage } = this.#options
    const incarnation = this.#begun(this.#synced + 1)
    this.#prepared ??= await HotOutput.create(storage, env, numbers, {
      database: manifest.data.id,
      incarnation: incarnation.id,
      firstSeq: incarnation.firstSeq,
      predecessor: this.#end(),
    })
    const next = this.#prepared
    const empty = this.#current?.empty ? this.#current.name : undefined
    await manifest.update((data) => ({
      hot: [...data.hot.filter((name) => name !== empty), next.name],
      nextFile: Math.max(data.nextFile, next.number + 1),
      incarnations: withIncarnation(data.incarnations, incarnation),
    }))
    this.#prepared = undefined
    this.#leave()
    this.#current = next
    // Harmless when it fails: a file that nothing names and that holds nothing is removed by the next open.
    if (empty !== undefined) await storage.remove(empty).catch(this.#options.onError)
    this.#past = this.#past.filter((file) => file.name !== empty)
    return next
  }

  /** The name of what this open writes, from its first seq on. */
  #begun(firstSeq: number): Incarnation {
    this.#incarnation ??= toHex(this.#options.env.randomBytes(INCARNATION_BYTES))
    return { id: this.#incarnation, firstSeq }
  }

  #end(): HotEnd | undefined {
    return this.#current === undefined || this.#current.empty ? this.#predecessor : this.#current.durable
  }

  #leave(): void {
    const file = this.#current
    if (file === undefined) return
    this.#predecessor = this.#end()
    const { name, length, durable, failed } = file
    this.#trailing = failed || length > durable.length
    this.#past.push({ name, lastSeq: this.#synced, counted: durable.length, length })
    this.#current = undefined
  }

  /** Appends an empty group when the last header does not know yet how far all is durable. */
  async #mark(): Promise<void> {
    const file = this.#current
    if (file === undefined || file.failed || file.tells(this.#synced)) return
    await this.#write(file, { firstSeq: this.#head + 1, count: 0, payload: new Uint8Array(0) }, true)
  }

  #touch(): void {
    this.#lastCommitMs = this.#options.env.monotonicMs()
    if (!this.#closing) this.#timer ??= this.#options.env.setTimer(() => this.#idle(), IDLE_MS)
  }

  #idle(): void {
    this.#timer = undefined
    const restMs = this.#lastCommitMs + IDLE_MS - this.#options.env.monotonicMs()
    if (restMs > 0) {
      this.#timer = this.#options.env.setTimer(() => this.#idle(), restMs)
      return
    }
    this.sync()
      .then(() => this.#serial.run(() => this.#mark()))
      .catch(this.#options.onError)
  }
}
