import { toHex } from '../bytes/hex.js'
import type { Env } from '../env/env.js'
import type { DocumentIndex } from '../index/document-index.js'
import type { EntryChange } from '../index/root.js'
import type { Log } from '../log/log.js'
import type { Manifest } from '../log/manifest.js'

const SEEN = 'damage'
const SLICE = 1_000

/**
 * After records were found lost: their leaves stay known and are no longer called held, so that they are owed and
 * fetched again; and the history gets a new name from its first seq on, so that no checkpoint that anybody has of it
 * holds, and the next contact compares everything. Done once for each damage, whatever ends the process meanwhile.
 */
export async function settleDamage(
  log: Log,
  index: DocumentIndex,
  manifest: Manifest,
  env: Env,
): Promise<void> {
  const { damage } = manifest.data
  if (((await index.note(SEEN)) ?? '0') === String(damage)) return
  let changes: EntryChange[] = []
  const apply = () => {
    index.apply({ changes, superseded: [], seq: index.root.seq })
    changes = []
  }
  for await (const [id, before] of index.range({})) {
    if (!before.leaves.some((leaf) => log.isLost(leaf.bodySeq))) continue
    const leaves = before.leaves.map((leaf) => (log.isLost(leaf.bodySeq) ? { ...leaf, bodySeq: 0 } : leaf))
    changes.push({ id, before, after: { leaves } })
    if (changes.length === SLICE) apply()
  }
  apply()
  await index.flush()
  await manifest.update(() => ({ incarnations: [{ id: toHex(env.randomBytes(16)), firstSeq: 1 }] }))
  await index.setNote(SEEN, String(damage))
}
