import { LRUCache } from 'lru-cache'
import { compareUtf8 } from '../bytes/compare.js'
import type { Leaf } from '../document/tree.js'
import type { Env } from '../env/env.js'
import { MynahError, storageError } from '../errors.js'
import { checkedValue, parseValue, withChecksum } from './checksum.js'
import { decodeEntry, decodeHistory, type Entry, encodeEntry, encodeHistory } from './entry.js'
import { entryId, entryKey, historyKey, historyRange, historySeq, noteKey, rootKey } from './keys.js'
import type { DerivedStore } from './level.js'
import { type HistoryRow, Overlay } from './overlay.js'
import { type IdRange, inRange, keyBounds } from './range.js'
import { decodeRoot, type EntryChange, emptyRoot, encodeRoot, nextRoot, type Root } from './root.js'

/** What one commit changes in the index. */
export interface IndexCommit {
  readonly changes: readonly EntryChange[]
  /** Leaves that were superseded. */
  readonly superseded: readonly { readonly id: string; readonly leaf: Leaf }[]
  /** The last seq of the commit. */
  readonly seq: number
}

export interface DocumentIndexOptions {
  readonly store: DerivedStore
  readonly env: Env
  readonly cacheBytes: number
  /** Resolves when every record up to `seq` is fsynced, and the store takes writes: only then it gets them. */
  readonly whenSynced: (seq: number) => Promise<void>
  /** A note written with each batch, for the seq that it follows the log to. */
  readonly stamp?: (seq: number) => readonly [name: string, text: string]
}

/** Entries gathered before they are written to the store; a replay after a crash is about as long. */
const FLUSH_ENTRIES = 8_192
/** Operations prepared for one write before others get their turn. */
const SLICE = 512
/** Up to here single look-ups on the event loop cost less than a call to another thread. */
const SYNC_LOOKUPS = 32

/**
 * The index: id → leaves, kept in a `DerivedStore` behind an overlay in RAM. It follows the log and never leads:
 * each batch covers fsynced records only, is written with `sync`, and carries its own watermark.
 */
export class DocumentIndex {
  readonly #store: DerivedStore
  readonly #env: Env
  readonly #whenSynced: (seq: number) => Promise<void>
  readonly #cache: LRUCache<string, Entry>
  readonly #stamp: DocumentIndexOptions['stamp']
  #overlay = new Overlay()
  #flushing: Overlay | undefined
  /** What was flushed last, as the overlay had it: newer than the same in the cache. */
  #recent: ReadonlyMap<string, Entry> = new Map()
  /** Raised by whatever makes a value that was read from the store old. */
  #version = 0
  #running: Promise<void> | undefined

