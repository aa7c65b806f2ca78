import type { Database } from '../../src/index.js'
import { type LogRecord, type Replica, replicaOf, type TakeReport } from '../../src/replica.js'
import type { RandomSource } from '../../src/storage/memory-disk.js'

/** What one page of shards may hold: little, so that there are many. */
const PAGE = { bytes: 2_000, records: 60 }

/** Merges all leaves of documents, as a receiver does that could not attach one. */
async function mergeWhole(source: Replica, target: Replica, ids: readonly string[]): Promise<void> {
  for (const id of new Set(ids)) await target.merge(await source.leaves(id), { whole: true })
}

/** What the source's feed tells past a seq, page by page; gives the seq that it covers. */
export async function copyByFeed(from: Database, to: Database, since = 0): Promise<number> {
  const [source, target] = [replicaOf(from), replicaOf(to)]
  for (let seq = since; ; ) {
    const page = await source.feed({ since: seq, bodies: true, bytes: 3_000 })
    const { outcomes } = await target.merge(page.records, { from: 'mirror' })
    const detached = page.records.filter((_, at) => outcomes[at]!.result === 'detached')
    await mergeWhole(
      source,
      target,
      detached.map(({ id }) => id),
    )
    seq = page.position.seq
    if (!page.more) return seq
  }
}

/** The sealed part of the source past a seq; gives the seq that it covers, and what became of each page. */
export async function copyByShards(
  from: Database,
  to: Database,
  after = 0,
  between: (seq: number) => Promise<void> = async () => undefined,
): Promise<{ readonly seq: number; readonly reports: readonly TakeReport[] }> {
  const [source, target] = [replicaOf(from), replicaOf(to)]
  const reports: TakeReport[] = []
  for (let seq = after; ; ) {
    const page = await source.shards({ after: seq, ...PAGE })
    const report = await target.takeShards(page.shards)
    await mergeWhole(source, target, report.detached)
    reports.push(report)
    seq = page.position.seq
    await between(seq)
    if (!page.more) return { seq, reports }
  }
}

/** All that is known and held: each leaf with its path, deletion, body and origin, but for these. */
export async function allOf(db: Database, own: ReadonlySet<string> = new Set()): Promise<readonly string[]> {
  const { records } = await replicaOf(db).feed({
    since: 0,
    bodies: true,
    whole: true,
    bytes: Number.POSITIVE_INFINITY,
  })
  return records.map((record) => told(record, own)).sort()
}

function told({ id, rev, path, deleted, origin, kind, body }: LogRecord, own: ReadonlySet<string>): string {
  return JSON.stringify([id, rev, path, deleted, own.has(origin) ? 'own' : origin, kind, body])
}

/** Writes of an application on a few documents: puts, deletions, transactions, moments of sealing and compaction. */
export async function live(db: Database, random: RandomSource, steps: number): Promise<void> {
  const below = (bound: number) => Math.floor(random() * bound)
  for (let step = 0; step < steps; step++) {
    const id = `d${below(25)}`
    const what = random()
    if (what < 0.55) await db.put({ id, n: step, text: `${id} ${random()}` }, { overwrite: true })
    else if (what < 0.65) await db.delete(id)
    else if (what < 0.75)
      await db.transaction(async (tx) => {
        for (const other of [id, `t${below(5)}`])
          await tx.put({ ...(await tx.get(other)), id: other, n: step, text: `${random()}` })
      })
    else if (what < 0.9) {
      const docs = Array.from({ length: 20 }, (_, n) => ({ id: `many${below(200)}`, n, text: `${random()}` }))
      await db.putMany([...new Map(docs.map((doc) => [doc.id, doc])).values()], { overwrite: true })
    } else if (what < 0.97) await db.seal()
    else await db.compact()
  }
}
