import { expect, test } from 'vitest'
import { revision, stubOf } from '../../src/compliance/revisions.js'
import { MemoryDisk } from '../../src/compliance.js'
import { type CompactOptions, type Database, limits, open } from '../../src/index.js'
import { type LogRecord, replicaOf } from '../../src/replica.js'
import { seeded } from '../storage/seeded.js'

function opener(disk = new MemoryDisk()): (options?: Parameters<typeof open>[1]) => Promise<Database> {
  return (options) =>
    open('db', { storage: disk.storage(), level: (at) => disk.level(at), shardBytes: 1_000, ...options })
}

/** What does not compress to nothing. */
function text(seed: number): string {
  const random = seeded(seed)
  return Array.from({ length: 12 }, () => random().toString(36).slice(2, 9)).join(' ')
}

async function edited(db: Database, documents: number, edits: number): Promise<void> {
  for (let n = 0; n < edits; n++) {
    await db.putMany(
      Array.from({ length: documents }, (_, i) => ({ id: `d${i}`, n, text: text(i * 31 + n) })),
      { overwrite: true },
    )
    await db.seal()
  }
}

test('what is superseded goes, and the report and the stats tell', async () => {
  const start = opener()
  const db = await start()
  await edited(db, 50, 4)
  const before = await db.stats()
  expect(before).toMatchObject({ historySince: 0 })
  expect(before.deadBytes).toBeGreaterThan(before.sealedBytes / 2)
  const progress: number[] = []
  const report = await db.compact({
    onProgress: ({ doneBytes, totalBytes }) => progress.push(doneBytes / totalBytes),
  })
  expect(progress.at(-1)).toBe(1)
  const after = await db.stats()
  // Of each document the root, and the bodies of two revisions.
  expect(report).toMatchObject({
    recordsDropped: 50,
    bodiesDropped: 100,
    bytesBefore: before.diskBytes - before.indexBytes,
  })
  expect(report.bytesAfter).toBeLessThan(report.bytesBefore)
  expect(after).toMatchObject({
    deadBytes: 0,
    sealedRecords: 150,
    historySince: 200,
    seq: 200,
    lostRecords: 0,
  })
  expect(await db.get('d7')).toMatchObject({ n: 3 })
  expect(await db.compact()).toMatchObject({ recordsDropped: 0, bodiesDropped: 0, segmentsRewritten: 0 })
  await db.close()
})

test('documents of more generations than are kept as ancestors do not grow without end', async () => {
  const start = opener()
  const db = await start()
  const chain: LogRecord[] = [revision('a', 0)]
  const edits = limits.ancestors + 300
  for (let n = 1; n <= edits; n++) {
    const parent = chain.at(-1)!
    chain.push({ ...revision('a', n, { parent }), path: [parent.rev] })
  }
  for (let i = 0; i < chain.length; i += 200) {
    await replicaOf(db).merge(chain.slice(i, i + 200))
    await db.seal()
  }
  const [leaf] = await replicaOf(db).leaves('a')
  expect(leaf?.path).toHaveLength(limits.ancestors)
  const { recordsDropped } = await db.compact()
  expect(recordsDropped).toBe(300)
  expect(await replicaOf(db).leaves('a')).toEqual([leaf])
  await db.close()
  const again = await start({ level: () => new MemoryDisk().level('none') })
  expect(await replicaOf(again).leaves('a')).toEqual([leaf])
  const old = await replicaOf(again).merge([{ ...chain[400]!, path: [], ...foreign(chain[400]!) }], {
    whole: true,
  })
  expect(old.outcomes).toMatchObject([{ result: 'refused' }])
  expect((await replicaOf(again).merge([whole(chain, 400)], { whole: true })).outcomes).toEqual([
    { result: 'known' },
  ])
  await again.close()
}, 30_000)

function foreign({ rev }: LogRecord): Partial<LogRecord> {
  return { rev: `${rev.split('-')[0]}-xyz` }
}

