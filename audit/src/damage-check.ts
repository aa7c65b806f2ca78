import { CursorLostError, type Database, MynahError, type Stats, type VerifyReport } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import type { Truth } from './damage-base.js'

/** How the documents were found. */
export interface Standing {
  /** Missing, older, or an error; each of them said so when it was read. */
  readonly harmed: ReadonlySet<string>
  readonly faults: readonly string[]
}

/** Whether an error is one that a caller can branch on. */
export function isTyped(error: unknown): boolean {
  return error instanceof MynahError
}

/** Documents asked for at once. */
const MANY = 50

const jsonOf = (doc: unknown) => JSON.stringify(doc ?? null)

/** Reads everything back in every way, and holds it against the truth. */
export async function standingOf(db: Database, truth: Truth): Promise<Standing> {
  const harmed = new Set<string>()
  const faults: string[] = []
  for (const [id, { json, deleted }] of truth) {
    try {
      const read = await db.read(id)
      const same = jsonOf(read.doc) === json && read.deleted === deleted
      if (read.current && !same) faults.push(`read ${id}: ${jsonOf(read.doc)} instead of ${json}`)
      if (!read.current) harmed.add(id)
      else if (jsonOf(await db.get(id)) !== json) faults.push(`get ${id} is not what read gives`)
    } catch (error) {
      if (!isTyped(error)) faults.push(`read ${id}: ${String(error)}`)
      harmed.add(id)
    }
  }
  await lists(db, truth, harmed, faults)
  try {
    await changes(db, truth, harmed, faults)
  } catch (error) {
    // Damage was found on the way: it says that it is not whole, and is read again.
    if (!(error instanceof CursorLostError)) throw error
    await db.verify()
    await changes(db, truth, harmed, faults)
  }
  const ids = [...truth.keys()]
  for (let i = 0; i < ids.length; i += MANY) await many(db, truth, ids.slice(i, i + MANY), { harmed, faults })
  return { harmed, faults }
}

/** Whether a read gives the document and calls it current: under an open database each read may find more damage. */
async function isCurrent(db: Database, id: string): Promise<boolean> {
  try {
    return (await db.read(id)).current
  } catch (error) {
    if (isTyped(error)) return false
    throw error
  }
}

async function many(
  db: Database,
  truth: Truth,
  ids: readonly string[],
  { harmed, faults }: { readonly harmed: Set<string>; readonly faults: string[] },
): Promise<void> {
  const whole = ids.filter((id) => !harmed.has(id))
  try {
    const docs = await db.getMany(whole)
    for (const [i, id] of whole.entries())
      if (jsonOf(docs[i]) !== truth.get(id)!.json) faults.push(`getMany ${id}: ${jsonOf(docs[i])}`)
  } catch (error) {
    if (!isTyped(error)) faults.push(`getMany: ${String(error)}`)
    for (const id of whole) if (!(await isCurrent(db, id))) harmed.add(id)
  }
}

async function lists(db: Database, truth: Truth, harmed: Set<string>, faults: string[]): Promise<void> {
  const listed = new Set<string>()
  for await (const doc of db.list({ prefix: 'doc-' })) {
    listed.add(doc.id)
    if (!harmed.has(doc.id) && jsonOf(doc) !== truth.get(doc.id)?.json)
      faults.push(`list: ${jsonOf(doc)} instead of ${truth.get(doc.id)?.json}`)
  }
  const live = [...truth].filter(([, { deleted }]) => !deleted).map(([id]) => id)
  for (const id of live) {
    if (listed.has(id) || harmed.has(id)) continue
    if (await isCurrent(db, id)) faults.push(`${id} is not listed`)
    else harmed.add(id)
  }
  if (harmed.size === 0) {
    let others = 0
    for await (const { id, deleted } of db.changes()) if (!deleted && !id.startsWith('doc-')) others += 1
    if ((await db.count()) !== live.length + others)
      faults.push(`count is ${await db.count()} instead of ${live.length} and ${others}`)
  }
}

async function changes(
  db: Database,
  truth: Truth,
  harmed: ReadonlySet<string>,
  faults: string[],
): Promise<void> {
  const told = new Set<string>()
  for await (const { id, rev, conflicts } of db.changes({ prefix: 'doc-' })) {
    if (told.has(id)) faults.push(`${id} changed twice`)
    told.add(id)
    const revs = truth.get(id)?.revs ?? []
    if (!harmed.has(id) && (rev !== revs[0] || conflicts.some((one) => !revs.includes(one))))
      faults.push(`changes ${id}: ${rev} instead of ${revs.join(' ')}`)
  }
  for (const id of truth.keys())
    if (!told.has(id) && !harmed.has(id) && (await isCurrent(db, id))) faults.push(`${id} is in no change`)
}

/** Whatever is missing or older must have been reported, by name where that is known. */
export function unreported(
  harmed: ReadonlySet<string>,
  stats: Stats,
  report: VerifyReport,
): readonly string[] {
  const findings = [...stats.damage, ...report.findings]
  if (harmed.size === 0) return []
  if (findings.length === 0) return [`${harmed.size} documents are harmed, and nothing is reported`]
  if (stats.doubt) return []
  const named = new Set(findings.flatMap(({ ids }) => ids))
  return [...harmed].filter((id) => !named.has(id)).map((id) => `${id} is harmed, and not named`)
}

/** Whether the leaves are those of the truth, each with its body. */
export async function leafFaults(db: Database, truth: Truth): Promise<readonly string[]> {
  const faults: string[] = []
  for (const [id, { revs }] of truth) {
    const leaves = await replicaOf(db).leaves(id)
    if (leaves.map(({ rev }) => rev).join() !== revs.join())
      faults.push(`${id} has the leaves ${leaves.map(({ rev }) => rev).join()} instead of ${revs.join()}`)
    for (const { rev, kind } of leaves) if (kind !== 'revision') faults.push(`${id} ${rev} has no body`)
  }
  return faults
}
