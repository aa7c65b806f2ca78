import { compareBytes } from '../bytes/compare.js'
import { toHex } from '../bytes/hex.js'
import { limits } from '../limits.js'
import type { LogRecord } from '../log/record.js'
import { compareRevs, generationOf } from './revision.js'

/** A leaf of a document's forest of revisions, as the index keeps it. */
export interface Leaf {
  readonly rev: string
  readonly deleted: boolean
  /** Only for a foreign rev: see `bodyHash` in revision.ts. */
  readonly bodyHash?: Uint8Array
  /** Its parent's rev; absent in a root. */
  readonly parent?: string
  /** Where it became known: its place in the feed. */
  readonly seq: number
  /** Where its body is; 0 when it is not held. */
  readonly bodySeq: number
}

/** What names a leaf: a native one its rev, a foreign one its rev and the hash of its body. */
export type LeafName = Pick<Leaf, 'rev' | 'bodyHash'>

/** What a log knows of one document besides its leaves. */
export interface Knowledge {
  /** Revs that have a record of their own in the log, leaves or not. */
  readonly recorded: ReadonlySet<string>
  /** The first `limits.ancestors` ancestors of each leaf, and no more: replicas must agree on what is an ancestor. */
  readonly ancestors: ReadonlySet<string>
}

/** What to do with a revision from elsewhere. */
export type MergePlan =
  /** Nothing: it is a leaf here, or an ancestor of one. */
  | { readonly result: 'known' }
  /** Append it with `supplies`: its leaf is known and not held. */
  | { readonly result: 'supplied' }
  /** Nothing yet: no record here carries any revision of its path. Ask for the whole path. */
  | { readonly result: 'detached' }
  /** Append it, with this path in place of its own. */
  | { readonly result: 'new'; readonly path: readonly string[] }

/** What a record does to the leaves of its document. */
export interface Applied {
  /** Winner first. */
  readonly leaves: readonly Leaf[]
  /** The leaves that are none any more. */
  readonly superseded: readonly Leaf[]
}

/** Text that is the same for two leaves only if they are the same leaf. */
export function leafKey(leaf: LeafName): string {
  return leaf.bodyHash === undefined ? leaf.rev : `${leaf.rev}:${toHex(leaf.bodyHash)}`
}

/**
 * The leaves in their order, the winner first: live before deleted, then the highest generation, then the highest
 * digest as text, then the highest hash of the body.
 */
export function sortLeaves(leaves: readonly Leaf[]): readonly Leaf[] {
  return leaves.length < 2 ? leaves : leaves.toSorted(compareLeaves)
}

/** The leaf that stands for the document; a tombstone only where no leaf is live. */
export function winner(leaves: readonly Leaf[]): Leaf | undefined {
  let best = leaves[0]
  for (const leaf of leaves) if (best !== undefined && compareLeaves(leaf, best) < 0) best = leaf
  return best
}

/** The live leaves besides the winner, in their order. */
export function conflictsOf(leaves: readonly Leaf[]): readonly Leaf[] {
  if (leaves.length < 2) return []
  return sortLeaves(leaves)
    .slice(1)
    .filter((leaf) => !leaf.deleted)
}

/**
 * What the record at `seq` makes of its document's leaves: the one step by which an index follows its log, at commit
 * and at replay. Applied again, it changes nothing.
 */
export function applyRecord(leaves: readonly Leaf[], seq: number, record: LogRecord): Applied {
  const held = record.kind === 'revision' ? seq : 0
  const known = leaves.find((leaf) => isSame(leaf, record))
  if (record.supplies) {
    return {
      leaves: known === undefined ? leaves : replace(leaves, known, { ...known, bodySeq: held }),
      superseded: [],
    }
  }
  const inPath = containment(record.path)
  const superseded = leaves.filter((leaf) => leaf !== known && inPath(leaf.rev))
  if (known !== undefined && superseded.length === 0) {
    return {
      leaves:
        known.bodySeq === 0 && held !== 0 ? replace(leaves, known, { ...known, bodySeq: held }) : leaves,
      superseded,
    }
  }
  const { rev, deleted, bodyHash, path } = record
  const leaf: Leaf = {
    rev,
    deleted,
    ...(bodyHash !== undefined && { bodyHash }),
    ...(path[0] !== undefined && { parent: path[0] }),
    seq,
    bodySeq: known === undefined || known.bodySeq === 0 ? held : known.bodySeq,
  }
  const kept = leaves.filter((other) => other !== known && !superseded.includes(other))
  return { leaves: sortLeaves([...kept, leaf]), superseded }
}

