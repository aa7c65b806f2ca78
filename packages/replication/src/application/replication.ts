import type { Env } from '@mynah/core'
import type { Parked } from '@mynah/core/replica'
import type { CopyStatus } from '../mirror/copy-progress.js'
import type { MirrorState } from '../mirror/mirror.js'
import type { Transport } from '../transport/transport.js'
import type { OnConflict } from './conflict-merger.js'

/** How a database is replicated. */
export interface ReplicateOptions {
  /** Added to those remembered, as `http://host:8800/v1/sensors`; a given token replaces the remembered one. */
  readonly mirrors?: readonly (string | { readonly url: string; readonly token?: string })[]
  /** What the index covers: ids that begin with one of these; [] only pushes. Default: as remembered, else everything. */
  readonly scope?: { readonly prefixes: readonly string[] }
  /** Bodies kept: what is written and read here, or all. Default: as remembered, else 'used'; a mirror keeps all. */
  readonly hold?: 'used' | 'all'
  /** Follow the mirror's commits as they come, rather than ask every `intervalMs`. Default true. */
  readonly live?: boolean
  /** Default 60,000. */
  readonly intervalMs?: number
  /**
   * Merges conflicts automatically, as `resolve` does: those that are there, and those that come. What it returns is to
   * follow from the conflict alone, with no clock, chance or device in it: then all replicas come to the same revision.
   * Undefined leaves the conflict as it is. What it throws is told as an `error`, and it is asked again when the document
   * changes.
   */
  readonly onConflict?: OnConflict
  /**
   * Bytes that may travel in an hour, both ways, with what HTTP adds; not remembered. Background work waits for them: a
   * tenth may go at once, the rest comes evenly. Reads, greetings and the mirror's signs of life count, and do not wait;
   * nor is an answer cut off that is longer than was thought. Default: any number.
   */
  readonly maxBytesPerHour?: number
  /**
   * Whether mirrors may be used that a given mirror names: those to which nothing is sent that was not given for their
   * origin, at addresses that such a mirror may name. Default 'off': who gets the documents, the application says.
   */
  readonly discovery?: 'same-token' | 'off'
  /** Default HTTP by undici. Closed with the replication. */
  readonly transport?: Transport
  /** Clock, randomness and timers. Default Node's. */
  readonly env?: Env
}

/** How one mirror stands, now. */
export interface MirrorStatus {
  readonly url: string
  /** The mirror that named this one; undefined where the application gave it. */
  readonly namedBy: string | undefined
  readonly state: MirrorState
  /** Of the last greeting; undefined before the first. */
  readonly latencyMs: number | undefined
  /** In a row, until now. */
  readonly failures: number
  /** Documents written here that the mirror has not acknowledged, each change counted; 0 exactly when there are none. */
  readonly ahead: number
  /** Seqs of the mirror, as far as it told, that are not pulled. Always 0 where nothing is pulled. */
  readonly behind: number
  /** Documents that it refused. */
  readonly rejected: number
  /** How often both sides had nothing new for each other and were found to know different things, which is mended then. */
  readonly mismatches: number
  /** Why it failed last; undefined once it has worked again. */
  readonly error: Error | undefined
}

/** How the replication stands, now: for a line on a screen. */
export interface ReplicationStatus {
  /**
   * `idle`: nothing to do, or no mirror. `active`: connecting, or documents are travelling. `offline`: no mirror is
   * reached. `error`: one is reached, but it, or the database here, fails. `paused`: by `pause()`, or for `maxBytesPerHour`
   * until `resumesAt`.
   */
  readonly state: 'idle' | 'active' | 'offline' | 'paused' | 'error'
  /** The mirror in use; of several the one that answers soonest. */
  readonly mirror: string | undefined
  /** As of the mirror in use, or of the one that is most advanced; a peer without a mirror counts all that was written here. */
  readonly ahead: number
  readonly behind: number
  /** While a first copy is under way, of all or of the scope. */
  readonly progress: CopyStatus | undefined
  /** Bodies that damage took, or that a replica lacks that holds all, and that the mirror did not have either; undefined before it was asked. */
  readonly owed: number | undefined
  /** Bytes of bodies since the replication began, without headers. */
  readonly bytesUp: number
  readonly bytesDown: number
  /** When background work goes on that waits for `maxBytesPerHour`; undefined while none waits. */
  readonly resumesAt: Date | undefined
  /** When a mirror last answered; undefined before the first time. */
  readonly lastContact: Date | undefined
}

/** A document that a mirror refused. It stays here as it is. */
export type Rejection = Parked

/** How many mirrors are waited for, and for how long. */
export interface SyncedOptions {
  /** On how many mirrors, each another database. Default: one, whenever there is one. */
  readonly mirrors?: number
  readonly signal?: AbortSignal
}

