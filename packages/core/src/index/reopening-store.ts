import type { Env, Timer } from '../env/env.js'
import { ClosedError, type StorageError, storageError } from '../errors.js'
import type { DerivedStore } from './level.js'

/** Between two attempts to open the store again. */
const RETRY_MS = 100
const RETRY_MS_MAX = 2_000
/** What a medium says that does not answer; anything else is the store's own affair. */
const REFUSED = /^(E[A-Z]+|LEVEL_IO_ERROR)$/
/** How long a scan that is under way may hold up the reopening; then it ends with an error. */
const SCANS_MS = 2_000

type Iterator = ReturnType<DerivedStore['iterator']>
type IteratorOptions = Parameters<DerivedStore['iterator']>[0]

export interface ReopeningStoreOptions {
  readonly store: DerivedStore
  readonly env: Env
  /** Whether the medium has room for what opening writes: a store that is closed and does not open cannot be read. */
  readonly hasRoom: () => Promise<boolean>
}

/**
 * A store that is closed and opened again after a failed write: LevelDB refuses every write after one that failed, also
 * when the disk has room again. Reads go on until there is room, then wait for the moment that it takes.
 *
 *   open ── a write fails ──► failed ── writable(), there is room ──► reopening ──► open
 *                               ▲ writes are refused, reads go on         │ does not open: reads are refused too,
 *                               └─────────────────────────────────────────┘ and it is tried again by itself
 *
 * It has of a store only what the index uses.
 */
export class ReopeningStore {
  readonly #options: ReopeningStoreOptions
  readonly #store: DerivedStore
  /** Why no write is taken. */
  #failed: StorageError | undefined
  /** Why nothing is: the store is closed. */
  #down: StorageError | undefined
  #reopening: Promise<void> | undefined
  #retry: Timer | undefined
  #retryMs = RETRY_MS
  #triedMs = Number.NEGATIVE_INFINITY
  #closed = false
  #calls = 0
  #scans = 0
  #wakeIdle: () => void = () => undefined
  readonly #waitingScans: (() => void)[] = []

  constructor(options: ReopeningStoreOptions) {
    this.#options = options
    this.#store = options.store
  }