/**
 * What to do with a revision from elsewhere, where the leaves alone tell: always when it follows the newest leaf, and
 * when the document is not known at all. Undefined where they do not: then load what `planMerge` needs.
 */
export function planMergeByLeaves(
  leaves: readonly Leaf[],
  record: LogRecord,
  options: { readonly whole: boolean },
): MergePlan | undefined {
  if (leaves.length === 0) return planUnattached(record, options.whole)
  const known = leaves.find((leaf) => isSame(leaf, record))
  const fork = lastLeafInPath(leaves, record)
  if (known !== undefined) {
    // Paths of foreign revs are as long as somebody's history of them: this one may know better what is superseded.
    if (fork >= 0) return { result: 'new', path: record.path.slice(0, fork + 1) }
    return { result: known.bodySeq === 0 && record.kind === 'revision' ? 'supplied' : 'known' }
  }
  if (fork < 0 || mayBeAncestor(leaves, record)) return undefined
  return { result: 'new', path: record.path.slice(0, fork + 1) }
}

/**
 * What to do with a revision from elsewhere, one that `checkRevision` passed. `whole` says that its path is not cut.
 * Past `limits.ancestors` generations an ancestor may come back as a leaf, at every replica alike.
 */
export function planMerge(
  leaves: readonly Leaf[],
  record: LogRecord,
  options: { readonly whole: boolean; readonly knowledge: Knowledge },
): MergePlan {
  const plan = planMergeByLeaves(leaves, record, options)
  if (plan !== undefined) return plan
  const { knowledge, whole } = options
  if (knowledge.ancestors.has(record.rev)) return { result: 'known' }
  const fork = lastLeafInPath(leaves, record)
  const recorded = fork >= 0 ? fork : record.path.findIndex((rev) => knowledge.recorded.has(rev))
  if (recorded < 0) return planUnattached(record, whole)
  return { result: 'new', path: record.path.slice(0, recorded + 1) }
}

function planUnattached(record: LogRecord, whole: boolean): MergePlan {
  const oldest = record.path.at(-1) ?? record.rev
  if (!whole && record.path.length < limits.ancestors && generationOf(oldest) > 1)
    return { result: 'detached' }
  return { result: 'new', path: record.path.slice(0, limits.ancestors) }
}

/** Where the path meets the last of the leaves that it supersedes; -1 when it meets none. */
function lastLeafInPath(leaves: readonly Leaf[], record: LogRecord): number {
  const { path } = record
  if (leaves.length === 1) return path.indexOf(leaves[0]!.rev)
  const revs = new Set(leaves.map((leaf) => leaf.rev))
  return path.findLastIndex((rev) => revs.has(rev))
}

/** Only a leaf that the revision does not supersede, and of no lower generation, can descend from it. */
function mayBeAncestor(leaves: readonly Leaf[], record: LogRecord): boolean {
  const generation = generationOf(record.rev)
  const inPath = containment(record.path)
  return leaves.some((leaf) => {
    const other = generationOf(leaf.rev)
    return (other > generation || other === limits.generation) && !inPath(leaf.rev)
  })
}

function compareLeaves(a: Leaf, b: Leaf): number {
  if (a.deleted !== b.deleted) return a.deleted ? 1 : -1
  return compareRevs(b.rev, a.rev) || compareHashes(b.bodyHash, a.bodyHash)
}

function compareHashes(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  if (a === undefined || b === undefined) return (a === undefined ? 0 : 1) - (b === undefined ? 0 : 1)
  return compareBytes(a, b)
}

function isSame(a: LeafName, b: LeafName): boolean {
  return a.rev === b.rev && compareHashes(a.bodyHash, b.bodyHash) === 0
}

function replace(leaves: readonly Leaf[], old: Leaf, leaf: Leaf): readonly Leaf[] {
  return leaves.map((other) => (other === old ? leaf : other))
}

/** A test for membership that does not cost paths times leaves. */
function containment(path: readonly string[]): (rev: string) => boolean {
  if (path.length <= 8) return (rev) => path.includes(rev)
  const revs = new Set(path)
  return (rev) => revs.has(rev)
}
