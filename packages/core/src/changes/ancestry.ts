import { generationOf } from '../document/revision.js'
import type { Leaf } from '../document/tree.js'
import { RecordLostError, ShardCorruptError } from '../errors.js'
import type { DocumentIndex } from '../index/document-index.js'
import { limits } from '../limits.js'
import type { Log } from '../log/log.js'
import type { LogRecord } from '../log/record.js'

/** The way back from a leaf. */
interface Walk {
  readonly path: readonly string[]
  /** Damage took a record on the way. */
  readonly broken: boolean
}

/**
 * The ancestors of a leaf, the parent first: back to the first that was recorded at or below `since`, else as far as
 * the log knows, at most `limits.ancestors`. Past a record that damage took it goes on where only one revision can have
 * been the parent.
 */
export async function pathOf(
  log: Log,
  index: DocumentIndex,
  id: string,
  leaf: Leaf,
  since = 0,
  superseded: Superseded = supersededOf(index, id),
): Promise<readonly string[]> {
  return (await walkBack(log, leaf, since, superseded)).path
}

/** Superseded revisions of one document and where they are recorded: read once, and only when somebody asks. */
export type Superseded = () => Promise<ReadonlyMap<string, number>>

/** To be shared by the leaves of a document that were looked up before; not kept for longer. */
export function supersededOf(index: DocumentIndex, id: string): Superseded {
  let reading: Promise<ReadonlyMap<string, number>> | undefined
  // The newest first: of a revision that was told anew, what was told last counts.
  const read = async () => new Map((await index.history(id)).toReversed().map((row) => [row.rev, row.seq]))
  return () => {
    reading ??= read()
    return reading
  }
}

async function walkBack(log: Log, leaf: Leaf, since: number, superseded: Superseded): Promise<Walk> {
  if (leaf.parent === undefined) return { path: [], broken: false }
  const path: string[] = []
  let broken = false
  let recorded: ReadonlyMap<string, number> | undefined
  let seq: number | undefined = leaf.seq
  while (seq !== undefined && path.length < limits.ancestors) {
    const record = await readable(log, seq)
    if (record === undefined) {
      broken = true
      const child = path.at(-1)
      const parent = child === undefined ? leaf.parent : recorded && onlyParent(recorded, child)
      if (parent !== undefined) path.push(parent)
      else break
    } else path.push(...record.path)
    const last = path.at(-1)
    if (last === undefined || record?.path.length === 0) break
    recorded ??= await superseded()
    const at = recorded.get(last)
    seq = at === undefined || at <= since ? undefined : at
  }
  if (path.length === 0) path.push(leaf.parent)
  return { path: path.slice(0, limits.ancestors), broken }
}

/** The parent of a revision, when only one that was superseded here comes into question. */
function onlyParent(recorded: ReadonlyMap<string, number>, rev: string): string | undefined {
  const generation = generationOf(rev) - 1
  const revs = [...recorded.keys()].filter((one) => generationOf(one) === generation)
  return revs.length === 1 ? revs[0] : undefined
}

/**
 * What a merge may need of a document besides its leaves: revs that have records of their own, and the ancestors of
 * leaves, `limits.ancestors` of each. A plan extends it as it grows.
 */
export interface GatheredKnowledge {
  readonly recorded: Set<string>
  readonly ancestors: Set<string>
}

/** What is known of the document, from the log; ancestors, which cost a walk from each leaf, only where asked for. */
export async function knowledgeOf(
  log: Log,
  index: DocumentIndex,
  id: string,
  leaves: readonly Leaf[],
  options: { readonly ancestors: boolean },
): Promise<GatheredKnowledge> {
  const superseded = supersededOf(index, id)
  const revs = [...(await superseded()).keys()]
  const recorded = new Set(revs)
  for (const leaf of leaves) recorded.add(leaf.rev)
  const ancestors = new Set<string>()
  if (!options.ancestors) return { recorded, ancestors }
  for (const leaf of leaves) {
    const { path, broken } = await walkBack(log, leaf, 0, superseded)
    for (const rev of path) ancestors.add(rev)
    // Whatever was superseded here is an ancestor of some leaf: taken for a new one, it would come back.
    const oldest = generationOf(leaf.rev) - limits.ancestors
    if (broken) for (const rev of revs) if (generationOf(rev) >= oldest) ancestors.add(rev)
  }
  return { recorded, ancestors }
}

/** The record at a seq; undefined where damage took it. */
export async function readable(log: Log, seq: number): Promise<LogRecord | undefined> {
  try {
    const record = log.hot(seq) ?? (await log.read(seq))
    // What is wrong with a body shows only when it is decoded: now, rather than with the caller.
    void record.body
    return record
  } catch (error) {
    if (error instanceof RecordLostError || error instanceof ShardCorruptError) return undefined
    throw error
  }
}