/** A revision of the chain with the whole way to its root. */
function whole(chain: readonly LogRecord[], at: number): LogRecord {
  const path = chain.slice(0, at).map(({ rev }) => rev)
  return { ...chain[at]!, path: path.toReversed() }
}

test('what is held under a leaf that is not stays', async () => {
  const start = opener()
  const db = await start()
  const root = revision('a', 1)
  const second = revision('a', 2, { parent: root })
  const third = revision('a', 3, { parent: second })
  await replicaOf(db).merge([root, second, stubOf(third)])
  await edited(db, 20, 3)
  await db.compact()
  const { records } = await replicaOf(db).heldUnder([third])
  expect(records).toMatchObject([{ rev: second.rev, body: { n: 2 }, path: [root.rev] }])
  await replicaOf(db).merge([third])
  await edited(db, 20, 3)
  await db.compact()
  expect((await replicaOf(db).heldUnder([third])).records).toEqual([])
  expect(await db.get('a')).toMatchObject({ n: 3 })
  await db.close()
})

test('it is stopped by its signal and by the close, and what was done stays', async () => {
  const start = opener()
  const db = await start()
  await edited(db, 60, 4)
  const stop = new AbortController()
  const options: CompactOptions = { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) }
  await expect(db.compact(options)).rejects.toThrow('enough')
  await expect(db.compact({ signal: AbortSignal.abort(new Error('never')) })).rejects.toThrow('never')
  const [first, second] = [db.compact(), db.compact()]
  expect((await first).recordsDropped + (await second).recordsDropped).toBeLessThanOrEqual(60)
  await edited(db, 60, 2)
  const late = db.compact()
  const closed = db.close()
  await late.catch((error: unknown) => expect(error).toMatchObject({ code: 'MYNAH_CLOSED' }))
  await closed
  const readOnly = await start({ readOnly: true })
  await expect(readOnly.compact()).rejects.toMatchObject({ code: 'MYNAH_READ_ONLY' })
  expect(await readOnly.get('d3')).toMatchObject({ n: 1 })
  await readOnly.close()
})

test('scans that began before go on to their ends', async () => {
  const start = opener()
  const db = await start({ cacheBytes: 1 })
  await edited(db, 100, 3)
  const list = db.list()[Symbol.asyncIterator]()
  const changes = db.changes({ documents: true })[Symbol.asyncIterator]()
  const first = [(await list.next()).value, (await changes.next()).value]
  expect(first).toMatchObject([{ n: 2 }, { doc: { n: 2 } }])
  await db.compact()
  let listed = 1
  while (!(await list.next()).done) listed += 1
  let changed = 1
  while (!(await changes.next()).done) changed += 1
  expect([listed, changed]).toEqual([100, 100])
  await db.close()
})

test('a transaction of which a middle record is superseded stays one', async () => {
  const db = await open(':memory:', { shardBytes: 500 })
  await db.put({ id: 'b', n: 0 })
  await db.transaction(async (tx) => {
    for (const id of ['a', 'x', 'y', 'c']) await tx.put({ id, n: 1 })
  })
  for (const id of ['x', 'y', 'b']) await db.put({ id, n: 2 }, { overwrite: true })
  await db.seal()
  const { bodiesDropped, recordsDropped } = await db.compact()
  expect([bodiesDropped, recordsDropped]).toEqual([2, 1])
  const leaves = (await Promise.all(['a', 'c'].map((id) => replicaOf(db).leaves(id)))).flat()
  const together = await replicaOf(db).together(leaves.map(({ id, rev }) => ({ id, rev })))
  expect(together.map((refs) => refs.map(({ id }) => id))).toEqual([['a', 'c']])
  // Again: what stands between stays.
  await db.compact()
  expect((await replicaOf(db).together([leaves[0]!])).flat().map(({ id }) => id)).toEqual(['a', 'c'])
  expect(await db.verify()).toMatchObject({ ok: true })
  await db.close()
})
