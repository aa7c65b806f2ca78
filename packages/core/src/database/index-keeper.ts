import { ClosedError, IndexCorruptError } from '../errors.js'
import type { DocumentIndex } from '../index/document-index.js'
import { unlessAborted } from './aborted.js'
import type { CommitQueue } from './commit-queue.js'
import type { Context } from './context.js'
import { type IndexHome, type IndexProgress, renewed, replay } from './index-home.js'

/** Records that may be left to follow while writes wait for the switch. */
const LAST_RECORDS = 2_000
/** Rounds of following a log that grows, before writes wait however much is left. */
const ROUNDS = 10
/** After a rebuild that failed, reads are told so at once, rather than that each begins another. */
const RETRY_MS = 2_000

interface Rebuild {
  readonly done: Promise<void>
  readonly listeners: Set<(progress: IndexProgress) => void>
}

/**
 * Replaces an index that does not hold together, while the database is used: the next one follows the log until it has
 * caught up, then takes the place of this one between two commits. The old one stays open until nothing uses it.
 */
export class IndexKeeper {
  readonly #context: Context
  readonly #home: IndexHome
  readonly #queue: CommitQueue
  /** Of each index that is open: how many calls use it. */
  readonly #users = new Map<DocumentIndex, number>()
  readonly #retired = new Map<DocumentIndex, number>()
  readonly #closing = new Set<Promise<void>>()
  readonly #over = new AbortController()
  #rebuild: Rebuild | undefined
  #failure: { readonly error: unknown; readonly atMs: number } | undefined
  /** How far a rebuild is that runs. */
  progress: IndexProgress | undefined

  constructor(context: Context, home: IndexHome, queue: CommitQueue) {
    this.#context = context
    this.#home = home
    this.#queue = queue
  }

  /**
   * Runs what reads the index, which stays open meanwhile. Where that finds the index damaged, the next one is built,
   * and `run` runs once more. @throws IndexCorruptError when it cannot be built
   */
  async use<T>(run: () => Promise<T>): Promise<T> {
    const index = this.#context.index
    try {
      return await this.#hold(index, run)
    } catch (error) {
      if (!(error instanceof IndexCorruptError) || this.#context.readOnly) throw error
      await this.mended(index)
    }
    return this.#hold(this.#context.index, run)
  }

  /** As `use`, for what gives values as it goes and so cannot begin again. @throws IndexCorruptError */
  async *scan<T>(run: () => AsyncIterable<T>): AsyncGenerator<T> {
    const index = this.#context.index
    const release = this.#enter(index)
    try {
      yield* run()
    } catch (error) {
      if (error instanceof IndexCorruptError && !this.#context.readOnly)
        void this.mended(index).catch(() => undefined)
      throw error
    } finally {
      release()
    }
  }

  /** Resolves when another index has taken the place of this one. @throws IndexCorruptError */
  async mended(index: DocumentIndex): Promise<void> {
    // A rebuild that somebody cancelled leaves it to the next one.
    while (this.#context.index === index) {
      const { env } = this.#context
      if (this.#failure && env.monotonicMs() - this.#failure.atMs < RETRY_MS)
        throw new IndexCorruptError('it could not be rebuilt', { cause: this.#failure.error })
      await this.rebuild().catch((error: unknown) => {
        if (this.#over.signal.aborted) throw error
      })
    }
  }

  /**
   * Builds the next index from the log and puts it in the place of this one; joins a rebuild that runs.
   * @throws StorageError, ClosedError, the signal's reason: then the index is as before
   */
  async rebuild(
    options: {
      readonly signal?: AbortSignal | undefined
      readonly onProgress?: ((progress: IndexProgress) => void) | undefined
    } = {},
  ): Promise<void> {
    const { signal, onProgress } = options
    this.#over.signal.throwIfAborted()
    const joins = this.#rebuild !== undefined
    if (this.#rebuild === undefined) {
      const listeners: Rebuild['listeners'] = new Set()
      const ends = signal ? AbortSignal.any([signal, this.#over.signal]) : this.#over.signal
      const done = this.#run(ends, listeners).finally(() => {
        this.#rebuild = undefined
        this.progress = undefined
      })
      done.catch(() => undefined)
      this.#rebuild = { done, listeners }
    }
    const { done, listeners } = this.#rebuild
    if (onProgress) listeners.add(onProgress)
    try {
      // One that was begun here ends with the signal, and is waited for until nothing is left of it.
      await unlessAborted(done, joins ? signal : undefined)
    } finally {
      if (onProgress) listeners.delete(onProgress)
    }
  }

  /** Ends a rebuild, and closes indexes that were replaced. */
  async close(): Promise<void> {
    this.#over.abort(new ClosedError())
    await this.#rebuild?.done.catch(() => undefined)
    for (const index of this.#retired.keys()) this.#drop(index)
    await Promise.all(this.#closing)
  }

  async #run(signal: AbortSignal, listeners: Rebuild['listeners']): Promise<void> {
    const onProgress = (progress: IndexProgress) => {
      this.progress = progress
      for (const listener of listeners) listener(progress)
    }
    try {
      // What turns out lost while an index is built may be in it as held: then it is built again.
      while (!(await this.#context.log.compactor.exclusively(() => this.#build(signal, onProgress))));
      this.#failure = undefined
    } catch (error) {
      if (!signal.aborted) this.#failure = { error, atMs: this.#context.env.monotonicMs() }
      throw error
    }
  }

  async #build(signal: AbortSignal, onProgress: (progress: IndexProgress) => void): Promise<boolean> {
    const { log, manifest, env } = this.#context
    const { damage, index: before } = manifest.data
    onProgress({ doneRecords: 0, totalRecords: log.head })
    await this.#home.remove(before + 1)
    const index = await this.#home.open(before + 1, manifest)
    let taken = false
    try {
      for (let round = 0; round < ROUNDS && log.head - index.root.seq > LAST_RECORDS; round++) {
        await replay(log, index, { flush: true, signal, onProgress })
        await env.yield()
      }
      await this.#queue.alone(async () => {
        await replay(log, index, { flush: true, signal, onProgress })
        await index.flush()
        if (manifest.data.damage !== damage) return
        signal.throwIfAborted()
        await manifest.update((data) => renewed(data, before + 1, log.head))
        taken = true
        this.#replaceBy(index, before)
      })
      return taken
    } finally {
      if (!taken) {
        await index.abandon().catch(() => undefined)
        await this.#home.remove(before + 1).catch(() => undefined)
      }
    }
  }

  #replaceBy(index: DocumentIndex, generation: number): void {
    const old = this.#context.index
    this.#context.index = index
    this.#retired.set(old, generation)
    if (!this.#users.has(old)) this.#drop(old)
  }

  async #hold<T>(index: DocumentIndex, run: () => Promise<T>): Promise<T> {
    const release = this.#enter(index)
    try {
      return await run()
    } finally {
      release()
    }
  }

  #enter(index: DocumentIndex): () => void {
    this.#users.set(index, (this.#users.get(index) ?? 0) + 1)
    return () => {
      const left = this.#users.get(index)! - 1
      if (left > 0) this.#users.set(index, left)
      else {
        this.#users.delete(index)
        this.#drop(index)
      }
    }
  }

  /** Closes and removes an index that was replaced. */
  #drop(index: DocumentIndex): void {
    const generation = this.#retired.get(index)
    if (generation === undefined) return
    this.#retired.delete(index)
    const closing = index
      .abandon()
      .then(() => this.#home.remove(generation))
      // It is derived: what is left of it goes when the database is opened next.
      .catch(() => undefined)
      .finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }
}
