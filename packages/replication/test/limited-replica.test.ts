import { type Database, nodeEnv, open } from '@mynah/core'
import { compareUtf8, decodeRecords, encodeRecords, type LogRecord, replicaOf } from '@mynah/core/replica'
import { IdPrefixes, LimitedReplica, type ServedReplica } from '@mynah/replication/serve'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'

/** Few characters, next to each other at the borders of UTF-8 and UTF-16. */
const text = (lengths: { minLength: number; maxLength: number }) =>
  fc.string({ unit: fc.constantFrom('a', 'b', '/', '\ud7ff', '\ue000', '\u{10ffff}'), ...lengths })
const prefix = text({ minLength: 1, maxLength: 3 })
const id = text({ minLength: 1, maxLength: 5 })
const prefixes = fc.array(prefix, { minLength: 1, maxLength: 4 })
const isWithin = (some: readonly string[], one: string) => some.some((begin) => one.startsWith(begin))

test('prefixes include what begins with one of them, and what is within a prefix is the same', () => {
  fc.assert(
    fc.property(prefixes, id, prefix, (own, one, asked) => {
      const ids = new IdPrefixes(own)
      expect(ids.includes(one)).toBe(isWithin(own, one))
      expect(isWithin(ids.within(asked), one)).toBe(isWithin(own, one) && one.startsWith(asked))
      expect([...ids.prefixes].sort(compareUtf8)).toEqual(ids.prefixes)
    }),
  )
})

test('a range is covered only if all ids in it are included', () => {
  fc.assert(
    fc.property(prefixes, id, fc.option(id, { nil: undefined }), fc.array(id), (own, gte, lt, some) => {
      const ids = new IdPrefixes(own)
      if (!ids.covers({ gte, ...(lt !== undefined && { lt }) })) return
      for (const one of some) {
        const isInRange = compareUtf8(one, gte) >= 0 && (lt === undefined || compareUtf8(one, lt) < 0)
        if (isInRange) expect([own, one, ids.includes(one)]).toEqual([own, one, true])
      }
    }),
    { numRuns: 1_000 },
  )
  const ids = new IdPrefixes(['a/', 'b'])
  for (const one of [{ prefix: 'a/' }, { prefix: 'a/x' }, { gte: 'b', lt: 'c' }, { gte: 'a/', lt: 'a0' }])
    expect([one, ids.covers(one)]).toEqual([one, true])
  for (const one of [{}, { prefix: 'a' }, { gte: 'a/' }, { gte: 'a', lt: 'a/z' }, { gte: 'a/', lt: 'c' }])
    expect([one, ids.covers(one)]).toEqual([one, false])
})

async function mirrorOf(ids: Iterable<string>): Promise<{ database: Database; replica: ServedReplica }> {
  const database = await open(':memory:', { mode: 'mirror' })
  onTestFinished(() => database.close())
  for (const outcome of await database.putMany([...ids].map((one) => ({ id: one }))))
    if (!outcome.ok) throw outcome.error
  return { database, replica: replicaOf(database) }
}

const forbidden = { code: 'MYNAH_FORBIDDEN' }

test('what asks for more than the prefixes is refused, and not answered in part', async () => {
  const { replica } = await mirrorOf(['a/1', 'a/2', 'b/1', 'c/1'])
  const limited = new LimitedReplica(replica, new IdPrefixes(['a/', 'c']))
  const feed = (asked?: readonly string[]) =>
    limited.feed({ since: 0, bodies: true, ...(asked && { prefixes: asked }) })
  const idsOf = async (asked: readonly string[]) => (await feed(asked)).records.map((record) => record.id)
  expect(await idsOf(['a/', 'c'])).toEqual(['a/1', 'a/2', 'c/1'])
  expect(await idsOf(['a/2'])).toEqual(['a/2'])
  for (const asked of [undefined, [], [''], ['a'], ['b/'], ['a/', 'b/1']])
    await expect(feed(asked)).rejects.toMatchObject(forbidden)

  expect(await limited.sum({ prefix: 'a/' })).toEqual(await replica.sum({ prefix: 'a/' }))
  expect(await limited.prints({ gte: 'c', lt: 'd' }, 9)).toHaveLength(1)
  expect(await limited.parts({ prefix: 'c' }, () => 9)).toHaveLength(1)
  await expect(limited.sum({})).rejects.toMatchObject(forbidden)
  await expect(limited.parts({ gte: 'a/', lt: 'c' }, () => 9)).rejects.toMatchObject(forbidden)
  await expect(limited.prints({ gte: 'b' }, 9)).rejects.toMatchObject(forbidden)

  const [known] = (await replica.feed({ since: 0, bodies: true })).records.filter(({ id }) => id === 'a/1')
  const leaves = ['a/1', 'b/1', 'a/9'].map((id) => ({ id, rev: known!.rev }))
  expect(await limited.missing(leaves)).toEqual([false, true, true])
  expect((await limited.held(leaves)).held).toEqual([true, false, false])
  expect(await limited.bodies([leaves[0]!])).toHaveLength(1)
  await expect(limited.bodies(leaves)).rejects.toMatchObject(forbidden)
  await expect(limited.leaves('b/1')).rejects.toMatchObject(forbidden)
  await expect(limited.leaves('b/none')).rejects.toMatchObject(forbidden)
})

