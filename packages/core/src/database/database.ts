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
  /** Compresses all that is not yet in shards. Sealing goes on by itself in the background; this finishes it. */
  seal(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Reads and checks every byte. With `repair`, an index that does not agree is rebuilt from the log. */
  verify(options?: VerifyOptions): Promise<VerifyReport>
  stats(): Promise<Stats>
}
