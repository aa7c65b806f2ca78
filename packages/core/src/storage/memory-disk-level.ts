import type { AbstractLevel } from 'abstract-level'
import { MemoryLevel } from 'memory-level'
import { flipOneBit } from './memory-disk-storage.js'
import { type LevelOperation, type MemoryLevelFile, operationBytes } from './memory-level-file.js'
import { type DiskFault, type DiskOperation, type MemoryProcess, systemError } from './memory-process.js'

type ByteLevel = AbstractLevel<string | Buffer | Uint8Array, Uint8Array, Uint8Array>
type Key = Uint8Array
type Options = object

/** What `abstract-level` calls of an implementation; its types do not name it. */
interface Primitives {
  _open(options: Options): Promise<void>
  _close(): Promise<void>
  _get(key: Key, options: Options): Promise<Uint8Array | undefined>
  _getSync(key: Key, options: Options): Uint8Array | undefined
  _getMany(keys: readonly Key[], options: Options): Promise<(Uint8Array | undefined)[]>
  _has(key: Key, options: Options): Promise<boolean>
  _hasMany(keys: readonly Key[], options: Options): Promise<boolean[]>
  _put(key: Key, value: Uint8Array, options: Options): Promise<void>
  _del(key: Key, options: Options): Promise<void>
  _batch(operations: readonly LevelOperation[], options: Options): Promise<void>
  _clear(options: Options): Promise<void>
  _iterator(options: Options): IteratorPrimitives
  _keys(options: Options): IteratorPrimitives
  _values(options: Options): IteratorPrimitives
}

type Step = (...args: never[]) => Promise<unknown>

interface IteratorPrimitives {
  _next: Step
  _nextv: Step
  _all: Step
}

const Base = MemoryLevel as unknown as new (options: object) => ByteLevel & Primitives

/**
 * A level on a `MemoryDisk`, as one process has it: a `MemoryLevel` whose writes reach the disk. After a write that
 * failed all others fail, until it is closed and opened again, as with LevelDB.
 */
export class MemoryDiskLevel extends Base {
  readonly #process: MemoryProcess
  readonly #location: string
  #failed: Error | undefined

  constructor(process: MemoryProcess, location: string) {
    super({ keyEncoding: 'view', valueEncoding: 'view', storeEncoding: 'view' })
    this.#process = process
    this.#location = location
  }

  get #file(): MemoryLevelFile {
    return this.#process.medium.level(this.#location)
  }

  override _open(): Promise<void> {
    const { openLevels, random } = this.#process
    return this.#perform('level-open', 0, async () => {
      if (openLevels.has(this.#location)) throw levelError('LEVEL_LOCKED', new Error('it is open already'))
      // It begins a new log and a new table of contents.
      if (this.#process.room === 0) throw levelError('LEVEL_IO_ERROR', systemError('ENOSPC'))
      openLevels.add(this.#location)
      this.#failed = undefined
      const entries = this.#file.open(random)
      await super._clear({ limit: -1 })
      await super._batch(entries, {})
    })
  }

  override _close(): Promise<void> {
    return this.#perform('level-close', 0, () => {
      this.#process.openLevels.delete(this.#location)
    })
  }

  override _get(key: Key, options: Options): Promise<Uint8Array | undefined> {
    return this.#perform('level-read', 0, async (fault) => this.#given(await super._get(key, options), fault))
  }

  /** Takes no time; where the process has ended, it sees what was there then. */
  override _getSync(key: Key, options: Options): Uint8Array | undefined {
    const fault = this.#process.faultOf(this.#operation('level-read', 0))
    if (fault === 'error') throw levelError('LEVEL_IO_ERROR', systemError('EIO'))
    return this.#given(super._getSync(key, options), fault)
  }

  override _getMany(keys: readonly Key[], options: Options): Promise<(Uint8Array | undefined)[]> {
    return this.#perform('level-read', 0, async (fault) => {
      const values = await super._getMany(keys, options)
      const chosen = Math.floor(this.#process.random() * values.length)
      return values.map((value, i) => (i === chosen ? this.#given(value, fault) : value))
    })
  }

  override _has(key: Key, options: Options): Promise<boolean> {
    return this.#perform('level-read', 0, () => super._has(key, options))
  }

  override _hasMany(keys: readonly Key[], options: Options): Promise<boolean[]> {
    return this.#perform('level-read', 0, () => super._hasMany(keys, options))
  }

  override _put(key: Key, value: Uint8Array, options: Options): Promise<void> {
    return this._batch([{ type: 'put', key, value }], options)
  }

  override _del(key: Key, options: Options): Promise<void> {
    return this._batch([{ type: 'del', key }], options)
  }

  override _batch(given: readonly LevelOperation[], options: { readonly sync?: boolean }): Promise<void> {
    const operations = given.map(({ type, key, value }) => ({ type, key, ...(value && { value }) }))
    const bytes = operationBytes(operations)
    return this.#perform(
      'level-write',
      bytes,
      (fault) => {
        if (this.#failed) throw this.#failed
        const full = bytes > this.#process.room
        if (full || fault === 'error') {
          this.#failed = levelError('LEVEL_IO_ERROR', systemError(full ? 'ENOSPC' : 'EIO'))
          // Its log may hold it all the same.
          if (!full) this.#file.add({ operations, state: 'doubtful' })
          throw this.#failed
        }
        const durable = options.sync === true && fault !== 'lie'
        this.#file.add({ operations, state: durable ? 'synced' : 'written' })
        return super._batch(operations, options)
      },
      ({ level }) => level.add({ operations, state: 'doubtful' }),
    )
  }

  override async _clear(options: Options): Promise<void> {
    const range = { ...options, keyEncoding: 'view' as const }
    const operations: LevelOperation[] = []
    for await (const key of this.keys(range)) operations.push({ type: 'del', key })
    if (operations.length > 0) await this._batch(operations, options)
  }

  override _iterator(options: Options): IteratorPrimitives {
    return this.#paced(super._iterator(options))
  }

  override _keys(options: Options): IteratorPrimitives {
    return this.#paced(super._keys(options))
  }

  override _values(options: Options): IteratorPrimitives {
    return this.#paced(super._values(options))
  }

  #paced(iterator: IteratorPrimitives): IteratorPrimitives {
    for (const name of ['_next', '_nextv', '_all'] as const) {
      const step = iterator[name].bind(iterator)
      iterator[name] = (...args) => this.#perform('level-read', 0, () => step(...args))
    }
    return iterator
  }

  #given(value: Uint8Array | undefined, fault: DiskFault | undefined): Uint8Array | undefined {
    if (value === undefined || fault !== 'flip') return value
    const flipped = value.slice()
    flipOneBit(flipped, this.#process.random)
    return flipped
  }

  #operation(kind: DiskOperation['kind'], bytes: number): DiskOperation {
    return { kind, name: this.#location, bytes }
  }

  #perform<T>(
    kind: DiskOperation['kind'],
    bytes: number,
    act: (fault: DiskFault | undefined) => T | Promise<T>,
    land?: (landed: { readonly level: MemoryLevelFile }) => void,
  ): Promise<T> {
    return this.#process.perform(
      this.#operation(kind, bytes),
      (fault) => {
        if (fault === 'error' && kind !== 'level-write')
          throw levelError('LEVEL_IO_ERROR', systemError('EIO'))
        return act(fault)
      },
      land && ((medium) => land({ level: medium.level(this.#location) })),
    )
  }
}

/** As `classic-level` would say it. */
function levelError(code: string, cause: Error): Error {
  return Object.assign(new Error(cause.message, { cause }), { code })
}
