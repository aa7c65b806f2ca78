import { LRUCache } from 'lru-cache'
import type { Env } from '../env/env.js'
import { MynahError, storageError } from '../errors.js'
import { writeBatch } from './batch.js'
import { parseValue } from './checksum.js'
import { conflictIds } from './conflict-ids.js'
import { DeadBodies } from './dead.js'
import { decodeEntry, type Entry, type HistoryRow } from './entry.js'
import { Gaps } from './gaps.js'
import { type HistoryBounds, readHistory } from './history.js'
import { IdleTidy } from './idle-tidy.js'
import type { Compacted, DocumentIndexOptions, IndexCommit } from './index-commit.js'
import { entryKey } from './keys.js'
import type { DerivedStore } from './level.js'
import { type Mark, readMarks } from './marks.js'
import { edgeId, mergedConflicts, mergedScan } from './merged-scan.js'
import { readNote, writeNote } from './notes.js'
import { Overlay } from './overlay.js'
import { encodePage } from './page.js'
import { loadPages } from './page-load.js'
import type { PageTable } from './page-table.js'
import { looksUpNow, readValues } from './point-reads.js'
import { type Bounds, boundsOf, type IdRange } from './range.js'
import { type PageSum, type RangeSum, RangeSums } from './range-sums.js'
import { recount } from './recount.js'
import { nextRoot, printsOf, type Root } from './root.js'
import { shrinkLevel } from './shrink.js'
import type { Print } from './tally.js'

/**
 * The index: id → leaves, kept in a `DerivedStore` behind an overlay in RAM. It follows the log and never leads:
 * each batch covers fsynced records only, is written with `sync`, and carries its own watermark.
 */
export class DocumentIndex {
  readonly #options: DocumentIndexOptions
  readonly #store: DerivedStore
  readonly #env: Env
  readonly #cache: LRUCache<string, Entry>
  #overlay: Overlay
  #flushing: Overlay | undefined
  /** What was flushed last, as the overlay had it: newer than the same in the cache. */
  #recent: ReadonlyMap<string, Entry> = new Map()
  /** Raised by whatever makes a value that was read from the store old. */
  #version = 0
  #running: Promise<void> | undefined
  readonly #pages: PageTable
  /** Parts of ranges, and the fingerprints in them. */
  readonly sums: RangeSums
  readonly #gaps = new Gaps()
  readonly dead: DeadBodies
  readonly #tidy: IdleTidy

  private constructor(options: DocumentIndexOptions, root: Root, pages: PageTable, dead: DeadBodies) {
    this.#options = options
    this.#store = options.store
    this.#env = options.env
    this.#overlay = Overlay.upon(root)
    this.#pages = pages
    this.dead = dead
    const edge = (bounds: Bounds, reverse?: boolean) => edgeId(this.#store, this.#overlays, bounds, reverse)
    this.sums = new RangeSums(pages, (bounds, reverse) => this.#scan(bounds, reverse), edge)
    this.#tidy = new IdleTidy(options.env, this.sums, () => this.#version)
    this.#cache = new LRUCache({
      maxSize: Math.max(1, options.cacheBytes),
      sizeCalculation: (entry, id) => 200 + 2 * id.length + 160 * entry.leaves.length,
    })
  }

  /** @throws IndexCorruptError when the root or a page is damaged, or they do not agree */
  static async open(options: DocumentIndexOptions): Promise<DocumentIndex> {
    const { store, env } = options
    const { root, pages } = await loadPages(store, env)
    const index = new DocumentIndex(options, root, pages, await DeadBodies.load(store))
    index.#tidy.soon()
    return index
  }

  /** What the index knows of itself, with what is not written yet. */
  get root(): Root {
    return this.#overlay.root
  }

  /** Commits not yet in the store, in entries. */
  get pending(): number {
    return this.#overlay.entries.size
  }

