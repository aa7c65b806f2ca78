import { readable } from '../changes/ancestry.js'
import { leafKey } from '../document/tree.js'
import type { Context } from './context.js'
import type { LeafRef } from './replica.js'

/** Which of these are leaves here whose bodies are held: each body is read. */
export async function heldLeaves(
  { log, index }: Context,
  leaves: readonly LeafRef[],
): Promise<readonly boolean[]> {
  const entries = await index.lookup([...new Set(leaves.map(({ id }) => id))])
  const held: boolean[] = []
  for (const wanted of leaves) {
    const leaf = entries.get(wanted.id)?.leaves.find((one) => leafKey(one) === leafKey(wanted))
    const bodySeq = leaf?.bodySeq ?? 0
    held.push(bodySeq !== 0 && (await readable(log, bodySeq))?.body !== undefined)
  }
  return held
}
