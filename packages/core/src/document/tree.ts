import { compareBytes } from '../bytes/compare.js'
import { toHex } from '../bytes/hex.js'
import { DocumentInvalidError, RevisionRefusedError } from '../errors.js'
import { limits } from '../limits.js'
import type { LogRecord } from '../log/record.js'
import {
  bodyHash,
  compareRevs,
  deriveRev,
  generationOf,
  isNativeDigest,
  type ParsedRev,
  parseRev,
} from './revision.js'
import { acceptId } from './validate.js'

/** Up to here it costs less to go through a path than to make a set of it. */
const SHORT = 8

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

/** A revision from elsewhere, and what is known here of its document. */
export interface MergeInput {
  readonly leaves: readonly Leaf[]
  readonly incoming: LogRecord
  /** The sender did not cut the path. */
  readonly whole: boolean
  /** Whether a record here carries this rev, as a leaf or superseded. Asked only where `needsKnowledge` says so. */
  isRecorded(rev: string): boolean
  /**
   * Whether this rev is among the first `limits.ancestors` ancestors of a leaf, and not further back: replicas must
   * agree on it. Asked only where `needsKnowledge` says so.
   */
  isAncestor(rev: string): boolean
}

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
  if (leaves.length === 0 && !record.supplies) return { leaves: [leafOf(record, seq, held)], superseded: [] }
  const known = leaves.find((leaf) => isSame(leaf, record))
  if (record.supplies) {
    return {
      // A stub's word on deletion is its sender's; with the body, the digest proves it. A stub here takes the body away.
      leaves:
        known === undefined
          ? leaves
          : sortLeaves(replace(leaves, known, { ...known, deleted: record.deleted, bodySeq: held })),
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
  const leaf = leafOf(record, seq, known === undefined || known.bodySeq === 0 ? held : known.bodySeq)
  const kept = leaves.filter((other) => other !== known && !inPath(other.rev))
  return { leaves: inserted(kept, leaf), superseded }
}

/** The leaf in its place among others in their order: sorting all again is what a thousand conflicts would cost. */
function inserted(kept: readonly Leaf[], leaf: Leaf): readonly Leaf[] {
  let low = 0
  let high = kept.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareLeaves(kept[middle]!, leaf) <= 0) low = middle + 1
    else high = middle
  }
  return kept.toSpliced(low, 0, leaf)
}

function leafOf({ rev, deleted, bodyHash, path }: LogRecord, seq: number, bodySeq: number): Leaf {
  const [parent] = path
  // Without spreads where nothing is spread: most documents are new, and most leaves are native.
  if (bodyHash === undefined) {
    return parent === undefined ? { rev, deleted, seq, bodySeq } : { rev, deleted, parent, seq, bodySeq }
  }
  return { rev, deleted, bodyHash, ...(parent !== undefined && { parent }), seq, bodySeq }
}

/**
 * Whether planning this merge takes more than the leaves. Not when the document is unknown here, nor when the revision
 * is a leaf, nor when it follows one and no leaf can descend from it: the common cases.
 */
export function needsKnowledge(leaves: readonly Leaf[], incoming: LogRecord): boolean {
  if (leaves.length === 0 || leaves.some((leaf) => isSame(leaf, incoming))) return false
  return lastLeafInPath(leaves, incoming.path) < 0 || mayBeAncestor(leaves, incoming)
}

/** Whether planning this merge may ask for ancestors of the leaves: rare, as these have to be looked for. */
export function needsAncestors(leaves: readonly Leaf[], incoming: LogRecord): boolean {
  return needsKnowledge(leaves, incoming) && mayBeAncestor(leaves, incoming)
}

/**
 * What to do with a revision from elsewhere, one that `checkRevision` passed. Pure. More than `limits.ancestors`
 * generations on, an ancestor may come back as a leaf, at every replica alike.
 */