  /** The entry where RAM has it; undefined says nothing. */
  cached(id: string): Entry | undefined {
    return (
      this.#overlay.entries.get(id) ??
      this.#flushing?.entries.get(id) ??
      this.#recent.get(id) ??
      this.#cache.get(id)
    )
  }

  /** The entry where RAM or a look-up on the event loop has it; undefined says nothing. @throws IndexCorruptError */
  getNow(id: string): Entry | undefined {
    const known = this.cached(id)
    if (known || !looksUpNow(this.#store)) return known
    const key = entryKey(id)
    const value = this.#store.getSync(key)
    if (value === undefined) return undefined
    const entry = parseValue(key, value, decodeEntry)
    this.#cache.set(id, entry)
    return entry
  }

  /** @throws IndexCorruptError */
  async get(id: string): Promise<Entry | undefined> {
    return this.cached(id) ?? (await this.lookup([id])).get(id)
  }

  /** Entries of the ids that have one. That others have none is checked. @throws IndexCorruptError */
  async lookup(ids: readonly string[]): Promise<Map<string, Entry>> {
    const found = new Map<string, Entry>()
    let missing: string[] = []
    for (const id of ids) {
      if (this.#gaps.has(id)) continue
      const entry = this.cached(id)
      if (entry) found.set(id, entry)
      else missing.push(id)
    }
    while (missing.length > 0) {
      const version = this.#version
      const keys = missing.map(entryKey)
      const values = await readValues(this.#store, keys)
      const again: string[] = []
      const absent: string[] = []
      for (const [i, id] of missing.entries()) {
        // What was applied, or flushed out of the overlay, meanwhile may be newer than what was read.
        if (version !== this.#version) again.push(id)
        else if (values[i] !== undefined) {
          const entry = parseValue(keys[i]!, values[i], decodeEntry)
          this.#cache.set(id, entry)
          found.set(id, entry)
        } else absent.push(id)
      }
      if (absent.length > 0) {
        await this.sums.checkAbsent(absent)
        const unchanged = () => version === this.#version
        await this.#gaps.learn(absent, (id) => this.sums.follower(id), unchanged)
      }
      missing = []
      for (const id of again) {
        const newer = this.cached(id)
        if (newer) found.set(id, newer)
        else missing.push(id)
      }
    }
    return found
  }

  /** Takes a commit whose records are in the log. `prints` may have been made before. */
  apply(commit: IndexCommit, prints: readonly Print[] = printsOf(commit.changes)): void {
    this.#version += 1
    const overlay = this.#overlay
    for (const change of commit.changes) {
      overlay.change(change)
      if (change.before) this.#cache.delete(change.id)
      else this.#gaps.close(change.id)
    }
    overlay.follow(commit)
    if (commit.dead) for (const seq of commit.dead) this.dead.add(seq)
    overlay.root = nextRoot(overlay.root, commit.changes, prints, commit.seq)
    for (const print of prints) this.#pages.change(print)
  }

  /** Follows a log of which records were taken out. */
  compacted(what: Compacted): void {
    this.#overlay.compacted(what)
    this.dead.settle(what.spans, what)
  }

  /** Whether so much has gathered that a flush is due. */
  get flushDue(): boolean {
    return this.#overlay.isFull
  }

  /** Writes all that was applied before the call; calls at the same time share the work. */
  async flush(): Promise<void> {
    await this.#running?.catch(() => undefined)
    if (this.#running) return this.flush()
    if (this.#overlay.isEmpty && !this.dead.dirty && !this.#pages.dirty) return
    this.#running = this.#flush().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #flush(): Promise<void> {
    const overlay = this.#overlay
    this.#overlay = Overlay.upon(overlay.root)
    this.#flushing = overlay
    // As of this turn: what is applied meanwhile belongs to the next batch.
    const pages = new Map([...this.#pages.takeTouched()].map((page) => [page.first, encodePage(page)]))
    const dead = this.dead.takeTouched()
    try {
      await this.#options.whenSynced(overlay.root.seq)
      const note = this.#options.stamp?.(overlay.root.seq)
      await writeBatch(this.#store, this.#env, { overlay, pages, dead, salt: this.#pages.salt, note })
      this.#recent = overlay.entries
      this.#version += 1
      this.#tidy.soon()
    } catch (error) {
      this.#pages.touch(pages.keys())
      this.dead.touch(dead.keys())
      overlay.add(this.#overlay)
      this.#overlay = overlay
      if (error instanceof MynahError) throw error
      throw storageError('the index', 'write', error)
    } finally {
      this.#flushing = undefined
    }
  }

  /** Superseded revisions of a document that have records of their own, the newest first. @throws IndexCorruptError */
  history(id: string, bounds?: HistoryBounds): Promise<HistoryRow[]> {
    return readHistory(this.#store, this.#overlays, id, bounds)
  }

  /** Has the store give back the room of what was deleted or replaced, where it can. @throws StorageError */
  shrink(signal: AbortSignal): Promise<void> {
    return shrinkLevel(this.#store, signal)
  }

  /** Entries in order of the ids' UTF-8 bytes, as they are when the iteration begins. @throws IndexCorruptError */
  async *range(range: IdRange, reverse = false): AsyncGenerator<[string, Entry]> {
    const bounds = boundsOf(range)
    yield* this.sums.checked(this.#scan(bounds, reverse), bounds, reverse)
  }

  /** Ids with several live leaves, in order, as they are when the iteration begins. @throws IndexCorruptError */
  conflicts(): AsyncGenerator<string> {
    return conflictIds(() => mergedConflicts(this.#store, this.#overlays), this)
  }

  /** Count and sum of the ids in a range, with what is not written yet. @throws IndexCorruptError */
  sum(range: IdRange): Promise<RangeSum> {
    return this.sums.sum(boundsOf(range))
  }

  /** The pages that hold a range, in order; the first and the last may reach beyond it. @throws IndexCorruptError */
  pages(range: IdRange): AsyncGenerator<PageSum> {
    return this.sums.pages(boundsOf(range))
  }

  #scan(bounds: Bounds, reverse = false): AsyncGenerator<[string, Entry]> {
    return mergedScan(this.#store, this.#overlays, bounds, reverse)
  }

  /** What the store does not have yet, the older first. */
  get #overlays(): Overlay[] {
    return this.#flushing ? [this.#flushing, this.#overlay] : [this.#overlay]
  }

  /** Newest arrival times of stretches of the log, in its order; of what lies between, and past them, it says nothing. */
  marks(): AsyncGenerator<Mark> {
    return readMarks(this.#store)
  }

  /** A small named text, durable when `setNote` resolves; undefined when there is none, or it is damaged. */
  note(name: string): Promise<string | undefined> {
    return readNote(this.#store, name)
  }

  setNote(name: string, text: string): Promise<void> {
    return writeNote(this.#store, name, text)
  }

  /** Counts and sum computed from every entry, and those kept at the time; cuts pages. @throws IndexCorruptError */
  async recount(signal?: AbortSignal): Promise<{ readonly counted: Root; readonly kept: Root }> {
    await this.sums.tidy(() => signal?.aborted !== true)
    // The scan begins in this turn, so that it sees just what this root and the pages count.
    const kept = this.root
    const rows = this.#scan(boundsOf({}))
    return { counted: await recount(this.#pages, rows, kept, signal), kept }
  }

  async close(): Promise<void> {
    try {
      await this.flush()
    } finally {
      await this.#end()
    }
  }

  /** Closes without writing what has gathered: the log has it. */
  async abandon(): Promise<void> {
    await this.#running?.catch(() => undefined)
    await this.#end()
  }

  async #end(): Promise<void> {
    this.#tidy.close()
    await this.#store.close()
  }
}
