import type { Fields } from '../codec/value.js'

/**
 * What the log knows, one at each seq.
 *
 * - `revision`: a revision with its body.
 * - `stub`: the same without its body: a leaf that is known and not held.
 *
 * Revs, origins and digests are text: a rev is `generation-digest`, an origin 32 lower-case hex digits.
 */
export interface LogRecord {
  readonly kind: 'revision' | 'stub'
  /** The document. */
  readonly id: string
  readonly rev: string
  /** Ancestors, the parent first, up to and with the first that an earlier record here carries; [] for a root. */
  readonly path: readonly string[]
  readonly deleted: boolean
  /** When it arrived at this replica, by its own clock: milliseconds since 1970 UTC. */
  readonly at: number
  /** The id of the database where it was written: 32 lower-case hex digits. */
  readonly origin: string
  /**
   * Gives the body of a leaf that an earlier record made known, or, as a stub, says that it is held no longer: no change,
   * and no new place in the feed.
   */
  readonly supplies: boolean
  /** The next record belongs to the same transaction. */
  readonly continues: boolean
  /** Only for a foreign rev: `bodyHash` (document/revision.ts) of its body, 32 bytes. Its presence marks the rev as foreign. */
  readonly bodyHash?: Uint8Array
  /** Absent in a stub. A `Uint8Array` is opaque (ciphertext); a tombstone's is usually {}. Borrowed: never changed by anyone. */
  readonly body?: Fields | Uint8Array
}

/** A record and its place in the log. */
export interface Sequenced {
  readonly seq: number
  readonly record: LogRecord
}
