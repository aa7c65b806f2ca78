import { type Leaf, leafKey } from '../document/tree.js'
import type { Manifest, ManifestData } from '../log/manifest.js'
import type { Sequenced } from '../log/record.js'
import { mergeSpans } from '../log/span.js'
import type { Context } from './context.js'
import { heldPrefixes, isToHold, owedInScope, SCOPED } from './owed-in-scope.js'
import type { LeafRef, OwedPage } from './replica.js'

/** Past this many spans they are made one, in which more may be fetched than is owed. */
const SPANS_MAX = 1_000
/** Begins the `after` of pages of pinned documents, before the place of the last one in their list. */
const PINNED = 'pinned '
/** The `after` of the first page of what was lost, where another came before. */
const LOST = 'lost'
const COUNT_PAGE = 1_000

/**
 * Adds records to those whose bodies are owed; to be called before they are appended, so that no end of the process
 * forgets them. @throws StorageError
 */
export async function remember(manifest: Manifest, seqs: readonly number[]): Promise<void> {
  await manifest.update(({ owed = [] }) => {
    const spans = mergeSpans([...owed, ...seqs.map((seq) => ({ firstSeq: seq, lastSeq: seq }))])
    const whole = { firstSeq: spans[0]!.firstSeq, lastSeq: spans.at(-1)!.lastSeq }
    return { owed: spans.length > SPANS_MAX ? [whole] : spans }
  })
}

/**
 * What this replica is to hold and does not: where it holds all, every leaf without a body; where it holds all of a scope,
 * those within; and else, or besides, those whose bodies were lost to damage, or with the newer state of a database that was put back to an older one, and then those of pinned
 * documents. All of it derived from what the log, its manifest and the pins say, so that no loss of the index forgets it.
 */
export async function owedPage(
  context: Context,
  options: { readonly after?: string; readonly limit: number; readonly ids?: number },
): Promise<OwedPage> {
  const { after, limit } = options
  const prefixes = heldPrefixes(context)
  if (prefixes === undefined && holdsAll(context)) return notHeld(context, options)
  if (prefixes !== undefined && (after === undefined || after.startsWith(SCOPED))) {
    const page = await owedInScope(context, prefixes, options)
    return page.next === undefined ? { ...page, next: LOST } : page
  }
  if (after?.startsWith(PINNED))
    return beyond(context, await pinned(context, Number(after.slice(PINNED.length)), limit))
  const page = await lost(context, after === undefined || after === LOST ? { limit } : { after, limit })
  const isLast = page.next === undefined && context.pins.size > 0
  return beyond(context, isLast ? { ...page, next: `${PINNED}0` } : page)
}

/** Without what is told already, as it is to be held whatever was lost or pinned. */
function beyond(context: Context, { leaves, ...page }: OwedPage): OwedPage {
  return { ...page, leaves: leaves.filter(({ id }) => !isToHold(context, id)) }
}

/** How many leaves are owed. */
export async function owedCount(context: Context): Promise<number> {
  if (heldPrefixes(context) === undefined && holdsAll(context)) return context.index.root.notHeld
  let count = await countInScope(context)
  const isBeyond = ({ id }: LeafRef) => !isToHold(context, id)
  for await (const { leaves } of lostLeaves(context, 0)) count += leaves.filter(isBeyond).length
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page: OwedPage = await pinned(context, after, COUNT_PAGE)
    count += page.leaves.filter(isBeyond).length
    after = page.next === undefined ? undefined : Number(page.next.slice(PINNED.length))
  }
  return count
}

async function countInScope(context: Context): Promise<number> {
  const prefixes = heldPrefixes(context)
  if (prefixes === undefined) return 0
  let page = await owedInScope(context, prefixes, { limit: COUNT_PAGE })
  let count = page.leaves.length
  while (page.next !== undefined) {
    page = await owedInScope(context, prefixes, { limit: COUNT_PAGE, after: page.next })
    count += page.leaves.length
  }
  return count
}