  private constructor(options: DocumentIndexOptions, root: Root) {
    this.#store = options.store
    this.#env = options.env
    this.#stamp = options.stamp
    this.#whenSynced = options.whenSynced
    this.#overlay.root = root
    this.#cache = new LRUCache({
      maxSize: options.cacheBytes,
      sizeCalculation: (entry, id) => 200 + 2 * id.length + 160 * entry.leaves.length,
    })
  }

  /** @throws IndexCorruptError when the root is damaged */
  static async open(options: DocumentIndexOptions): Promise<DocumentIndex> {
    const stored = await options.store.get(rootKey)
    return new DocumentIndex(
      options,
      stored === undefined ? emptyRoot : parseValue(rootKey, stored, decodeRoot),
    )
  }

  /** What the index knows of itself, with what is not written yet. */
  get root(): Root {
    return this.#overlay.root
  }

  /** Not so while the store is being opened again. */
  get #looksUpNow(): boolean {
    // The types do not name this feature yet.
    return (this.#store.supports as { readonly getSync?: boolean }).getSync === true
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

  /**
   * The entry where it is to be had without waiting: in RAM, or by a look-up on the event loop; undefined says nothing.
   * @throws IndexCorruptError
   */
  getNow(id: string): Entry | undefined {
    const known = this.cached(id)
    if (known || !this.#looksUpNow) return known
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

  /** Entries of the ids that have one. @throws IndexCorruptError */
  async lookup(ids: readonly string[]): Promise<Map<string, Entry>> {
    const found = new Map<string, Entry>()
    let missing: string[] = []
    for (const id of ids) {
      const entry = this.cached(id)
      if (entry) found.set(id, entry)
      else missing.push(id)
    }
    while (missing.length > 0) {
      const version = this.#version
      const keys = missing.map(entryKey)
      const values = await this.#read(keys)
      const again: string[] = []
      for (const [i, id] of missing.entries()) {
        // What was applied, or flushed out of the overlay, meanwhile may be newer than what was read.
        if (version !== this.#version) again.push(id)
        else if (values[i] !== undefined) {
          const entry = parseValue(keys[i]!, values[i], decodeEntry)
          this.#cache.set(id, entry)
          found.set(id, entry)
        }
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

  /** Takes a commit whose records are in the log, and flushes in the background when enough has gathered. */
  apply(commit: IndexCommit): void {
    this.#version += 1
    const overlay = this.#overlay
    for (const { id, before, after } of commit.changes) {
      overlay.entries.set(id, after)
      if (before) this.#cache.delete(id)
    }
    for (const { id, leaf } of commit.superseded) overlay.addHistory(id, leaf)
    overlay.root = nextRoot(overlay.root, commit.changes, commit.seq)
  }

  /** Whether so much has gathered that a flush is due. */
  get flushDue(): boolean {
    return this.#overlay.entries.size >= FLUSH_ENTRIES
  }

  /** Writes all that was applied before the call; calls at the same time share the work. */
  async flush(): Promise<void> {
    await this.#running?.catch(() => undefined)
    if (this.#running) return this.flush()
    if (this.#overlay.entries.size === 0) return
    this.#running = this.#flush().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #flush(): Promise<void> {
    const overlay = this.#overlay
    this.#overlay = new Overlay()
    this.#overlay.root = overlay.root
    this.#flushing = overlay
    try {
      await this.#whenSynced(overlay.root.seq)
      await this.#write(overlay)
      this.#recent = overlay.entries
      this.#version += 1
    } catch (error) {
      overlay.add(this.#overlay)
      this.#overlay = overlay
      if (error instanceof MynahError) throw error
      throw storageError('the index', 'write', error)
    } finally {
      this.#flushing = undefined
    }
  }

  async #write(overlay: Overlay): Promise<void> {
    const batch = this.#store.batch()
    let count = 0
    const put = (key: Uint8Array, value: Uint8Array): Promise<void> | undefined => {
      batch.put(key, withChecksum(key, value))
      count += 1
      return count % SLICE === 0 ? this.#env.yield() : undefined
    }
    for (const [id, entry] of overlay.entries) await put(entryKey(id), encodeEntry(entry))
    for (const [id, rows] of overlay.history) {
      for (const { seq, rev, bodySeq } of rows) await put(historyKey(id, seq), encodeHistory(rev, bodySeq))
    }
    const [name, text] = this.#stamp?.(overlay.root.seq) ?? []
    if (name !== undefined) await put(noteKey(name), new TextEncoder().encode(text))
    await put(rootKey, encodeRoot(overlay.root))
    await batch.write({ sync: true } as object)
  }

  /** Superseded revisions of a document that have records of their own, the newest first. @throws IndexCorruptError */
  async history(id: string): Promise<HistoryRow[]> {
    const rows = new Map<number, HistoryRow>()
    const inRam = [this.#flushing?.history.get(id), this.#overlay.history.get(id)].flatMap(
      (some) => some ?? [],
    )
    for await (const [key, value] of this.#store.iterator(historyRange(id))) {
      const seq = historySeq(key)
      rows.set(seq, { seq, ...parseValue(key, value, decodeHistory) })
    }
    for (const row of inRam) rows.set(row.seq, row)
    return [...rows.values()].sort((a, b) => b.seq - a.seq)
  }

  /** Entries in order of the ids' UTF-8 bytes, as they are when the iteration begins. @throws IndexCorruptError */
  async *range(range: IdRange, reverse = false): AsyncGenerator<[string, Entry]> {
    const sign = reverse ? -1 : 1
    // The iterator sees the store as of now, so both must be taken in one turn.
    const newer = new Map([...(this.#flushing?.entries ?? []), ...this.#overlay.entries])
    const iterator = this.#store.iterator({ ...keyBounds(range), reverse })
    const fresh = [...newer.keys()]
      .filter((id) => inRange(id, range))
      .sort((a, b) => sign * compareUtf8(a, b))
    let next = 0
    try {
      for await (const [key, value] of iterator) {
        const id = entryId(key)
        while (next < fresh.length && sign * compareUtf8(fresh[next]!, id) < 0) {
          const earlier = fresh[next++]!
          yield [earlier, newer.get(earlier)!]
        }
        if (fresh[next] === id) {
          next += 1
          yield [id, newer.get(id)!]
        } else yield [id, parseValue(key, value, decodeEntry)]
      }
      for (; next < fresh.length; next++) yield [fresh[next]!, newer.get(fresh[next]!)!]
    } finally {
      await iterator.close()
    }
  }

  /** A small named text, durable when `setNote` resolves; undefined when there is none, or it is damaged. */
  async note(name: string): Promise<string | undefined> {
    const key = noteKey(name)
    const stored = await this.#store.get(key)
    const value = stored && checkedValue(key, stored)
    return value && new TextDecoder().decode(value)
  }

  async setNote(name: string, text: string): Promise<void> {
    const key = noteKey(name)
    await this.#store.put(key, withChecksum(key, new TextEncoder().encode(text)), { sync: true } as object)
  }

  /** Counts and sum computed from every entry, each checked, and those kept at the time. @throws IndexCorruptError */
  async recount(signal?: AbortSignal): Promise<{ readonly counted: Root; readonly kept: Root }> {
    let counted = emptyRoot
    // The iteration begins in this turn, so that it sees just what this root counts.
    const kept = this.root
    for await (const [id, after] of this.range({})) {
      signal?.throwIfAborted()
      counted = nextRoot(counted, [{ id, before: undefined, after }], kept.seq)
    }
    return { counted, kept }
  }

  async close(): Promise<void> {
    try {
      await this.flush()
    } finally {
      await this.#store.close()
    }
  }

  /** Closes without writing what has gathered: the log has it. */
  async abandon(): Promise<void> {
    await this.#running?.catch(() => undefined)
    await this.#store.close()
  }

  async #read(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    if (keys.length > SYNC_LOOKUPS || !this.#looksUpNow) return this.#store.getMany([...keys])
    return keys.map((key) => this.#store.getSync(key))
  }
}