  get supports(): DerivedStore['supports'] {
    const now = this.#reopening === undefined && this.#down === undefined
    return now
      ? this.#store.supports
      : ({ ...this.#store.supports, getSync: false } as DerivedStore['supports'])
  }

  open(): Promise<void> {
    return this.#store.open()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#retry?.cancel()
    this.#wakeIdle()
    await this.#reopening
    await this.#store.close()
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#call(() => this.#store.get(key))
  }

  getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#call(() => this.#store.getMany(keys))
  }

  /** Only where `supports` says so, in the same turn. */
  getSync(key: Uint8Array): Uint8Array | undefined {
    if (this.#closed) throw new ClosedError()
    try {
      return this.#store.getSync(key)
    } catch (error) {
      throw readError(error)
    }
  }

  async put(key: Uint8Array, value: Uint8Array, options?: object): Promise<void> {
    await this.writable()
    await this.#write(() => this.#store.put(key, value, options as never))
  }

  /** To be filled and written without a pause for others to close the store: after `writable`. */
  batch(): ReturnType<DerivedStore['batch']> {
    const batch = this.#store.batch()
    const write = batch.write.bind(batch)
    return Object.assign(batch, { write: (options?: object) => this.#write(() => write(options as never)) })
  }

  /** Undefined where the store has no such thing. */
  get compactRange(): ((start: Uint8Array, end: Uint8Array) => Promise<void>) | undefined {
    const store = this.#store as { compactRange?(start: Uint8Array, end: Uint8Array): Promise<void> }
    if (store.compactRange === undefined) return undefined
    return (start, end) => this.#write(async () => store.compactRange?.(start, end))
  }

  /** Sees the store as of this turn, or, where it is being opened again, as of before the next write. */
  iterator(options: IteratorOptions): Iterator {
    if (this.#closed) throw new ClosedError()
    if (this.#reopening === undefined && this.#down === undefined) return this.#scan(options)
    const opened = new Promise<Iterator>((resolve, reject) => {
      if (this.#down) reject(this.#down)
      else
        this.#waitingScans.push(() => {
          const fault = this.#closed ? new ClosedError() : this.#down
          if (fault) reject(fault)
          else resolve(this.#scan(options))
        })
    })
    opened.catch(() => undefined)
    return new WaitingScan(opened) as unknown as Iterator
  }

  /**
   * Resolves when the store takes writes, after having opened it again where that is needed.
   * @throws StorageError, ClosedError
   */
  async writable(): Promise<void> {
    while (this.#reopening) await this.#reopening
    if (this.#closed) throw new ClosedError()
    if (this.#down) throw this.#down
    if (this.#failed === undefined) return
    const nowMs = this.#options.env.monotonicMs()
    if (nowMs - this.#triedMs < this.#retryMs) throw this.#failed
    this.#triedMs = nowMs
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX)
    if (!(await this.#options.hasRoom())) throw this.#failed
    if (!this.#closed) this.#reopen()
    return this.writable()
  }

  #reopen(): void {
    this.#reopening ??= this.#closeAndOpen().finally(() => {
      this.#reopening = undefined
      // In this turn, so that no write comes between.
      for (const begin of this.#waitingScans.splice(0)) begin()
    })
  }

  async #closeAndOpen(): Promise<void> {
    try {
      await this.#idle()
      await this.#store.close()
      if (this.#closed) return
      await this.#store.open()
      this.#failed = undefined
      this.#down = undefined
      this.#retryMs = RETRY_MS
    } catch (cause) {
      this.#down = storageError('the index', 'open again', cause)
      if (this.#closed) return
      this.#retry = this.#options.env.setTimer(() => this.#reopen(), this.#retryMs)
      this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX)
    }
  }

  /** Resolves when nothing reads any more, or scans have taken too long. */
  async #idle(): Promise<void> {
    let late = false
    const timer = this.#options.env.setTimer(() => {
      late = true
      this.#wakeIdle()
    }, SCANS_MS)
    while (this.#calls > 0 || (this.#scans > 0 && !late && !this.#closed))
      await new Promise<void>((resolve) => {
        this.#wakeIdle = resolve
      })
    timer.cancel()
  }

  async #call<T>(run: () => Promise<T>): Promise<T> {
    while (this.#reopening) await this.#reopening
    if (this.#closed) throw new ClosedError()
    if (this.#down) throw this.#down
    this.#calls += 1
    try {
      return await run()
    } catch (error) {
      throw readError(error)
    } finally {
      this.#calls -= 1
      this.#wakeIdle()
    }
  }

  async #write(run: () => Promise<void>): Promise<void> {
    if (this.#failed) throw this.#failed
    this.#calls += 1
    try {
      await run()
    } catch (cause) {
      this.#failed = storageError('the index', 'write', cause)
      throw this.#failed
    } finally {
      this.#calls -= 1
      this.#wakeIdle()
    }
  }

  #scan(options: IteratorOptions): Iterator {
    const iterator = this.#store.iterator(options)
    const close = iterator.close.bind(iterator)
    const next = iterator.next.bind(iterator)
    const nextv = iterator.nextv.bind(iterator)
    const fail = (error: unknown): never => {
      if (!isClosedScan(error)) throw readError(error)
      // The reopening did not wait for it any longer.
      throw this.#closed ? new ClosedError() : storageError('the index', 'scan', error)
    }
    let counted = true
    this.#scans += 1
    return Object.assign(iterator, {
      next: () => next().catch(fail),
      nextv: (size: number) => nextv(size).catch(fail),
      close: () => {
        if (counted) this.#scans -= 1
        counted = false
        this.#wakeIdle()
        return close()
      },
    })
  }
}

function readError(error: unknown): unknown {
  for (let at = error; at instanceof Error; at = at.cause)
    if ('code' in at && REFUSED.test(String(at.code))) return storageError('the index', 'read', error)
  return error
}

function isClosedScan(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'LEVEL_ITERATOR_NOT_OPEN'
}

/** A scan that begins when the store is open again. */
class WaitingScan {
  readonly #opened: Promise<Iterator>

  constructor(opened: Promise<Iterator>) {
    this.#opened = opened
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<[unknown, unknown]> {
    yield* await this.#opened
  }

  async nextv(size: number): Promise<[unknown, unknown][]> {
    return (await this.#opened).nextv(size)
  }

  async close(): Promise<void> {
    const iterator = await this.#opened.catch(() => undefined)
    await iterator?.close()
  }
}
