import { unknownOrigin } from '../changes/feed.js'
import type { Leaf } from '../document/tree.js'
import type { Entry } from '../index/entry.js'
import type { EntryChange } from '../index/root.js'
import type { LogRecord } from '../log/record.js'
import { mergeSpans } from '../log/span.js'
import type { Context } from './context.js'
import { GroupPlan } from './plan.js'

/** What is settled in: an open database, or one that is being opened. */
export type Ground = Pick<Context, 'log' | 'index' | 'manifest' | 'env' | 'harmed'>

/** Runs when nothing else writes. */
export type Exclusively = (run: () => Promise<void>) => Promise<void>

const SLICE = 1_000

/**
 * After records were found lost: the leaves that they told of are told again, as stubs, so that they are known by the
 * log too; the manifest remembers the stubs' seqs as owed, so that the bodies are fetched again; no leaf whose body was
 * lost is called held any more. And the history gets a new name from its first seq on, so that no checkpoint that
 * anybody has of it holds, and the next contact compares everything. Done once for each damage, whatever ends the
 * process meanwhile; also when done twice, it does no more.
 */
export async function settleDamage(ground: Ground, exclusively: Exclusively): Promise<void> {
  for (;;) {
    const { damage, settled = 0 } = ground.manifest.data
    if (settled === damage) return
    for await (const ids of harmedIds(ground)) await exclusively(() => retell(ground, ids))
    await exclusively(async () => {
      await ground.index.flush()
      await ground.log.rename(damage)
    })
  }
}

/** Documents with leaves that were lost, or whose bodies were. What is written meanwhile is not among the lost. */
async function* harmedIds({ log, index }: Ground): AsyncGenerator<readonly string[]> {
  let ids: string[] = []
  for await (const [id, { leaves }] of index.range({})) {
    if (leaves.some((leaf) => log.isLost(leaf.seq) || log.isLost(leaf.bodySeq))) ids.push(id)
    if (ids.length < SLICE) continue
    yield ids
    ids = []
  }
  if (ids.length > 0) yield ids
}

async function retell(ground: Ground, ids: readonly string[]): Promise<void> {
  const { log, index, manifest, env, harmed } = ground
  const before = await index.lookup(ids)
  const entries = new Map<string, Entry>()
  const stubs: LogRecord[] = []
  for (const [id, { leaves }] of before) {
    const lost = leaves.filter((leaf) => log.isLost(leaf.seq) || log.isLost(leaf.bodySeq))
    stubs.push(...lost.map((leaf) => stubOf(id, leaf, env.now())))
    for (const { seq, bodySeq } of lost)
      harmed.push(
        ...[...new Set([seq, bodySeq])].filter((one) => log.isLost(one)).map((one) => ({ seq: one, id })),
      )
    const kept = leaves.filter((leaf) => !log.isLost(leaf.seq))
    entries.set(id, {
      leaves: kept.map((leaf) => (log.isLost(leaf.bodySeq) ? { ...leaf, bodySeq: 0 } : leaf)),
    })
  }
  if (stubs.length === 0) return
  // First: what a crash leaves told must not be forgotten as owed.
  const span = { firstSeq: log.head + 1, lastSeq: log.head + stubs.length }
  await manifest.update(({ owed = [] }) => ({ owed: mergeSpans([...owed, span]) }))
  const firstSeq = await log.append(stubs, { sync: true })
  GroupPlan.replay(
    stubs.map((record, i) => ({ seq: firstSeq + i, record })),
    entries,
  )
  const changes = [...entries].map(([id, after]): EntryChange => ({ id, before: before.get(id), after }))
  index.apply({ changes, superseded: [], seq: log.head })
}

function stubOf(id: string, leaf: Leaf, at: number): LogRecord {
  return {
    kind: 'stub',
    id,
    rev: leaf.rev,
    path: leaf.parent === undefined ? [] : [leaf.parent],
    deleted: leaf.deleted,
    at,
    origin: unknownOrigin,
    supplies: false,
    continues: false,
    ...(leaf.bodyHash && { bodyHash: leaf.bodyHash }),
  }
}
