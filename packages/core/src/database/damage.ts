import { toHex } from '../bytes/hex.js'
import { unknownOrigin } from '../changes/feed.js'
import type { Leaf } from '../document/tree.js'
import type { Env } from '../env/env.js'
import type { DocumentIndex } from '../index/document-index.js'
import type { Entry } from '../index/entry.js'
import type { EntryChange } from '../index/root.js'
import type { Log } from '../log/log.js'
import type { Manifest } from '../log/manifest.js'
import type { LogRecord } from '../log/record.js'
import { GroupPlan } from './plan.js'

const SEEN = 'damage'
const SLICE = 1_000

/**
 * After records were found lost: the leaves that they told of are told again, as stubs, so that they are known by the
 * log too, owed, and fetched again; leaves that only lost their bodies are no longer called held. And the history gets
 * a new name from its first seq on, so that no checkpoint that anybody has of it holds, and the next contact compares
 * everything. Done once for each damage, whatever ends the process meanwhile.
 */
export async function settleDamage(
  log: Log,
  index: DocumentIndex,
  manifest: Manifest,
  env: Env,
): Promise<void> {
  const { damage } = manifest.data
  if (((await index.note(SEEN)) ?? '0') === String(damage)) return
  let harmed: [string, Entry][] = []
  for await (const [id, entry] of index.range({})) {
    if (entry.leaves.some((leaf) => log.isLost(leaf.seq) || log.isLost(leaf.bodySeq)))
      harmed.push([id, entry])
    if (harmed.length < SLICE) continue
    await retell(log, index, env, harmed)
    harmed = []
  }
  if (harmed.length > 0) await retell(log, index, env, harmed)
  await index.flush()
  await manifest.update(() => ({ incarnations: [{ id: toHex(env.randomBytes(16)), firstSeq: 1 }] }))
  await index.setNote(SEEN, String(damage))
}

async function retell(
  log: Log,
  index: DocumentIndex,
  env: Env,
  harmed: readonly [string, Entry][],
): Promise<void> {
  const stubs: LogRecord[] = []
  const entries = new Map<string, Entry>()
  for (const [id, { leaves }] of harmed) {
    stubs.push(...leaves.filter((leaf) => log.isLost(leaf.seq)).map((leaf) => stubOf(id, leaf, env.now())))
    const kept = leaves.filter((leaf) => !log.isLost(leaf.seq))
    entries.set(id, {
      leaves: kept.map((leaf) => (log.isLost(leaf.bodySeq) ? { ...leaf, bodySeq: 0 } : leaf)),
    })
  }
  const firstSeq = stubs.length > 0 ? await log.append(stubs, { sync: true }) : log.head + 1
  GroupPlan.replay(
    stubs.map((record, i) => ({ seq: firstSeq + i, record })),
    entries,
  )
  const changes = harmed.map(([id, before]): EntryChange => ({ id, before, after: entries.get(id)! }))
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
