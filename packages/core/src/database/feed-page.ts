import { compareUtf8 } from '../bytes/compare.js'
import { readable, supersededOf } from '../changes/ancestry.js'
import { type ChangedDocument, changedDocuments, leafRecord } from '../changes/feed.js'
import { positionAt } from '../changes/positions.js'
import { valueBytes } from '../codec/value-size.js'
import { boundsWithin } from '../index/prefixes.js'
import type { Bounds } from '../index/range.js'
import { changeSeq } from '../index/tally.js'
import type { LogRecord } from '../log/record.js'
import type { Context } from './context.js'
import type { FeedOptions, FeedPage } from './replica.js'

const PAGE_BYTES = 1024 * 1024
/** Bodies of a document past this are told as stubs. */
const LEAVES_BYTES = 16 * 1024 * 1024
/** Documents of which the records are read together, in the order of the log. */
const TOGETHER = 512

/** A page of the feed: all of it in the order of the log, or a part of the ids in their order. */
export function feedPage(context: Context, options: FeedOptions): Promise<FeedPage> {
  const { prefixes, without, resume } = options
  const isPart = prefixes !== undefined || without !== undefined || resume !== undefined
  return isPart ? pageById(context, options) : pageBySeq(context, options)
}

async function pageBySeq(context: Context, options: FeedOptions): Promise<FeedPage> {
  const { log, index } = context
  const until = log.synced
  const budget = options.bytes ?? PAGE_BYTES
  const upTo = options.upTo ?? until
  const records: LogRecord[] = []
  let bytes = 0
  // What stands at the page's border may go on behind it.
  let alone = options.since === 0 || (await readable(log, options.since))?.continues === false
  for await (const { documents, continues } of changedDocuments(
    log,
    index,
    options.since,
    until,
    options.early,
  )) {
    if (continues) alone = false
    for (const document of documents) {
      options.signal?.throwIfAborted()
      if (document.seq > upTo)
        return { records, position: positionAt(log.incarnations, upTo), more: true, alone }
      // Other leaves, and newer ones, were written where this page does not look.
      if (document.entry.leaves.length > 1 || document.entry.leaves[0]!.seq !== document.seq) alone = false
      const told = await recordsOf(context, document, options)
      records.push(...told.records)
      bytes += told.bytes
      if (bytes >= budget && document.seq < until) {
        return { records, position: positionAt(log.incarnations, document.seq), more: true, alone }
      }
    }
  }
  return { records, position: positionAt(log.incarnations, until), more: false, alone }
}

/**
 * A part of the ids, in their order, from the index: only its pages that changed after `since` are read. Why nothing that
 * changed after `since` up to the end H, which is fixed before the first page, is left out, however long it takes and
 * whatever changes meanwhile: the newest change of a document only ever rises. One that lies in that span when the first
 * page is begun lies in it when its id is reached, or was changed again after H; it is told either way. One that
 * changes, or comes to be, behind the place that was reached does so after H, and the next feed, from H on, tells it.
 */
async function pageById(context: Context, options: FeedOptions): Promise<FeedPage> {
  const { log, index } = context
  const { since, resume } = options
  const newest = Math.min(log.synced, index.root.seq)
  const until = resume?.until ?? newest
  const end = { position: positionAt(log.incarnations, until), more: until < newest, alone: false }
  if (until <= since) return { records: [], ...end }
  const page = new PageById(context, options)
  for (const bounds of boundsWithin(options)) {
    const left = behind(bounds, resume?.after)
    if (left === undefined) continue
    for await (const [id, entry] of index.sums.changed(since, left)) {
      await page.add({ id, entry, seq: changeSeq(entry.leaves) })
      if (page.full) break
    }
    if (page.full) break
  }
  if (!page.full) await page.finish()
  // Who is told with a newer change must not come back as it was, behind the position that is given out.
  if (log.synced < log.head) await log.sync()
  const { records, after } = page
  return after === undefined ? { records, ...end } : { records, ...end, more: true, after }
}

/** What of the bounds comes after an id. */
function behind({ from, to }: Bounds, id: string | undefined): Bounds | undefined {
  if (id === undefined || compareUtf8(id, from) < 0) return { from, to }
  return to !== undefined && compareUtf8(id, to) >= 0 ? undefined : { from: `${id}\0`, to }
}

/**
 * Gathers a page. Records lie in the log in another order than ids, and each may be in another shard: so those of several
 * documents, as many as the page is likely to take, are read in the order of the log.
 */
class PageById {
  readonly records: LogRecord[] = []
  /** The last id that is told, where the page ended before it came to the end. */
  after: string | undefined
  readonly #context: Context
  readonly #options: FeedOptions
  readonly #budget: number
  #waiting: ChangedDocument[] = []
  #together = 1
  #told = 0
  #bytes = 0

  constructor(context: Context, options: FeedOptions) {
    this.#context = context
    this.#options = options
    this.#budget = options.bytes ?? PAGE_BYTES
  }

  /** Whether the page has ended: what comes next is left for another one. */
  get full(): boolean {
    return this.after !== undefined
  }

  async add(document: ChangedDocument): Promise<void> {
    this.#waiting.push(document)
    if (this.#waiting.length >= this.#together) await this.finish()
  }

  /** Reads what was added. */
  async finish(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    const read = await this.#read(waiting)
    // What was not read ends the page before it, so that nothing is passed over.
    const unread = waiting.findIndex((document) => !read.has(document))
    const told = unread === -1 ? waiting : waiting.slice(0, Math.max(1, unread))
    for (const document of told) {
      const { records, bytes } = read.get(document) ?? (await this.#recordsOf(document))
      this.records.push(...records)
      this.#bytes += bytes
    }
    this.#told += told.length
    if (told.length < waiting.length || (told.length > 0 && this.#bytes >= this.#budget))
      this.after = told.at(-1)!.id
    const left = ((this.#budget - this.#bytes) * this.#told) / Math.max(1, this.#bytes)
    this.#together = Math.max(1, Math.min(TOGETHER, Math.floor(left)))
  }

  /** All of them, unless they are far larger than was to be expected. */
  async #read(documents: readonly ChangedDocument[]): Promise<ReadonlyMap<ChangedDocument, Told>> {
    const read = new Map<ChangedDocument, Told>()
    let bytes = 0
    for (const document of [...documents].sort((a, b) => a.seq - b.seq)) {
      if (bytes > 2 * this.#budget) break
      const told = await this.#recordsOf(document)
      bytes += told.bytes
      read.set(document, told)
    }
    return read
  }

  #recordsOf(document: ChangedDocument): Promise<Told> {
    this.#options.signal?.throwIfAborted()
    return recordsOf(this.#context, document, this.#options)
  }
}

/** A document's leaves as they are told, and about how many bytes they are. */
interface Told {
  readonly records: readonly LogRecord[]
  readonly bytes: number
}

async function recordsOf(
  { log, index }: Context,
  { id, entry }: ChangedDocument,
  options: FeedOptions,
): Promise<Told> {
  const since = options.whole ? 0 : options.since
  const records: LogRecord[] = []
  let bytes = 0
  let bodyBytes = 0
  const superseded = supersededOf(index, id)
  for (const leaf of entry.leaves) {
    // All bodies of a document may be more than one shard takes, or the memory.
    const bodies = options.bodies && bodyBytes < LEAVES_BYTES
    const record = await leafRecord(log, index, id, leaf, { bodies, since, superseded })
    bodyBytes += valueBytes(record.body ?? null)
    bytes += 2 * id.length + 40 * (1 + record.path.length)
    records.push(record)
  }
  return { records, bytes: bytes + bodyBytes }
}
