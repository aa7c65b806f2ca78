/**
 * The small file-like port under the log. Names are flat, `[a-z0-9.-]{1,64}`, made by the log, never from outside.
 * Every method rejects with `StorageError` (`operation` and `file` filled in) when the medium refuses.
 */
export interface Storage {
  /** What to call this place in errors. */
  readonly location: string
  /**
   * Takes the place for this process until `release`.
   * @throws LockedError at once when somebody else has it. A dead owner never blocks.
   */
  lock(): Promise<StorageLock>
  /** Names and lengths in bytes of the files, in no order. */
  list(): Promise<readonly StoredFile[]>
  /**
   * Adds `bytes` at the end, creating the file when `expectedLength` is 0.
   * Not durable before `sync`. Rejects when the file's length is not `expectedLength`, leaving it as it was.
   * On failure any part of `bytes` may have been written.
   */
  append(name: string, expectedLength: number, bytes: Uint8Array): Promise<void>
  /**
   * `append` and `sync` in one, where that is faster: for a file of which all is durable already. On failure any part of
   * `bytes` may have been written.
   */
  appendDurably?(name: string, expectedLength: number, bytes: Uint8Array): Promise<void>
  /** Up to `length` bytes from `offset`; fewer only at the end of the file. */
  read(name: string, offset: number, length: number): Promise<Uint8Array>
  /** Makes all that was appended durable, and the file's name in its directory. */
  sync(name: string): Promise<void>
  /** Puts `bytes` in the place of the whole file, atomically and durably. */
  replace(name: string, bytes: Uint8Array): Promise<void>
  /** Removes the file when it is there; durable at the next `replace` or first `sync` of a new file, or never: harmless. */
  remove(name: string): Promise<void>
  /** Releases file handles. */
  close(): Promise<void>
}

/** Held until it is released, or its process ends. */
export interface StorageLock {
  release(): Promise<void>
}

/** A file of the storage, as `list` tells it. */
export interface StoredFile {
  readonly name: string
  readonly length: number
}
