import { pathOf, readable } from '../changes/ancestry.js'
import type { Leaf } from '../document/tree.js'
import type { DocumentIndex } from '../index/document-index.js'
import type { Log } from '../log/log.js'

/**
 * Seqs of records of superseded revisions whose bodies are not to go, as a leaf on the way to which they stand is not
 * held: the newest that is held on that way, which a mirror without the leaf is sent, and the newest that a read without
 * a mirror may give.
 */
export async function neededBodies(
  log: Log,
  index: DocumentIndex,
  id: string,
  leaves: readonly Leaf[],
): Promise<ReadonlySet<number>> {
  const needed = new Set<number>()
  const rows = await index.history(id)
  const keep = async ({ seq, bodySeq }: { seq: number; bodySeq: number }): Promise<boolean> => {
    if (bodySeq === 0) return false
    needed.add(seq).add(bodySeq)
    return (await readable(log, bodySeq))?.body !== undefined
  }
  for (const leaf of leaves) {
    if (isHeld(log, leaf)) continue
    for (const rev of await pathOf(log, index, id, leaf)) {
      let held = false
      for (const row of rows) if (row.rev === rev) held = (await keep(row)) || held
      if (held) break
    }
  }
  const deleted = new Set<string>()
  for (const leaf of leaves.filter((one) => one.deleted))
    for (const rev of await pathOf(log, index, id, leaf)) deleted.add(rev)
  for (const row of rows) if (!deleted.has(row.rev) && (await keep(row))) break
  return needed
}

export function isHeld(log: Log, { bodySeq }: Leaf): boolean {
  return bodySeq !== 0 && !log.isLost(bodySeq)
}
