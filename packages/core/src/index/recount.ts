import { compareUtf8 } from '../bytes/compare.js'
import type { Entry } from './entry.js'
import type { PageTable } from './page-table.js'
import { disagreement } from './range-counting.js'
import { emptyRoot, nextRoot, printsOf, type Root } from './root.js'
import { addPrint, copyTally, emptyTally, sameTally } from './tally.js'

/**
 * Counts and sum over all entries, each page compared with what is kept of it in the turn of this call.
 * @throws IndexCorruptError naming the pages that do not agree
 */
export async function recount(
  pages: PageTable,
  rows: AsyncIterable<readonly [string, Entry]>,
  kept: Root,
  signal?: AbortSignal,
): Promise<Root> {
  const known = [...pages.between()].map((page) => ({ first: page.first, ...copyTally(page) }))
  const faulty: string[] = []
  let counted = emptyRoot
  let at = 0
  let tally = emptyTally()
  const nextPage = () => {
    if (!sameTally(known[at]!, tally)) faulty.push(known[at]!.first)
    at += 1
    tally = emptyTally()
  }
  for await (const [id, after] of rows) {
    signal?.throwIfAborted()
    while (at + 1 < known.length && compareUtf8(known[at + 1]!.first, id) <= 0) nextPage()
    const changes = [{ id, before: undefined, after }]
    const prints = printsOf(changes)
    counted = nextRoot(counted, changes, prints, kept.seq)
    for (const print of prints) addPrint(tally, print)
  }
  while (at < known.length) nextPage()
  if (faulty.length > 0) throw disagreement(faulty)
  return counted
}