/** Documents of which leaves were lost to damage and not got back yet. */
export async function lostIds(context: Context): Promise<readonly string[]> {
  const ids = new Set<string>()
  for await (const { leaves } of lostLeaves(context, 0)) for (const { id } of leaves) ids.add(id)
  return [...ids]
}

/** Whether every body is to be held here, or every one of the scope. */
export function holdsAll({ mode, manifest }: Pick<Context, 'mode' | 'manifest'>): boolean {
  return mode === 'mirror' || manifest.data.replication.hold === 'all'
}

async function notHeld(
  { index }: Context,
  { after, limit, ids }: { readonly after?: string; readonly limit: number; readonly ids?: number },
): Promise<OwedPage> {
  const leaves: LeafRef[] = []
  let looked = 0
  if (index.root.notHeld === 0) return { leaves }
  for await (const [id, entry] of index.range(after === undefined ? {} : { gt: after })) {
    leaves.push(...entry.leaves.filter((leaf) => leaf.bodySeq === 0).map((leaf) => refOf(id, leaf)))
    looked += 1
    if (leaves.length >= limit || looked === ids) return { leaves, next: id }
  }
  return { leaves }
}

/** Of pinned documents, after a place in the list of those that may lack a body. */
async function pinned({ index, pins }: Context, after: number, limit: number): Promise<OwedPage> {
  const leaves: LeafRef[] = []
  for (let last = after; ; ) {
    const some = pins.lacking(last, limit)
    if (some.length === 0) return { leaves }
    const entries = await index.lookup(some.map(({ id }) => id))
    for (const one of some) {
      const open = entries.get(one.id)?.leaves.filter((leaf) => leaf.bodySeq === 0 && !leaf.deleted) ?? []
      if (open.length === 0) pins.found(one)
      leaves.push(...open.map((leaf) => refOf(one.id, leaf)))
    }
    last = some.at(-1)!.since
    if (leaves.length >= limit) return { leaves, next: `${PINNED}${last}` }
  }
}

async function lost(
  context: Context,
  { after, limit }: { readonly after?: string; readonly limit: number },
): Promise<OwedPage> {
  const leaves: LeafRef[] = []
  const before = context.manifest.data
  for await (const batch of lostLeaves(context, Number(after ?? 0))) {
    leaves.push(...batch.leaves)
    if (leaves.length >= limit) return { leaves, next: String(batch.seq) }
  }
  if (after === undefined && leaves.length === 0) await forget(context, before)
  return { leaves }
}

/** Leaves that the owed stubs past a seq name and that are still without a body, with the last seq looked at. */
async function* lostLeaves(
  { log, index, manifest }: Context,
  after: number,
): AsyncGenerator<{ readonly leaves: readonly LeafRef[]; readonly seq: number }> {
  for (const { firstSeq, lastSeq } of manifest.data.owed ?? []) {
    for await (const batch of log.scan(Math.max(firstSeq, after + 1), lastSeq)) {
      const entries = await index.lookup([...new Set(batch.map(({ record }) => record.id))])
      const open = ({ record }: Sequenced) =>
        entries
          .get(record.id)
          ?.leaves.filter((leaf) => leaf.bodySeq === 0 && leafKey(leaf) === leafKey(record))
          .map((leaf) => refOf(record.id, leaf)) ?? []
      yield { leaves: batch.flatMap(open), seq: batch.at(-1)!.seq }
    }
  }
}

/** Nothing is owed of what the manifest named before: it may name more since, also what is not told again yet. */
async function forget({ manifest, readOnly }: Context, before: ManifestData): Promise<void> {
  const { owed = [], damage, settled = 0 } = before
  if (owed.length === 0 || readOnly || settled !== damage) return
  await manifest.update((data) => (data.owed === before.owed && data.damage === damage ? { owed: [] } : {}))
}

function refOf(id: string, { rev, bodyHash }: Leaf): LeafRef {
  return { id, rev, ...(bodyHash && { bodyHash }) }
}
