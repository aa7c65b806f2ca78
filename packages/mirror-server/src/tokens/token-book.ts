import { createHash, timingSafeEqual } from 'node:crypto'
import type { Env, Timer } from '@mynah/core'
import { everything, type Grant, idsOf, type Right, rights } from './grant.js'
import type { StoredToken } from './token-file.js'
import type { TokenStore } from './token-store.js'

/** How often it is looked which tokens there are, milliseconds. */
const LOOK_MS = 2_000
/** A store that cannot be read for so long opens nothing until it can: any of its tokens may have been revoked. */
const UNREAD_MS = 20_000

/** A token that is told at the start, and kept nowhere. */
export interface GivenToken {
  /** Its text: printable ASCII without spaces. It should be long and random. */
  readonly token: string
  /** Names of databases, in which `*` stands for any text. Default: all. */
  readonly databases?: readonly string[]
  /** Default: everything. */
  readonly can?: readonly Right[]
  /** Ids begin with one of these. Default: all. */
  readonly prefixes?: readonly string[]
}

/** Where tokens come from. */
export interface TokenBookOptions {
  readonly store: TokenStore
  /** Those that are good as long as the process lives, besides the tokens of the store. */
  readonly given: readonly GivenToken[]
  readonly env: Env
  /** Hears of a token that cannot be read, and of a store that cannot; of each once. */
  readonly onFault: (error: Error) => void
}

interface Entry {
  readonly token: StoredToken
  readonly grant: Grant
}

/**
 * The tokens that are good now: what the store has, looked at again and again. Once there was a token, one is needed, as
 * long as the process lives: what cannot be read, or is gone, opens nothing.
 */
export class TokenBook {
  readonly #options: TokenBookOptions
  readonly #given: readonly { readonly digest: Uint8Array; readonly grant: Grant }[]
  readonly #faults = new Set<string>()
  readonly #listeners = new Set<() => void>()
  #entries: ReadonlyMap<string, Entry> = new Map()
  #guarded: boolean
  #timer: Timer | undefined
  #looking: Promise<void> = Promise.resolve()
  #stopped = false
  #readMs = 0

  /** @throws TypeError for a given token that is none */
  constructor(options: TokenBookOptions) {
    this.#options = options
    this.#given = options.given.map(({ token, databases = ['*'], can = rights, prefixes = [] }) => {
      if (!/^[\x21-\x7e]+$/.test(token)) throw new TypeError('A token is printable ASCII, and not empty')
      return { digest: digest(token), grant: { id: undefined, databases, can, ids: idsOf(prefixes) } }
    })
    this.#guarded = this.#given.length > 0
  }

  /** Whether a token is needed. */
  get guarded(): boolean {
    return this.#guarded
  }

  /** Reads the store, and goes on looking at it. @throws what reading the folder throws */
  async start(): Promise<void> {
    await this.#load()
    this.#later()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#looking
  }

  /** What the token may; undefined where it is none that is good now. */
  grantOf(text: string): Grant | undefined {
    const given = digest(text)
    const told = this.#given.find((one) => timingSafeEqual(given, one.digest))
    if (told !== undefined) return told.grant
    const id = /^mynah_([0-9a-f]{16})_/.exec(text)?.[1]
    const entry = id === undefined ? undefined : this.#entries.get(id)
    // An id is no secret: whether it is known may show in the time that this takes.
    if (entry === undefined || !timingSafeEqual(given, Buffer.from(entry.token.hash, 'hex'))) return undefined
    return this.isGood(entry.grant) ? entry.grant : undefined
  }

  /** Whether the grant is still what its token may. */
  isGood(grant: Grant): boolean {
    if (grant === everything) return !this.#guarded
    if (grant.id === undefined) return true
    const entry = this.#entries.get(grant.id)
    if (entry?.grant !== grant) return false
    return (entry.token.expiresMs ?? Number.POSITIVE_INFINITY) > this.#options.env.now()
  }

  /** Calls after each look, as tokens go also by the time. */
  onLook(listener: () => void): void {
    this.#listeners.add(listener)
  }

  #later(): void {
    if (this.#stopped) return
    this.#timer = this.#options.env.setTimer(() => {
      this.#looking = this.#load()
        .catch((error: unknown) => this.#unread(error))
        .then(() => this.#later())
    }, LOOK_MS)
  }

  async #load(): Promise<void> {
    const { store } = this.#options
    const ids = await store.ids()
    const entries = new Map<string, Entry>()
    for (const id of ids ?? []) {
      // A token's file is never changed.
      const entry = this.#entries.get(id) ?? (await this.#read(id))
      if (entry !== undefined) entries.set(id, entry)
    }
    if (ids !== undefined) this.#guarded = true
    this.#readMs = this.#options.env.monotonicMs()
    this.#faults.delete('store')
    this.#found(entries)
  }

  #unread(error: unknown): void {
    this.#fault('store', error)
    const isShort = this.#options.env.monotonicMs() - this.#readMs < UNREAD_MS
    this.#found(isShort ? this.#entries : new Map())
  }

  #found(entries: ReadonlyMap<string, Entry>): void {
    this.#entries = entries
    for (const listener of this.#listeners) listener()
  }

  async #read(id: string): Promise<Entry | undefined> {
    try {
      const token = await this.#options.store.read(id)
      if (token === undefined) return undefined
      const { databases, can, prefixes } = token
      return { token, grant: { id, databases, can, ids: idsOf(prefixes) } }
    } catch (error) {
      this.#fault(id, error)
      return undefined
    }
  }

  #fault(about: string, error: unknown): void {
    if (this.#faults.has(about)) return
    this.#faults.add(about)
    this.#options.onFault(error instanceof Error ? error : new Error(String(error)))
  }
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}
