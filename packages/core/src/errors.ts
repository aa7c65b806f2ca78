/**
 * What goes wrong at run time, one class for each cause. The `code` is the promise that callers, tests and the
 * wire branch on; the message is for people. `docs/errors.md` has a heading for each code, and a test compares.
 */
export abstract class MynahError extends Error {
  /** Whether trying the same again later may succeed. */
  readonly retryable: boolean = false

  constructor(
    readonly code: `MYNAH_${string}`,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** A document, id or value that cannot be stored: the wrong shape, type, size or depth. Nothing was changed. */
export class DocumentInvalidError extends MynahError {
  override readonly name = 'DocumentInvalidError'
  constructor(
    /** Where in the document, as in `readings[3].value`; '' for the document itself. */
    readonly path: string,
    readonly detail: string,
  ) {
    super(
      'MYNAH_DOCUMENT_INVALID',
      path === '' ? `Invalid document: ${detail}` : `Invalid document at ${path}: ${detail}`,
    )
  }
}

/** A write named a revision that is not a live leaf of its document (or none, where one is). Read again, then write. */
export class ConflictError extends MynahError {
  override readonly name = 'ConflictError'
  constructor(
    readonly id: string,
    /** The winning revision now; undefined when the document does not exist. */
    readonly rev: string | undefined,
  ) {
    super(
      'MYNAH_CONFLICT',
      rev === undefined ? `${id} does not exist in that revision` : `${id} is at revision ${rev} now`,
    )
  }
}

/** A transaction writes more than one group of the log and one push take. Nothing was changed by the write that said so. */
export class TransactionTooLargeError extends MynahError {
  override readonly name = 'TransactionTooLargeError'
  constructor(readonly detail: string) {
    super('MYNAH_TRANSACTION_TOO_LARGE', `The transaction is too large: ${detail}`)
  }
}

/** A transaction was used after its function had returned: this did nothing. */
export class TransactionOverError extends MynahError {
  override readonly name = 'TransactionOverError'
  constructor() {
    super('MYNAH_TRANSACTION_OVER', 'The transaction is over')
  }
}

/** The document is known, but neither held here nor to be had: no mirror answered. */
export class UnreachableError extends MynahError {
  override readonly name = 'UnreachableError'
  override readonly retryable = true
  constructor(
    readonly id: string,
    options?: ErrorOptions,
  ) {
    super('MYNAH_UNREACHABLE', `${id} is not held here and no mirror answered`, options)
  }
}

/** Bodies were to be dropped here and no mirror could be asked whether it holds them: they are kept. */
export class UnconfirmedError extends MynahError {
  override readonly name = 'UnconfirmedError'
  override readonly retryable = true
  constructor(
    /** Bodies of the same call that were dropped before. */
    readonly evicted: number,
    options?: ErrorOptions,
  ) {
    super('MYNAH_UNCONFIRMED', 'No mirror could be asked what it holds: the bodies are kept here', options)
  }
}

/** Bodies were to be dropped where all are to be held: on a mirror, or on a peer with `hold: 'all'`. */
export class HoldsAllError extends MynahError {
  override readonly name = 'HoldsAllError'
  constructor() {
    super(
      'MYNAH_HOLDS_ALL',
      'This database is to hold every body: it is a mirror, or replicates with hold "all"',
    )
  }
}

/** More ids were to be pinned than a database keeps. None of this call was. */
export class PinsFullError extends MynahError {
  override readonly name = 'PinsFullError'
  constructor(readonly limit: number) {
    super('MYNAH_PINS_FULL', `A database keeps at most ${limit} pins`)
  }
}

/** `strict` was asked for and only a copy that may be stale is to be had. */
export class StaleError extends MynahError {
  override readonly name = 'StaleError'
  override readonly retryable = true
  constructor(
    readonly id: string,
    options?: ErrorOptions,
  ) {
    super('MYNAH_STALE', `${id} is held, but perhaps not in its current revision`, options)
  }
}

/** A cursor of another database, or of a history that this one no longer has. Start again from the beginning. */
export class CursorLostError extends MynahError {
  override readonly name = 'CursorLostError'
  constructor(readonly cursor: string) {
    super(
      'MYNAH_CURSOR_LOST',
      `The cursor ${JSON.stringify(cursor)} does not belong to this database's history`,
    )
  }
}

/** The database was closed, before the call or while it ran. */
export class ClosedError extends MynahError {
  override readonly name = 'ClosedError'
  constructor() {
    super('MYNAH_CLOSED', 'The database is closed')
  }
}

/** A write was asked of a database that was opened with `readOnly`. */
export class ReadOnlyError extends MynahError {
  override readonly name = 'ReadOnlyError'
  constructor() {
    super('MYNAH_READ_ONLY', 'The database was opened read-only')
  }
}

/** Another process, or this one, has the database open. */
export class LockedError extends MynahError {
  override readonly name = 'LockedError'
  override readonly retryable = true
  constructor(
    readonly location: string,
    options?: ErrorOptions,
  ) {
    super('MYNAH_LOCKED', `${location} is open already`, options)
  }
}

/** `createIfMissing` is false and there is no database. */
export class NotFoundError extends MynahError {
  override readonly name = 'NotFoundError'
  constructor(readonly location: string) {
    super('MYNAH_NOT_FOUND', `There is no database at ${location}`)
  }
}

/** The files are of a newer format than this version of Mynah reads. */
export class FormatUnknownError extends MynahError {
  override readonly name = 'FormatUnknownError'
  constructor(
    readonly file: string,
    readonly version: number,
    readonly newest: number,
  ) {
    super(
      'MYNAH_FORMAT_UNKNOWN',
      `${file} has format ${version}; this version of Mynah reads up to ${newest}`,
    )
  }
}

/** The folder holds data, but what names it is missing or damaged in every copy. Never taken for an empty database. */
export class ManifestCorruptError extends MynahError {
  override readonly name = 'ManifestCorruptError'
  constructor(detail: string, options?: ErrorOptions) {
    super('MYNAH_MANIFEST_CORRUPT', `The manifest is corrupt: ${detail}`, options)
  }
}

/** The bytes of a shard do not match its header. Never retried against the same source. */
export class ShardCorruptError extends MynahError {
  override readonly name = 'ShardCorruptError'
  constructor(
    /** First seq of the shard; 0 where it came without one. */
    readonly firstSeq: number,
    readonly detail: string,
    options?: ErrorOptions,
  ) {
    super('MYNAH_SHARD_CORRUPT', `Shard at seq ${firstSeq} is corrupt: ${detail}`, options)
  }
}

/** The record at this seq was lost to damage on disk. */
export class RecordLostError extends MynahError {
  override readonly name = 'RecordLostError'
  /** The document, where it was asked for by its id. */
  readonly id: string | undefined
  constructor(
    readonly seq: number,
    options: ErrorOptions & { readonly id?: string } = {},
  ) {
    const { id, ...rest } = options
    const of = id === undefined ? '' : ` of ${JSON.stringify(id)}`
    super('MYNAH_RECORD_LOST', `The record${of} at seq ${seq} was lost to damage on disk`, rest)
    this.id = id
  }
}

/** What was asked for stood here once, and compaction dropped it since. */
export class HistoryGoneError extends MynahError {
  override readonly name = 'HistoryGoneError'
  constructor(
    /** From this seq on the history is whole. */
    readonly since: number,
  ) {
    super('MYNAH_HISTORY_GONE', `The history before seq ${since} was dropped by compaction`)
  }
}

/** The disk refused: full, failing, or taken away. What was acknowledged before is safe; this write was not taken. */
export class StorageError extends MynahError {
  override readonly name: string = 'StorageError'
  override readonly retryable = true
  constructor(
    readonly file: string,
    readonly operation: string,
    options?: ErrorOptions & { readonly code?: 'MYNAH_DISK_FULL' },
  ) {
    const cause = options?.cause instanceof Error ? `: ${options.cause.message}` : ''
    super(options?.code ?? 'MYNAH_STORAGE', `Could not ${operation} ${file}${cause}`, options)
  }
}

/** The disk is full, or what this user may use of it. Writes go on by themselves when there is room again. */
export class DiskFullError extends StorageError {
  override readonly name = 'DiskFullError'
  constructor(file: string, operation: string, options?: ErrorOptions) {
    super(file, operation, { ...options, code: 'MYNAH_DISK_FULL' })
  }
}

/** What the system, or LevelDB, says of a full disk. */
const FULL = /no space left on device|disk quota exceeded|not enough space on the disk/i

/** The error for what the medium refused, by its cause. */
export function storageError(file: string, operation: string, cause: unknown): StorageError {
  for (let at: unknown = cause; at instanceof Error; at = at.cause) {
    const code = 'code' in at ? at.code : undefined
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'MYNAH_DISK_FULL' || FULL.test(at.message))
      return new DiskFullError(file, operation, { cause })
  }
  return new StorageError(file, operation, { cause })
}

/** A received revision whose digest, path or body does not fit, or that its sender may not write. Never retried. */
export class RevisionRefusedError extends MynahError {
  override readonly name = 'RevisionRefusedError'
  constructor(
    readonly id: string,
    readonly rev: string,
    readonly detail: string,
  ) {
    super('MYNAH_REVISION_REFUSED', `Revision ${rev} of ${JSON.stringify(id)} is refused: ${detail}`)
  }
}

/** The index does not hold together. It is being rebuilt from the log, unless the database was opened read-only. */
export class IndexCorruptError extends MynahError {
  override readonly name = 'IndexCorruptError'
  override readonly retryable = true
  constructor(
    readonly detail: string,
    options?: ErrorOptions,
  ) {
    super('MYNAH_INDEX_CORRUPT', `The index is corrupt: ${detail}`, options)
  }
}
