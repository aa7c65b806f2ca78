import { boundsWithin } from '../index/prefixes.js'
import type { Context } from './context.js'
import type { LeafRef, OwedPage } from './replica.js'

/** Begins the `after` of pages of a scope, before the seq they are as of, whether something was found, and the last id. */
export const SCOPED = 'scope '

/** The prefixes below which a peer is to hold every body; undefined where it is to hold all, or those that it used. */
export function heldPrefixes({
  mode,
  manifest,
}: Pick<Context, 'mode' | 'manifest'>): readonly string[] | undefined {
  const { hold, scope } = manifest.data.replication
  return mode === 'peer' && hold === 'all' ? scope : undefined
}

/** Whether the bodies of a document are to be held here. */
export function isToHold({ mode, manifest }: Pick<Context, 'mode' | 'manifest'>, id: string): boolean {
  const { hold, scope } = manifest.data.replication
  return mode === 'mirror' || (hold === 'all' && (scope === undefined || isBelow(scope, id)))
}

/**
 * Leaves without a body below some prefixes, where all of them are to be held. What left a scope stays known without a
 * body, so that no count in the index tells whether there are any: a pass that found none is remembered, and after it
 * only what was recorded since is looked at.
 */
export async function owedInScope(
  context: Context,
  prefixes: readonly string[],
  { after, limit, ids }: { readonly after?: string; readonly limit: number; readonly ids?: number },
): Promise<OwedPage> {
  const { index } = context
  if (index.root.notHeld === 0 || (after === undefined && (await isAllHeld(context, prefixes))))
    return { leaves: [] }
  const [seq, found, last] = after === undefined ? [index.root.seq, false, ''] : placeOf(after)
  const leaves: LeafRef[] = []
  let looked = 0
  for (const { from, to } of boundsWithin({ prefixes })) {
    for await (const [id, entry] of index.range({
      gte: from,
      gt: last,
      ...(to !== undefined && { lt: to }),
    })) {
      for (const { rev, bodyHash, bodySeq } of entry.leaves)
        if (bodySeq === 0) leaves.push({ id, rev, ...(bodyHash && { bodyHash }) })
      looked += 1
      if (leaves.length >= limit || looked === ids)
        return { leaves, next: `${SCOPED}${seq} ${found || leaves.length > 0 ? 1 : 0} ${id}` }
    }
  }
  if (!found && leaves.length === 0) context.allHeld = { prefixes, seq }
  return { leaves }
}

/** Whether a pass found all held, and nothing that was recorded since can have changed that. */
async function isAllHeld(context: Context, prefixes: readonly string[]): Promise<boolean> {
  const { allHeld, index, log } = context
  if (allHeld === undefined || JSON.stringify(allHeld.prefixes) !== JSON.stringify(prefixes)) return false
  const head = index.root.seq
  for await (const batch of log.scan(allHeld.seq + 1, head))
    if (batch.some(({ record: { kind, id } }) => kind === 'stub' && isBelow(prefixes, id))) return false
  context.allHeld = { prefixes, seq: head }
  return true
}

function placeOf(after: string): readonly [seq: number, found: boolean, last: string] {
  const [, seq, found, last] = /^scope (\d+) ([01]) (.*)$/su.exec(after) ?? []
  return [Number(seq), found === '1', last ?? '']
}

function isBelow(prefixes: readonly string[], id: string): boolean {
  return prefixes.some((prefix) => id.startsWith(prefix))
}
