import type { Value } from '../codec/value.js'
import type { MynahError } from '../errors.js'

type Maybe<T> = T | Promise<T>

/** A document of no particular type: any members, and an id and a rev where it was stored. */
export interface Document {
  readonly id?: string
  readonly rev?: string
  readonly [member: string]: Value | undefined
}

/** `T` where all its members can be stored; functions, symbols, Maps and Sets become `never`. */
export type Storable<T> = T extends Value | undefined
  ? T
  : T extends (...args: never[]) => unknown
    ? never
    : T extends symbol | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
      ? never
      : T extends object
        ? { [K in keyof T]: Storable<T[K]> }
        : never

/** What a write takes. */
export type Input<T> = Storable<T> & { readonly id?: string; readonly rev?: string }

/** What a write and a read give. */
export type Stored<T = Document> = T & { readonly id: string; readonly rev: string }

/** One revision of a document, by name. */
export interface Ref {
  readonly id: string
  readonly rev: string
}

/** Returned from an `update` to delete the document. */
export const REMOVE: unique symbol = Symbol('mynah.remove')

/** How a write goes. */
export interface PutOptions {
  /** Replaces whatever is current, without naming its rev. */
  readonly overwrite?: boolean
  /** What is still waiting when it fires is not written; what is being written is. */
  readonly signal?: AbortSignal
}

/** What became of one of many writes. */
export type Outcome<T> =
  | { readonly ok: true; readonly doc: Stored<T> }
  | { readonly ok: false; readonly error: MynahError }

/** What a read may give, and how long it may take. */
export interface ReadOptions {
  /** This revision, rather than the winner; also one that was superseded, as long as it is held. */
  readonly rev?: string
  /** `local` never touches the network; `index` (the default) fetches what is known and not held; `mirror` asks first. */
  readonly freshness?: 'local' | 'index' | 'mirror'
  /** How long to wait for a mirror, milliseconds; then the newest body held. Default 2,000. */
  readonly waitMs?: number
  /** Rather throw `StaleError` than return what may be stale. Default false. */
  readonly strict?: boolean
  readonly signal?: AbortSignal
}

/** A document, and what is known of how current it is. */
export interface Read<T = Document> {
  readonly doc?: Stored<T>
  /** By the index it is the winner, and the index covers it. */
  readonly current: boolean
  /** As of when the index spoke: now for a mirror, else the last contact with one; undefined before the first. */
  readonly asOf: Date | undefined
  /** Of the revision that was read: it is a deletion. */
  readonly deleted: boolean
  /** Revs of the other live leaves. */
  readonly conflicts: readonly string[]
  readonly from: 'local' | 'mirror'
}

/** One revision of a document, as `history` tells it. */
export interface Version<T = Document> {
  readonly rev: string
  /** Where it became known here. */
  readonly seq: number
  /** When it arrived at this replica, by its own clock. */
  readonly at: Date
  readonly deleted: boolean
  /** Where it is held, and not a deletion. */
  readonly doc?: Stored<T>
}

/** A place in the history of this replica: after a seq, or after all that had arrived by a time. */
export type Moment = { readonly seq: number } | { readonly time: Date }

/**
 * What this replica knew at a moment. It holds nothing open. Documents are given as they stood among the revisions that
 * were known, the winner where there were several; a body that came later, or is fetched now, is that revision's all the
 * same.
 */
export interface Snapshot {
  /** The last seq that counts. Transactions are not cut: where one was named within, its last. */
  readonly seq: number
  /** @throws HistoryGoneError, RecordLostError, UnreachableError */
  get<T extends object = Document>(
    id: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Stored<T> | undefined>
  /** @throws HistoryGoneError, RecordLostError, UnreachableError */
  getMany<T extends object = Document>(
    ids: Iterable<string>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<(Stored<T> | undefined)[]>
}

/** A range of ids, in order of their UTF-8 bytes. */
export interface ListOptions {
  readonly prefix?: string
  readonly gt?: string
  readonly gte?: string
  readonly lt?: string
  readonly lte?: string
  readonly reverse?: boolean
  readonly limit?: number
  /** `skip` (the default) leaves out documents that are known and not held; `fetch` gets them. */
  readonly missing?: 'skip' | 'fetch'
  readonly signal?: AbortSignal
}

/** Which changes, and from where on. */
export interface ChangesOptions {
  /** Exclusive: a change's cursor, or 'now'. Default: the beginning. */
  readonly since?: string
  /** Goes on for ever, as changes come. Default false. */
  readonly live?: boolean
  /** With the documents, where held. Default false. */
  readonly documents?: boolean
  readonly prefix?: string
  readonly limit?: number
  readonly signal?: AbortSignal
}

/** A document's newest change; an earlier one of the same document is not told again. */
export interface Change<T = Document> {
  /** Where to go on from: opaque. */
  readonly cursor: string
  readonly seq: number
  readonly id: string
  /** The winner's. */
  readonly rev: string
  readonly deleted: boolean
  /** Revs of the other live leaves. */
  readonly conflicts: readonly string[]
  readonly doc?: Stored<T>
}

/** The same for an open database and, over HTTP, for a mirror. */
export interface Documents {
  /**
   * Stores a document and gives a copy with its id and rev. Without an id it gets a UUIDv7; without a rev it must be new.
   * Durable when resolved, unless the database is `relaxed`.
   * @throws DocumentInvalidError, ConflictError, StorageError
   */
  put<T extends object>(doc: T & Input<T>, options?: PutOptions): Promise<Stored<T>>
  /** One outcome for each document, in order; those that fail do not hinder the others. */
  putMany<T extends object>(docs: Iterable<T & Input<T>>, options?: PutOptions): Promise<Outcome<T>[]>
  /**
   * Reads, changes and writes, again when somebody else was faster. `change` gets a frozen document, or undefined where
   * there is none; it returns the new one, `REMOVE` to delete it, or undefined to leave all as it is.
   */
  update<T extends object = Document>(
    id: string,
    change: (doc: Readonly<Stored<T>> | undefined) => Maybe<Input<T> | typeof REMOVE | undefined>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Stored<T> | undefined>
  /** By id whatever is current; by ref only that revision. Gives the tombstone, or undefined when there was nothing. */
  delete(target: string | Ref): Promise<Ref | undefined>
  get<T extends object = Document>(id: string, options?: ReadOptions): Promise<Stored<T> | undefined>
  read<T extends object = Document>(id: string, options?: ReadOptions): Promise<Read<T>>
  getMany<T extends object = Document>(
    ids: Iterable<string>,
    options?: ReadOptions,
  ): Promise<(Stored<T> | undefined)[]>
  /** By id, in order of UTF-8 bytes: the documents as they were when the iteration began, or newer. */
  list<T extends object = Document>(range?: ListOptions): AsyncIterable<Stored<T>>
  /** Live documents known. Costs nothing. */
  count(): Promise<number>
  changes<T extends object = Document>(options?: ChangesOptions): AsyncIterable<Change<T>>
  close(): Promise<void>
}
