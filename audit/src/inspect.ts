import type { Change, Database, Stored } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import type { Ledger, Standing } from './ledger.js'

const PIECE = 500

/** What an inspection found. */
export interface Inspection {
  /** Ids that were compared with the ledger. */
  readonly ids: number
  readonly faults: readonly string[]
}

/**
 * Holds an open database against the ledger of all that was ever written to it: every id, its history, its content, and
 * whether `get`, `list`, `changes`, `count`, `stats` and `verify` say the same. When nothing is wrong, the ledger takes
 * what is there as what must be there from now on, unless `settle` is false.
 */
export async function inspect(
  db: Database,
  ledger: Ledger,
  options: { readonly settle: boolean } = { settle: true },
): Promise<Inspection> {
  const faults: string[] = []
  const changed = await readChanges(db, faults)
  const live = [...changed.values()].filter((change) => !change.deleted)
  const listed = await readList(db, faults)
  const got = await readEach(db, [...changed.keys()])
  const standings = new Map<string, Standing>()
  for (const change of changed.values()) {
    const doc = got.get(change.id)
    standings.set(change.id, await standingOf(db, ledger, change, doc, faults))
    if (doc?.rev !== listed.get(change.id)) faults.push(`${change.id}: list and get disagree`)
    if (!change.deleted && doc?.rev !== change.rev) faults.push(`${change.id}: changes and get disagree`)
    if (change.deleted && doc !== undefined) faults.push(`${change.id} is deleted and can be got`)
    if (change.conflicts.length > 0) faults.push(`${change.id} has conflicts, and there was one writer`)
  }
  for (const id of listed.keys()) if (!changed.has(id)) faults.push(`${id} is listed and never changed`)
  const ids = new Set([...ledger.ids, ...changed.keys()])
  for (const id of ids) {
    const fault = ledger.fault(id, standings.get(id))
    if (fault !== undefined) faults.push(fault)
  }
  const isThere = (id: string, rev: string): boolean => {
    const standing = standings.get(id)
    return standing !== undefined && (standing.rev === rev || standing.path.includes(rev))
  }
  faults.push(...ledger.wholes.halves(isThere))
  await compareCounts(db, { live: live.length, known: changed.size }, faults)
  const report = await db.verify()
  for (const finding of report.findings) faults.push(`verify: ${finding.file}: ${finding.fault}`)
  if (!report.ok && report.findings.length === 0) faults.push('verify: not ok, and nothing was found')
  if (options.settle && faults.length === 0) {
    for (const id of ids) ledger.settle(id, standings.get(id))
    ledger.wholes.settle()
  }
  return { ids: ids.size, faults }
}

async function readChanges(db: Database, faults: string[]): Promise<Map<string, Change>> {
  const changed = new Map<string, Change>()
  let seq = 0
  for await (const change of db.changes()) {
    if (change.seq <= seq) faults.push(`${change.id}: seq ${change.seq} comes after ${seq}`)
    if (changed.has(change.id)) faults.push(`${change.id} changed twice`)
    seq = change.seq
    changed.set(change.id, change)
  }
  return changed
}

async function readList(db: Database, faults: string[]): Promise<Map<string, string>> {
  const listed = new Map<string, string>()
  let previous: string | undefined
  for await (const { id, rev } of db.list()) {
    if (previous !== undefined && Buffer.compare(Buffer.from(previous), Buffer.from(id)) >= 0)
      faults.push(`${id} is listed after ${previous}`)
    previous = id
    listed.set(id, rev)
  }
  return listed
}

async function readEach(db: Database, ids: readonly string[]): Promise<Map<string, Stored>> {
  const got = new Map<string, Stored>()
  for (let from = 0; from < ids.length; from += PIECE) {
    for (const doc of await db.getMany(ids.slice(from, from + PIECE))) if (doc) got.set(doc.id, doc)
  }
  return got
}

async function standingOf(
  db: Database,
  ledger: Ledger,
  { id, rev, deleted }: Change,
  doc: Stored | undefined,
  faults: string[],
): Promise<Standing> {
  if (!ledger.hasAncestry(id) && rev.startsWith('1-')) return { rev, deleted, path: [], doc }
  const [leaf, ...others] = await replicaOf(db).leaves(id)
  if (others.length > 0 || leaf?.rev !== rev) faults.push(`${id}: its leaves are not its newest change`)
  return { rev, deleted, path: leaf?.path ?? [], doc }
}

async function compareCounts(
  db: Database,
  counted: { readonly live: number; readonly known: number },
  faults: string[],
): Promise<void> {
  const expected = {
    count: counted.live,
    documents: counted.live,
    tombstones: counted.known - counted.live,
    root: counted.known,
    conflicts: 0,
    notHeld: 0,
  }
  const { documents, tombstones, conflicts, notHeld, root } = await db.stats()
  const found = { count: await db.count(), documents, tombstones, root: root.count, conflicts, notHeld }
  for (const name of Object.keys(expected) as (keyof typeof expected)[])
    if (found[name] !== expected[name])
      faults.push(`${name} is ${found[name]}, counted were ${expected[name]}`)
}
