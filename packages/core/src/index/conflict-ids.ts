import type { Entry } from './entry.js'
import type { IdRange } from './range.js'
import { isConflict, type Root } from './root.js'

/** What is asked for conflicts. */
interface Conflicted {
  readonly root: Root
  range(range: IdRange): AsyncGenerator<[string, Entry]>
}

/**
 * Ids with several live leaves, in order, by the rows of the store that tell of them. Where those are not as many as the
 * root counts, as in an index that was written before there were such rows, all entries are read.
 */
export async function* conflictIds(
  rows: () => AsyncGenerator<[string, boolean]>,
  index: Conflicted,
): AsyncGenerator<string> {
  let missing = index.root.conflicts
  if (missing === 0) return
  for await (const [, now] of rows()) if (now) missing -= 1
  if (missing === 0) {
    for await (const [id, now] of rows()) if (now) yield id
  } else {
    for await (const [id, entry] of index.range({})) if (isConflict(entry)) yield id
  }
}