/** Why a document is as it is here, as of what is known without asking. */
export interface Explanation {
  /**
   * `refused`: a mirror does not take it. `absent`: nothing is known of it, or it left the scope. `waiting`: it was written here, and no mirror
   * has answered for it. `stale`: a newer revision is known than is held, or nobody has told whether there is one.
   * `current`: the newest that is known is held, or is a deletion. The first of these that is true.
   */
  readonly state: 'current' | 'stale' | 'absent' | 'waiting' | 'refused'
  readonly id: string
  /** Whether the index tells all that there is of it: in the scope, after a first complete exchange; or without a mirror. */
  readonly covered: boolean
  /** When a mirror last confirmed that the index is up to date. */
  readonly asOf: Date | undefined
  /** The winner first; `held`: with its body; `written`: by this database. */
  readonly leaves: readonly {
    readonly rev: string
    readonly deleted: boolean
    readonly held: boolean
    readonly written: boolean
  }[]
  readonly mirrors: readonly MirrorWord[]
}

/** What a mirror has said to a document's newest change: nothing yet, nothing against it, or that it does not take it. */
export type MirrorWord =
  | { readonly url: string; readonly word: 'waiting' | 'answered' }
  | {
      readonly url: string
      readonly word: 'refused'
      readonly rev: string
      readonly code: string
      readonly reason: string
    }

/** What one full round did. */
export interface SyncReport {
  readonly mirror: string
  /** Documents that the mirror acknowledged. */
  readonly pushed: number
  /** Documents that changed here. */
  readonly pulled: number
  readonly rejected: readonly Rejection[]
}

/** What is told as it happens, by the event's name. */
export interface ReplicationEvents {
  readonly status: ReplicationStatus
  /** Documents that travelled: `push`, acknowledged by the mirror; `pull`, new here, by id. */
  readonly change:
    | { readonly direction: 'push'; readonly mirror: string; readonly documents: number }
    | { readonly direction: 'pull'; readonly mirror: string; readonly ids: readonly string[] }
  /** A document that has several live leaves since a pull; `revs` are all of them, in no order. */
  readonly conflict: { readonly id: string; readonly revs: readonly string[] }
  readonly rejected: Rejection
  /**
   * A mirror began to fail, or fails for another reason than before; or sent a record that cannot be taken. Or a conflict,
   * of the document `id`, could not be merged: then no mirror is named ('').
   */
  readonly error: { readonly mirror: string; readonly error: Error; readonly id?: string }
}

/** Replication of one database in the background, until it is closed. */
export interface Replication extends AsyncDisposable {
  /** Remembered, and tried at once where no other mirror is in use. @throws TypeError when it is no mirror's address, or no token */
  addMirror(url: string, options?: { readonly token?: string }): Promise<void>
  /** Forgotten, and not learnt again; what is in flight with it is given up. */
  removeMirror(url: string): Promise<void>
  mirrors(): readonly MirrorStatus[]
  status(): ReplicationStatus
  /**
   * One full round now, also while paused: pushes all, pulls all. Rejects with the last mirror's error when none could be
   * reached.
   */
  sync(options?: { readonly signal?: AbortSignal }): Promise<SyncReport>
  /**
   * Resolves when all that was durable here before the call is durable on a mirror, or on so many, however long that
   * takes. A database counts once, whatever the number of its addresses. A peer works with so many mirrors while somebody
   * waits for them, and a little longer.
   * @throws RejectedError when one of the mirrors that answered for it all refused documents that are neither dropped nor
   *   accepted since, unless enough others took all
   * @throws MirrorsTooFewError when fewer mirrors are known than are asked for, as soon as that is clear; without a
   *   number it waits for a first mirror to be added
   * @throws ClosedError when the replication is closed before
   */
  synced(options?: SyncedOptions): Promise<void>
  /** Why this document is current, stale, absent, waiting or refused. Asks nobody. @throws DocumentInvalidError for what is no id */
  explain(id: string): Promise<Explanation>
  /** What mirrors refused: an inbox, emptied by `retry`, `drop`, and newer revisions that are accepted. */
  rejected(): AsyncIterable<Rejection>
  /** Sends the document again now. @throws RejectedError when it is refused again, MirrorUnreachableError */
  retry(id: string): Promise<void>
  /** Takes the document out of the inbox; nothing else changes. */
  drop(id: string): Promise<void>
  /** Ends what is in flight and begins nothing new, but for `sync`. */
  pause(): void
  resume(): void
  /** Calls on each event; returns the way to stop. What a listener throws is thrown outside of the replication. */
  on<E extends keyof ReplicationEvents>(event: E, listener: (value: ReplicationEvents[E]) => void): () => void
  /** Ends what is in flight, waits for what is being merged, and stores how far it came. Idempotent. */
  close(): Promise<void>
}
