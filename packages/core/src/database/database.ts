import type { Documents } from './documents.js'

/** An open database: what a mirror over HTTP offers too, and what only the holder of the files can do. */
export interface Database extends Documents, AsyncDisposable {
  /** Random, made once: 32 lower-case hex digits. */
  readonly id: string
  readonly mode: 'peer' | 'mirror'
}