/** Records as a peer sends them: of transactions of these documents. */
async function pushed(transactions: readonly (readonly string[])[]): Promise<LogRecord[]> {
  const peer = await open(':memory:')
  onTestFinished(() => peer.close())
  const all: LogRecord[] = []
  for (const ids of transactions) {
    await peer.transaction(async (tx) => {
      for (const one of ids) await tx.put({ id: one })
    })
    for (const [at, one] of ids.entries()) {
      const [record] = await replicaOf(peer).leaves(one)
      all.push({ ...record!, continues: at < ids.length - 1 })
    }
  }
  return decodeRecords(await encodeRecords(all, nodeEnv), nodeEnv)
}

test('of a push what is elsewhere is refused, with its transaction, and the rest is taken', async () => {
  const { database, replica } = await mirrorOf([])
  const limited = new LimitedReplica(replica, new IdPrefixes(['a/']))
  const records = await pushed([['a/1'], ['b/1'], ['a/2', 'a/3'], ['a/4', 'b/2', 'a/5'], ['a/6']])
  const { outcomes, before, position } = await limited.merge(records, { from: 'peer' })
  expect(outcomes.map((one) => (one.result === 'refused' ? one.error.code : one.result))).toEqual([
    'new',
    'MYNAH_FORBIDDEN',
    'new',
    'new',
    'MYNAH_FORBIDDEN',
    'MYNAH_FORBIDDEN',
    'MYNAH_FORBIDDEN',
    'new',
  ])
  expect(position.seq - before).toBe(4)
  const there: string[] = []
  for await (const doc of database.list()) there.push(doc.id)
  expect(there).toEqual(['a/1', 'a/2', 'a/3', 'a/6'])
  // A transaction that does not end is refused, whatever is left out before it.
  const torn = (await pushed([['b/3'], ['a/7', 'a/8']])).slice(0, 2)
  expect((await limited.merge(torn, { from: 'peer' })).outcomes.map(({ result }) => result)).toEqual([
    'refused',
    'refused',
  ])
  expect((await limited.merge([], { from: 'peer' })).outcomes).toEqual([])
})

test('what is owed is told within the prefixes, page by page, and names nothing of others', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(id, { maxLength: 40 }),
      prefixes,
      fc.nat({ max: 4 }),
      async (all, own, few) => {
        const mirror = await open(':memory:', { mode: 'mirror' })
        const peer = await open(':memory:')
        try {
          await peer.putMany(all.map((one) => ({ id: one })))
          const { records } = await replicaOf(peer).feed({ since: 0, bodies: false })
          await replicaOf(mirror).merge(records, { from: 'mirror' })
          const limited = new LimitedReplica(replicaOf(mirror), new IdPrefixes(own))
          const within = all.filter((one) => isWithin(own, one)).sort(compareUtf8)
          expect(await limited.owedCount()).toBe(within.length)
          const told: string[] = []
          for (let after: string | undefined, pages = 0; pages <= all.length + 1; pages++) {
            const page = await limited.owed({
              limit: 1 + few,
              ids: 1 + few,
              ...(after !== undefined && { after }),
            })
            told.push(...page.leaves.map((leaf) => leaf.id))
            after = page.next
            if (after === undefined) break
            expect(isWithin(own, after)).toBe(true)
          }
          expect(told).toEqual(within)
        } finally {
          await mirror.close()
          await peer.close()
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('who asks for what is owed after another id is refused', async () => {
  const { replica } = await mirrorOf(['b/1'])
  const limited = new LimitedReplica(replica, new IdPrefixes(['a/']))
  await expect(limited.owed({ limit: 1, after: 'b/0' })).rejects.toMatchObject(forbidden)
})
