import type { IndexHome } from './index-home.js'

/** What only the one who opened the files can do. */
export interface Housekeeping {
  readonly home: IndexHome
  /** Closes the log, the index and the files. */
  readonly close: () => Promise<void>
}
