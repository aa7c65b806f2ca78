import { ByteReader, MalformedBytes } from '../bytes/byte-reader.js'
import { ByteWriter } from '../bytes/byte-writer.js'
import type { Entry } from './entry.js'
import { addFingerprint, fingerprint, subtractFingerprint } from './fingerprint.js'

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

const VERSION = 1

/** Layout: version (1 byte), the five counts as varints, the sum (32 bytes). */
export function encodeRoot(root: Root): Uint8Array {
  const writer = new ByteWriter(64)
  writer.u8(VERSION)
  for (const count of [root.seq, root.ids, root.documents, root.conflicts, root.notHeld]) writer.varint(count)
  writer.raw(root.sum)
  return writer.finish()
}

/** @throws MalformedBytes */
export function decodeRoot(bytes: Uint8Array): Root {
  const reader = new ByteReader(bytes)
  if (reader.u8() !== VERSION) throw new MalformedBytes('unknown version of the root')
  const root = {
    seq: reader.varint(),
    ids: reader.varint(),
    documents: reader.varint(),
    conflicts: reader.varint(),
    notHeld: reader.varint(),
    sum: reader.raw(32).slice(),
  }
  reader.end()
  return root
}

/** One document's entry before and after a commit. */
export interface EntryChange {
  readonly id: string
  readonly before: Entry | undefined
  readonly after: Entry
}

/** The root after entries changed and the index follows the log up to `seq`. */
export function nextRoot(root: Root, changes: Iterable<EntryChange>, seq: number): Root {
  let { ids, documents, conflicts, notHeld } = root
  const sum = root.sum.slice()
  for (const { id, before, after } of changes) {
    if (before) {
      const tally = tallyOf(before)
      ids -= 1
      documents -= tally.document
      conflicts -= tally.conflict
      notHeld -= tally.notHeld
      subtractFingerprint(sum, fingerprint(id, before.leaves))
    }
    const tally = tallyOf(after)
    ids += 1
    documents += tally.document
    conflicts += tally.conflict
    notHeld += tally.notHeld
    addFingerprint(sum, fingerprint(id, after.leaves))
  }
  return { seq, ids, documents, conflicts, notHeld, sum }
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