export function planMerge(input: MergeInput): MergePlan {
  const { leaves, incoming } = input
  const { path } = incoming
  const lastLeaf = lastLeafInPath(leaves, path)
  const known = leaves.find((leaf) => isSame(leaf, incoming))
  if (known !== undefined) {
    // Paths of foreign revs are as long as somebody's history of them: this one may know better what is superseded.
    if (lastLeaf >= 0) return { result: 'new', path: path.slice(0, lastLeaf + 1) }
    return { result: known.bodySeq === 0 && incoming.kind === 'revision' ? 'supplied' : 'known' }
  }
  if (mayBeAncestor(leaves, incoming) && input.isAncestor(incoming.rev)) return { result: 'known' }
  if (lastLeaf >= 0) return { result: 'new', path: path.slice(0, lastLeaf + 1) }
  const recorded = leaves.length === 0 ? -1 : path.findIndex((rev) => input.isRecorded(rev))
  if (recorded >= 0) return { result: 'new', path: path.slice(0, recorded + 1) }
  const oldest = path.at(-1) ?? incoming.rev
  const cut = !input.whole && path.length < limits.ancestors && generationOf(oldest) > 1
  return cut ? { result: 'detached' } : { result: 'new', path: path.slice(0, limits.ancestors) }
}

/**
 * Checks a revision from elsewhere: its id, its rev and path, and its body (which `acceptBody` took in) against its
 * digest or hash. What a stub claims of a body, and all ancestors but the parent, cannot be checked.
 * @throws RevisionRefusedError
 */
export function checkRevision(record: LogRecord): void {
  const { kind, rev, path, deleted, body, bodyHash: hash } = record
  const refuse = refuser(record)
  checkClaims(record)
  if ((kind === 'revision') !== (body !== undefined)) refuse('a revision has a body and a stub has none')
  if (body === undefined) return
  if (hash === undefined) {
    if (deriveRev(path[0], deleted, body) !== rev) refuse('the body does not fit the rev')
  } else if (compareBytes(bodyHash(deleted, body), hash) !== 0) refuse('the body does not fit its hash')
}

/** As `checkRevision`, but for the body, which may be absent. @throws RevisionRefusedError */
export function checkClaims(record: LogRecord): void {
  const { rev, path, supplies, bodyHash: hash } = record
  const refuse = refuser(record)
  checkId(record)
  const parsed = parseRev(rev) ?? refuse('the rev is malformed')
  checkPath(parsed, path, refuse)
  if (hash !== undefined) {
    if (hash.length !== 32) refuse('the hash of its body is not 32 bytes')
    return
  }
  if (!isNativeDigest(parsed.digest)) refuse('the digest is foreign, and there is no hash of the body')
  // What says no more than that a body is gone has no path.
  const evicts = supplies && record.kind === 'stub'
  if (parsed.generation > 1 && path.length === 0 && !evicts) refuse('the parent is missing')
}

function refuser({ id, rev }: LogRecord): (detail: string) => never {
  return (detail) => {
    throw new RevisionRefusedError(id, rev, detail)
  }
}

/** Where the path meets the last of the leaves that it supersedes; -1 when it meets none. */
function lastLeafInPath(leaves: readonly Leaf[], path: readonly string[]): number {
  if (leaves.length === 1) return path.indexOf(leaves[0]!.rev)
  const isLeaf =
    path.length <= SHORT
      ? (rev: string) => leaves.some((leaf) => leaf.rev === rev)
      : containment(leaves.map((leaf) => leaf.rev))
  return path.findLastIndex(isLeaf)
}

/** Only a leaf that the revision does not supersede, and of no lower generation, can descend from it. */
function mayBeAncestor(leaves: readonly Leaf[], incoming: LogRecord): boolean {
  const generation = generationOf(incoming.rev)
  const inPath = containment(incoming.path)
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
  if (path.length <= SHORT) return (rev) => path.includes(rev)
  const revs = new Set(path)
  return (rev) => revs.has(rev)
}

function checkId({ id, rev }: LogRecord): void {
  try {
    acceptId(id)
  } catch (cause) {
    if (!(cause instanceof DocumentInvalidError)) throw cause
    throw new RevisionRefusedError(id, rev, `the id ${cause.detail}`)
  }
}

function checkPath(child: ParsedRev, path: readonly string[], refuse: (detail: string) => never): void {
  if (path.length > limits.ancestors) refuse(`the path is longer than ${limits.ancestors}`)
  let { generation } = child
  for (const rev of path) {
    const parsed = parseRev(rev) ?? refuse('the path has a malformed rev')
    const stays = generation === limits.generation && parsed.generation === generation
    if (parsed.generation !== generation - 1 && !stays) refuse('the path skips a generation')
    generation = parsed.generation
  }
  // Below the highest generation no rev can come twice.
  if (child.generation !== limits.generation) return
  const rev = `${child.generation}-${child.digest}`
  if (path.includes(rev) || new Set(path).size !== path.length) refuse('the path goes in a circle')
}
