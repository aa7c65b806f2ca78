import type { Leaf } from '../document/tree.js'
import { RecordLostError, ShardCorruptError } from '../errors.js'
import type { DocumentIndex } from '../index/document-index.js'
import { limits } from '../limits.js'
import type { Log } from '../log/log.js'
import type { LogRecord } from '../log/record.js'

/**
 * The ancestors of a leaf, the parent first: back to the first that was recorded at or below `since`, else as far as
 * the log knows, at most `limits.ancestors`. A record that damage took ends the path there.
 */
export async function pathOf(
  log: Log,
  index: DocumentIndex,
  id: string,
  leaf: Leaf,
  since = 0,
): Promise<string[]> {
  if (leaf.parent === undefined) return []
  const path: string[] = []
  let recorded: Map<string, number> | undefined
  let seq: number | undefined = leaf.seq
  while (seq !== undefined && path.length < limits.ancestors) {
    const record = await readable(log, seq)
    path.push(...(record?.path ?? []))
    const last = record?.path.at(-1)
    if (last === undefined) break
    recorded ??= new Map((await index.history(id)).map((row) => [row.rev, row.seq]))
    const at = recorded.get(last)
    seq = at === undefined || at <= since ? undefined : at
  }
  if (path.length === 0) path.push(leaf.parent)
  return path.slice(0, limits.ancestors)
}

/**
 * What a merge may need of a document besides its leaves: revs that have records of their own, and the ancestors of
 * leaves, `limits.ancestors` of each. A plan extends it as it grows.
 */
export interface GatheredKnowledge {
  readonly recorded: Set<string>
  readonly ancestors: Set<string>
}

/** Everything known of the document, from the log. */
export async function knowledgeOf(
  log: Log,
  index: DocumentIndex,
  id: string,
  leaves: readonly Leaf[],
): Promise<GatheredKnowledge> {
  const recorded = new Set((await index.history(id)).map((row) => row.rev))
  const ancestors = new Set<string>()
  for (const leaf of leaves) {
    for (const rev of await pathOf(log, index, id, leaf)) ancestors.add(rev)
    recorded.add(leaf.rev)
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
