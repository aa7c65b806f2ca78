import { readable } from '../changes/ancestry.js'
import { unknownOrigin } from '../changes/feed.js'
import { valueBytes } from '../codec/value-size.js'
import type { Leaf } from '../document/tree.js'
import type { Entry } from '../index/entry.js'
import type { EntryChange } from '../index/root.js'
import type { LogRecord } from '../log/record.js'
import type { Context } from './context.js'
import { remember } from './owed.js'
import { GroupPlan } from './plan.js'

/** What is settled in: an open database, or one that is being opened. */
export type Ground = Pick<Context, 'log' | 'index' | 'manifest' | 'env' | 'harmed'>

/** Runs when nothing else writes. */
export type Exclusively = (run: () => Promise<void>) => Promise<void>

const SLICE = 1_000
/** Bytes of bodies that are told again at once. */
const SLICE_BYTES = 4 * 1024 * 1024

/**
 * After records were found lost: the leaves that they told of are told again, so that they are known by the log too, as
 * stubs, or with the body where that stands elsewhere; the manifest remembers their seqs as owed, so that the bodies are
 * fetched again; no leaf whose body was lost is called held any more. And the history gets a new name from its first seq on, so that no checkpoint that
 * anybody has of it holds, and the next contact compares everything. Done once for each damage, whatever ends the
 * process meanwhile; also when done twice, it does no more.
 */
export async function settleDamage(ground: Ground, exclusively: Exclusively): Promise<void> {
  for (;;) {
    const { damage, settled = 0 } = ground.manifest.data
    if (settled === damage) return
    for await (const ids of harmedIds(ground)) {
      for (let done = 0; done < ids.length; ) {
        await exclusively(async () => {
          done += await retell(ground, ids.slice(done))
        })
      }
    }
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

/** For how many of the ids, from the first on, this has been done: for as many as fit into memory, one at least. */
async function retell(ground: Ground, ids: readonly string[]): Promise<number> {
  const { log, index, manifest, harmed } = ground
  const before = await index.lookup(ids)
  const entries = new Map<string, Entry>()
  const told: LogRecord[] = []
  const superseded: { id: string; leaf: Leaf; until: number }[] = []
  let done = 0
  for (let bytes = 0; done < ids.length && bytes < SLICE_BYTES; done++) {
    const id = ids[done]!
    const leaves = before.get(id)?.leaves
    if (leaves === undefined) continue
    const lost = leaves.filter((leaf) => log.isLost(leaf.seq) || log.isLost(leaf.bodySeq))
    for (const leaf of lost) {
      const record = await toldAgain(ground, id, leaf)
      bytes += valueBytes(record.body ?? null)
      told.push(record)
      if (log.isLost(leaf.seq)) superseded.push({ id, leaf, until: log.head + told.length })
    }
    for (const { seq, bodySeq } of lost)
      harmed.push(
        ...[...new Set([seq, bodySeq])].filter((one) => log.isLost(one)).map((one) => ({ seq: one, id })),
      )
    const kept = leaves.filter((leaf) => !log.isLost(leaf.seq))
    entries.set(id, {
      leaves: kept.map((leaf) => (log.isLost(leaf.bodySeq) ? { ...leaf, bodySeq: 0 } : leaf)),
    })
  }
  if (told.length === 0) return done
  // First: what a crash leaves told must not be forgotten as owed.
  await remember(
    manifest,
    told.map((_, i) => log.head + 1 + i),
  )
  const firstSeq = await log.append(told, { sync: true })
  GroupPlan.replay(
    told.map((record, i) => ({ seq: firstSeq + i, record })),
    entries,
  )
  const changes = [...entries].map(([id, after]): EntryChange => ({ id, before: before.get(id), after }))
  index.apply({ changes, superseded, seq: log.head, latest: Math.max(...told.map(({ at }) => at)) })
  return done
}

/**
 * A stub, or where a body is held that was supplied, that once more: a new index has to find it after the record that
 * the leaf is known by.
 */
async function toldAgain({ log, env }: Ground, id: string, leaf: Leaf): Promise<LogRecord> {
  const common = {
    id,
    rev: leaf.rev,
    path: leaf.parent === undefined ? [] : [leaf.parent],
    deleted: leaf.deleted,
    at: env.now(),
    supplies: false,
    continues: false,
    ...(leaf.bodyHash && { bodyHash: leaf.bodyHash }),
  }
  const held = leaf.bodySeq === 0 ? undefined : await readable(log, leaf.bodySeq)
  return held?.body === undefined
    ? { ...common, kind: 'stub', origin: unknownOrigin }
    : { ...common, kind: 'revision', origin: held.origin, body: held.body }
}
