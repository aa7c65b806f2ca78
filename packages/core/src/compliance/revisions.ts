import type { FeedOptions, FeedPage, Replica } from '../database/replica.js'
import { bodyHash, deriveRev } from '../document/revision.js'
import { type Leaf, sortLeaves } from '../document/tree.js'
import type { LogRecord } from '../log/record.js'

const ORIGIN = 'c0'.repeat(16)

interface RevisionOptions {
  readonly parent?: LogRecord
  readonly deleted?: boolean
  /** Gives it a digest of another system. */
  readonly digest?: string
}

/** A revision as its writer would send it, with its whole path. */
export function revision(id: string, n: number | string, options: RevisionOptions = {}): LogRecord {
  const { parent, deleted = false, digest } = options
  const body = deleted ? {} : { n }
  const path = parent ? [parent.rev, ...parent.path] : []
  const rev = digest === undefined ? deriveRev(parent?.rev, deleted, body) : `${path.length + 1}-${digest}`
  const foreign = digest === undefined ? {} : { bodyHash: bodyHash(deleted, body) }
  const fixed = { at: 1_800_000_000_000, origin: ORIGIN, supplies: false, continues: false }
  return { kind: 'revision', id, rev, path, deleted, ...fixed, ...foreign, body }
}

export function stubOf({ body: _, ...rest }: LogRecord): LogRecord {
  return { ...rest, kind: 'stub' }
}

/** The documents of a tree with two branches, a tombstone, a foreign pair and a stub: its leaves, the winner first. */
export function tree(id: string): {
  readonly records: readonly LogRecord[]
  readonly leaves: readonly LogRecord[]
} {
  const root = revision(id, 0)
  const left = revision(id, 1, { parent: root })
  const right = revision(id, 2, { parent: root })
  const gone = revision(id, 0, { parent: right, deleted: true })
  const longer = revision(id, 3, { parent: left })
  const longest = revision(id, 4, { parent: longer })
  const foreign = [5, 6].map((n) => revision(id, n, { digest: 'abc' }))
  const known = stubOf(revision(id, 7, { parent: right }))
  const leaves = [longest, gone, ...foreign, known]
  const named: Leaf[] = leaves.map((leaf) => ({ ...leaf, seq: 1, bodySeq: 0 }))
  const inOrder = sortLeaves(named).map((sorted) => leaves[named.indexOf(sorted)]!)
  return { records: [root, left, right, gone, longer, longest, ...foreign, known], leaves: inOrder }
}

/** What tells a leaf, and whether its body is held. */
export function told({ rev, deleted, bodyHash: hash, body }: LogRecord): string {
  const foreign = hash ? ` ${[...hash.subarray(0, 4)].join('.')}` : ''
  return `${rev}${foreign}${deleted ? ' deleted' : ''}${body === undefined ? ' stub' : ` ${JSON.stringify(body)}`}`
}

export async function leavesOf(replica: Replica, id: string): Promise<string[]> {
  return (await replica.leaves(id)).map(told)
}

/** What became of each record of a merge. */
export async function results(
  replica: Replica,
  records: readonly LogRecord[],
  options?: Parameters<Replica['merge']>[1],
): Promise<string[]> {
  const { outcomes } = await replica.merge(records, options)
  return outcomes.map((outcome) =>
    outcome.result === 'refused' ? `refused ${outcome.error.code}` : outcome.result,
  )
}

/** All pages of a feed from `since` on. */
export async function feedOf(
  replica: Replica,
  { since = 0, resume, ...options }: Partial<FeedOptions> = {},
): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = []
  let next: Next = { since, ...(resume && { resume }) }
  for (let pages = 0; pages < 10_000; pages++) {
    const page = await replica.feed({ bodies: true, ...options, ...next })
    records.push(...page.records)
    next = nextOf(page, next.since)
    if (!page.more) return records
  }
  throw new Error('the feed does not end')
}

type Next = Pick<FeedOptions, 'since' | 'resume'>

/** What the page after this one is asked for with. */
export function nextOf({ position, after }: FeedPage, since: number): Next {
  if (position.seq < since) throw new Error(`a page went back from ${since} to ${position.seq}`)
  return after === undefined ? { since: position.seq } : { since, resume: { until: position.seq, after } }
}
