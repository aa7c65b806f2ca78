import type { Documents } from './documents.js'
import type { Stats } from './stats.js'
import type { VerifyOptions, VerifyReport } from './verify.js'

/** An open database: what a mirror over HTTP offers too, and what only the holder of the files can do. */
export interface Database extends Documents, AsyncDisposable {
  /** Random, made once: 32 lower-case hex digits. */
  readonly id: string
  readonly mode: 'peer' | 'mirror'
  /** Remembered. */
  setMode(mode: 'peer' | 'mirror'): Promise<void>
  /**
   * On a peer: drops the bodies of these documents' leaves that a mirror, asked now, names as durably held, and gives how
   * many it dropped. The documents stay known, and are fetched again when they are read; nothing of it replicates. What is
   * pinned, not pushed yet, or that the mirror lacks stays.
   * @throws HoldsAllError on a mirror, or with `hold: 'all'`
   * @throws UnconfirmedError when no mirror could be asked: there is none, none answers, replication does not run
   */
  evict(ids: Iterable<string>): Promise<number>
  /** Compresses all that is not yet in shards. Sealing goes on by itself in the background; this finishes it. */
  seal(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Reads and checks every byte. With `repair`, an index that does not agree is rebuilt from the log. */
  verify(options?: VerifyOptions): Promise<VerifyReport>
  stats(): Promise<Stats>
}
