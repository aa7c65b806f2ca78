import { compareBytes } from '../bytes/compare.js'
import { pathOf, readable, supersededOf } from '../changes/ancestry.js'
import { unknownOrigin } from '../changes/feed.js'
import { valueBytes } from '../codec/value-size.js'
import { bodyHash, deriveRev } from '../document/revision.js'
import { type Leaf, leafKey } from '../document/tree.js'
import type { LogRecord } from '../log/record.js'
import type { Context } from './context.js'
import type { HeldUnder, LeafRef } from './replica.js'

/** Bytes of bodies after which no more leaves are looked under. */
const PAGE_BYTES = 1024 * 1024

/** A leaf of a document with the revisions that lead to it. */
interface Line {
  readonly leaf: Leaf
  /** The leaf first, then its ancestors, the parent first. */
  readonly revs: readonly string[]
  /** What stands for the leaf: its place in `revs`; undefined where there is nothing. */
  readonly best: { readonly at: number; readonly record: LogRecord | undefined } | undefined
}

/**
 * For leaves that are not held: the newest revision on the way to each whose body is, with its whole path. A tombstone
 * counts as held where its digest or hash says that its body is {}; another that is not held hides what it deleted. What
 * another leaf of the document brings along as an ancestor is left out.
 */
export async function heldUnder(context: Context, leaves: readonly LeafRef[]): Promise<HeldUnder> {
  const records: LogRecord[] = []
  let bytes = 0
  let done = 0
  let id: string | undefined
  let lines: readonly Line[] = []
  for (const wanted of leaves) {
    if (wanted.id !== id) lines = await linesOf(context, wanted.id)
    id = wanted.id
    const line = lines.find(({ leaf }) => leafKey(leaf) === leafKey(wanted))
    const record = line?.best?.record
    if (line !== undefined && record !== undefined && !isCovered(record.rev, line, lines)) {
      records.push(record)
      bytes += valueBytes(record.body ?? null)
    }
    done += 1
    if (bytes >= PAGE_BYTES) break
  }
  return { records, done }
}

/** Whether what stands for another leaf has the revision as an ancestor, or is the same and comes first. */
function isCovered(rev: string, line: Line, lines: readonly Line[]): boolean {
  return lines.some((other, index) => {
    if (other === line || other.best === undefined) return false
    const at = other.revs.indexOf(rev)
    return at > other.best.at || (at === other.best.at && at >= 0 && index < lines.indexOf(line))
  })
}

async function linesOf(context: Context, id: string): Promise<readonly Line[]> {
  const { log, index } = context
  const entry = await index.get(id)
  const superseded = entry?.leaves.some(({ parent }) => parent !== undefined) === true
  const rows = superseded ? await index.history(id) : []
  const lines: Line[] = []
  const recorded = supersededOf(index, id)
  for (const leaf of entry?.leaves ?? []) {
    const revs = [leaf.rev, ...(await pathOf(log, index, id, leaf, 0, recorded))]
    const held = leaf.bodySeq !== 0 && (await readable(log, leaf.bodySeq))?.body !== undefined
    const best = held ? { at: 0, record: undefined } : await newest(context, id, leaf, revs, rows)
    lines.push({ leaf, revs, best })
  }
  return lines
}

type Rows = readonly { readonly seq: number; readonly rev: string; readonly bodySeq: number }[]

async function newest(
  { log }: Context,
  id: string,
  leaf: Leaf,
  revs: readonly string[],
  rows: Rows,
): Promise<Line['best']> {
  for (const [at, rev] of revs.entries()) {
    const path = revs.slice(at + 1)
    // A rev that several have is told apart by its body alone, which is what is looked for.
    const places = at === 0 ? [leaf] : rows.filter((row) => row.rev === rev)
    for (const place of places) {
      const record = await readable(log, place.bodySeq === 0 ? place.seq : place.bodySeq)
      if (record?.body !== undefined) return { at, record: alone(record, path) }
    }
    const stub = places[0] === undefined ? undefined : await readable(log, places[0].seq)
    const tombstone = {
      ...known(id, rev, stub),
      ...(at === 0 && leaf.bodyHash && { bodyHash: leaf.bodyHash }),
    }
    if (isEmptyTombstone(tombstone, path[0])) {
      return { at, record: alone({ ...tombstone, kind: 'revision', deleted: true, body: {} }, path) }
    }
    if (at === 0 ? leaf.deleted : stub?.deleted === true) return undefined
  }
  return undefined
}

/** A revision of which nothing may be recorded but its rev, in the path of another. */
function known(id: string, rev: string, stub: LogRecord | undefined): LogRecord {
  return (
    stub ?? {
      kind: 'stub',
      id,
      rev,
      path: [],
      deleted: false,
      at: 0,
      origin: unknownOrigin,
      supplies: false,
      continues: false,
    }
  )
}

function isEmptyTombstone({ rev, bodyHash: hash }: LogRecord, parent: string | undefined): boolean {
  if (hash !== undefined) return compareBytes(hash, bodyHash(true, {})) === 0
  return deriveRev(parent, true, {}) === rev
}

/** The record as it travels: with this path, and as no part of what it was part of here. */
function alone(record: LogRecord, path: readonly string[]): LogRecord {
  return { ...record, path, supplies: false, continues: false }
}
