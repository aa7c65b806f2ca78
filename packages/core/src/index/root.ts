import { ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import { SALT_BYTES } from './border.js'
import type { Entry } from './entry.js'
import { addFingerprint, fingerprint, subtractFingerprint } from './fingerprint.js'
import { changeSeq, type Print } from './tally.js'

/** What the index knows of itself: how far it follows the log, and counts and a sum over all entries. */
export interface Root {
  /** Every record up to here is in the index. */
  readonly seq: number
  /** Ids known, deleted ones too. */
  readonly ids: number
  /** Ids whose winner is live. */
  readonly documents: number
  /** Ids with more than one live leaf. */
  readonly conflicts: number
  /** Leaves whose body is not held. */
  readonly notHeld: number
  /** Sum of the fingerprints of all ids mod 2^256: 32 bytes, big-endian. */
  readonly sum: Uint8Array
}

export const emptyRoot: Root = {
  seq: 0,
  ids: 0,
  documents: 0,
  conflicts: 0,
  notHeld: 0,
  sum: new Uint8Array(32),
}

const VERSION = 2
/** Before there were pages: without a salt. */
const VERSION_1 = 1

/** The root as it is stored. */
export interface StoredRoot {
  readonly root: Root
  /** Under which ids are hashed to find where pages begin; undefined in version 1, which had no pages. */
  readonly salt: Uint8Array | undefined
}

/** Layout: version (1 byte), the five counts as varints, the sum (32 bytes), the salt (8 bytes). */
export function encodeRoot(root: Root, salt: Uint8Array): Uint8Array {
  const writer = new ByteWriter(64)
  writer.u8(VERSION)
  for (const count of [root.seq, root.ids, root.documents, root.conflicts, root.notHeld]) writer.varint(count)
  writer.raw(root.sum)
  writer.raw(salt)
  return writer.finish()
}

/** @throws MalformedBytes */
export function decodeRoot(bytes: Uint8Array): StoredRoot {
  const reader = new ByteReader(bytes)
  const version = reader.u8()
  if (version !== VERSION && version !== VERSION_1) throw new MalformedBytes('unknown version of the root')
  const root = {
    seq: reader.varint(),
    ids: reader.varint(),
    documents: reader.varint(),
    conflicts: reader.varint(),
    notHeld: reader.varint(),
    sum: reader.raw(32).slice(),
  }
  const salt = version === VERSION ? reader.raw(SALT_BYTES).slice() : undefined
  reader.end()
  return { root, salt }
}

/** One document's entry before and after a commit. */
export interface EntryChange {
  readonly id: string
  readonly before: Entry | undefined
  readonly after: Entry
}

/** The fingerprints of changed entries, in their order. */
export function printsOf(changes: readonly EntryChange[]): Print[] {
  return changes.map(({ id, before, after }) => ({
    id,
    before: before && fingerprint(id, before.leaves),
    after: fingerprint(id, after.leaves),
    seq: changeSeq(after.leaves),
  }))
}

/** The root after entries changed, with these fingerprints, and the index follows the log up to `seq`. */
export function nextRoot(
  root: Root,
  changes: readonly EntryChange[],
  prints: readonly Print[],
  seq: number,
): Root {
  let { ids, documents, conflicts, notHeld } = root
  const sum = root.sum.slice()
  for (let i = 0; i < changes.length; i++) {
    const { before, after } = changes[i]!
    const print = prints[i]!
    if (before) {
      const tally = tallyOf(before)
      ids -= 1
      documents -= tally.document
      conflicts -= tally.conflict
      notHeld -= tally.notHeld
    }
    const tally = tallyOf(after)
    ids += 1
    documents += tally.document
    conflicts += tally.conflict
    notHeld += tally.notHeld
    if (print.before) subtractFingerprint(sum, print.before)
    addFingerprint(sum, print.after)
  }
  return { seq, ids, documents, conflicts, notHeld, sum }
}

/** Whether a document has several live leaves. */
export function isConflict({ leaves }: Entry): boolean {
  return leaves.filter(({ deleted }) => !deleted).length > 1
}

function tallyOf(entry: Entry): { document: number; conflict: number; notHeld: number } {
  let live = 0
  let notHeld = 0
  for (const leaf of entry.leaves) {
    if (!leaf.deleted) live += 1
    if (leaf.bodySeq === 0) notHeld += 1
  }
  return { document: live > 0 ? 1 : 0, conflict: live > 1 ? 1 : 0, notHeld }
}
