import type { Env } from '../env/env.js'
import type { DocumentIndex } from '../index/document-index.js'
import type { IndexCommit } from '../index/index-commit.js'
import type { Log } from '../log/log.js'
import type { Manifest } from '../log/manifest.js'
import type { LogRecord } from '../log/record.js'
import type { Harmed } from './harmed.js'
import type { Pins } from './pins.js'
import type { BodySource } from './replica.js'

/** Keeps what is held within the budget. */
export interface HeldWatch {
  /** Bytes of bodies that are held; undefined until they are counted. */
  readonly bytes: number | undefined
  /** Why that is more than the budget: nothing that is left may go, or no mirror could be asked. */
  readonly over: 'kept' | 'unreachable' | undefined
  /** A document was read. */
  used(id: string): void
  /** The index followed the records of a commit, in this turn. */
  applied(commit: IndexCommit, records: readonly LogRecord[]): void
}

/** What the parts of one open database share. */
export interface Context {
  readonly env: Env
  readonly manifest: Manifest
  readonly log: Log
  /** Replaced when it is rebuilt. */
  index: DocumentIndex
  /** The database's id: the origin of what is written here. */
  readonly origin: string
  readonly readOnly: boolean
  /** Whether a put is acknowledged only when fsynced. */
  readonly sync: boolean
  mode: 'peer' | 'mirror'
  /** Called when the mode has changed. */
  readonly onMode: Set<() => void>
  /** Who fetches bodies that are known and not held; set by replication. */
  source: BodySource | undefined
  readonly pins: Pins
  /** Of which documents damage took records since the database was opened. */
  readonly harmed: Harmed[]
  /** Bytes that held bodies may take; undefined for any. */
  readonly heldBytes: number | undefined
  /** Undefined without a budget. */
  budget: HeldWatch | undefined
  /** Up to which seq all bodies below these prefixes were found held, where they are to be. */
  allHeld: { readonly prefixes: readonly string[]; readonly seq: number } | undefined
  /** Set when the database begins to close. */
  closing: boolean
}
