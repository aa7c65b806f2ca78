import type { Fields } from '../codec/value.js'
import type { LogRecord } from './record.js'

/** What is worked out only when it is asked for. */
export interface RecordParts {
  rev(index: number, record: LogRecord): string
  bodyHash(index: number, record: LogRecord): Uint8Array
  body(index: number): Fields | Uint8Array
}

/** What is worked out at once. */
export interface RecordHead
  extends Pick<LogRecord, 'kind' | 'id' | 'path' | 'deleted' | 'at' | 'origin' | 'supplies' | 'continues'> {
  /** Whether the rev is foreign. */
  readonly foreign: boolean
}

/**
 * A record whose rev, body hash and body are worked out when they are first asked for, and kept. They are the object's
 * own enumerable properties all the same, so that it can be spread and compared like a plain one.
 */
export class LazyRecord implements LogRecord {
  readonly kind: LogRecord['kind']
  readonly id: string
  declare readonly rev: string
  readonly path: readonly string[]
  readonly deleted: boolean
  readonly at: number
  readonly origin: string
  readonly supplies: boolean
  readonly continues: boolean
  declare readonly bodyHash?: Uint8Array
  declare readonly body?: Fields | Uint8Array
  readonly #parts: RecordParts
  readonly #index: number
  #rev: string | undefined
  #bodyHash: Uint8Array | undefined
  #body: Fields | Uint8Array | undefined

  // One descriptor each for all records: accessors of their own would cost five times as much.
  static readonly #REV: PropertyDescriptor & ThisType<LazyRecord> = {
    enumerable: true,
    get() {
      this.#rev ??= this.#parts.rev(this.#index, this)
      return this.#rev
    },
  }
  static readonly #BODY_HASH: PropertyDescriptor & ThisType<LazyRecord> = {
    enumerable: true,
    get() {
      this.#bodyHash ??= this.#parts.bodyHash(this.#index, this)
      return this.#bodyHash
    },
  }
  static readonly #BODY: PropertyDescriptor & ThisType<LazyRecord> = {
    enumerable: true,
    get() {
      this.#body ??= this.#parts.body(this.#index)
      return this.#body
    },
  }

  constructor(head: RecordHead, parts: RecordParts, index: number) {
    this.kind = head.kind
    this.id = head.id
    this.path = head.path
    this.deleted = head.deleted
    this.at = head.at
    this.origin = head.origin
    this.supplies = head.supplies
    this.continues = head.continues
    this.#parts = parts
    this.#index = index
    Object.defineProperty(this, 'rev', LazyRecord.#REV)
    if (head.foreign) Object.defineProperty(this, 'bodyHash', LazyRecord.#BODY_HASH)
    if (head.kind === 'revision') Object.defineProperty(this, 'body', LazyRecord.#BODY)
  }
}
