import { linkSync, mkdirSync, readdirSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Storage, StorageLock, StoredFile } from '@mynah/core'

/** What has become durable. Told before the call that made it so returns to the database. */
export type DurableNews =
  /** The file, up to `length`, and its name. */
  | { readonly kind: 'durable'; readonly name: string; readonly length: number }
  /** The names of files in the folder; nothing of what is in them. */
  | { readonly kind: 'named'; readonly names: readonly string[] }
  /** Nothing yet, but from now on the file is either as it was or wholly new. */
  | { readonly kind: 'replacing'; readonly name: string }

/**
 * Storage on a real folder that keeps account of what a power cut would leave. It tells what becomes durable, and keeps
 * a hard link of every file that is replaced or removed until that is durable too: what stands in `kept` is what a cut
 * may bring back.
 *
 * It takes the port at its word: `sync` makes the file's bytes as of the call durable, and, the first time, all names in
 * the folder as of the call; `replace` makes its own file durable, and all names.
 */
export class PowerCutStorage implements Storage {
  readonly location: string
  readonly #inner: Storage
  readonly #kept: string
  readonly #tell: (news: DurableNews) => void
  readonly #named = new Set<string>()
  /** Of kept links: what was done to the file itself is done. */
  readonly #done = new Set<string>()
  #links = 0

  /** @param kept a folder on the same disk; what an earlier process left there still counts */
  constructor(inner: Storage, kept: string, tell: (news: DurableNews) => void) {
    this.#inner = inner
    this.location = inner.location
    this.#kept = kept
    this.#tell = tell
    mkdirSync(kept, { recursive: true })
    for (const link of readdirSync(kept)) this.#done.add(link)
  }

  lock(): Promise<StorageLock> {
    return this.#inner.lock()
  }

  list(): Promise<readonly StoredFile[]> {
    return this.#inner.list()
  }

  append(name: string, expectedLength: number, bytes: Uint8Array): Promise<void> {
    return this.#inner.append(name, expectedLength, bytes)
  }

  read(name: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#inner.read(name, offset, length)
  }

  async sync(name: string): Promise<void> {
    const length = statSync(join(this.location, name)).size
    const told = this.#named.has(name) ? undefined : this.#names()
    await this.#inner.sync(name)
    this.#named.add(name)
    this.#tell({ kind: 'durable', name, length })
    told?.()
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    const link = this.#keep(name)
    const told = this.#names()
    this.#tell({ kind: 'replacing', name })
    await this.#inner.replace(name, bytes)
    this.#named.add(name)
    this.#tell({ kind: 'durable', name, length: bytes.length })
    if (link !== undefined) unlinkSync(join(this.#kept, link))
    told()
  }

  async remove(name: string): Promise<void> {
    const link = this.#keep(name)
    await this.#inner.remove(name)
    this.#named.delete(name)
    if (link !== undefined) this.#done.add(link)
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  /** Links the file as it is; undefined when it is not there. */
  #keep(name: string): string | undefined {
    const link = keptName(`${process.pid}-${++this.#links}`, name)
    try {
      linkSync(join(this.location, name), join(this.#kept, link))
      return link
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** What is in the folder now; to be called when the folder has been synced. */
  #names(): () => void {
    const names = readdirSync(this.location, { withFileTypes: true }).flatMap((entry) =>
      entry.isFile() ? [entry.name] : [],
    )
    const links = [...this.#done]
    return () => {
      this.#tell({ kind: 'named', names })
      for (const link of links) if (this.#done.delete(link)) unlinkSync(join(this.#kept, link))
    }
  }
}

function keptName(unique: string, name: string): string {
  return `${unique}~${name}`
}

/** The file that a kept link was. */
export function nameOfKept(link: string): string {
  return link.slice(link.indexOf('~') + 1)
}

/** A storage that lies about `sync`: the planted fault that an audit of power cuts must find. */
export function withoutSync(inner: Storage): Storage {
  return {
    location: inner.location,
    lock: () => inner.lock(),
    list: () => inner.list(),
    append: (name, expectedLength, bytes) => inner.append(name, expectedLength, bytes),
    read: (name, offset, length) => inner.read(name, offset, length),
    sync: async () => undefined,
    replace: (name, bytes) => inner.replace(name, bytes),
    remove: (name) => inner.remove(name),
    close: () => inner.close(),
  }
}
