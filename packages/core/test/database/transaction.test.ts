import { afterEach, beforeEach, expect, test } from 'vitest'
import { GroupPlan } from '../../src/database/plan.js'
import { type Database, limits, open, type Transaction } from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'

interface Account {
  readonly id: string
  readonly rev: string
  readonly balance: number
}

let db: Database
beforeEach(async () => {
  db = await open(':memory:')
})
afterEach(() => db.close())

test('all of it is written, as one group, and each write is read in it', async () => {
  const given = await db.transaction(async (tx) => {
    const a = await tx.put({ id: 'a', n: 1 })
    expect(await tx.get('a')).toEqual(a)
    const again = await tx.put({ ...a, n: 2 })
    expect(await tx.getMany(['a', 'none'])).toEqual([again, undefined])
    const unnamed = await tx.put({ n: 3 })
    await tx.put({ id: 'gone' })
    const gone = await tx.delete('gone')
    expect(await tx.get('gone')).toBeUndefined()
    return { again, unnamed, gone }
  })
  expect(await db.get('a')).toEqual(given.again)
  expect(await db.get(given.unnamed.id)).toEqual(given.unnamed)
  expect(given.unnamed.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  expect(await db.read('gone')).toMatchObject({ deleted: true })
  expect((await db.stats()).seq).toBe(5)
})

test('a function that throws writes nothing, and its error is the transaction’s', async () => {
  const failure = new Error('no')
  const run = db.transaction(async (tx) => {
    await tx.put({ id: 'a' })
    throw failure
  })
  await expect(run).rejects.toBe(failure)
  expect(await db.count()).toBe(0)
  expect((await db.stats()).seq).toBe(0)
})

test('puts and deletes in it keep the rules of those outside', async () => {
  const a = await db.put({ id: 'a', n: 1 })
  await db.transaction(async (tx) => {
    await expect(tx.put({ id: 'a', n: 2 })).rejects.toMatchObject({ code: 'MYNAH_CONFLICT', rev: a.rev })
    await expect(tx.put({ id: 'a', bad: Number.NaN })).rejects.toMatchObject({
      code: 'MYNAH_DOCUMENT_INVALID',
    })
    expect(await tx.put({ ...a })).toEqual(a)
    expect(await tx.delete('none')).toBeUndefined()
    await expect(tx.delete({ id: 'a', rev: '1-ff' })).rejects.toMatchObject({ code: 'MYNAH_CONFLICT' })
  })
  expect((await db.stats()).seq).toBe(1)
  await db.transaction(async (tx) => {
    await tx.put({ id: 'a', n: 3 }, { overwrite: true })
    await tx.delete('a')
    await tx.put({ id: 'a', n: 4 })
  })
  expect(await db.get('a')).toMatchObject({ n: 4, rev: expect.stringMatching(/^4-/) })
})

test('calls that nobody waits for belong to it, in their order', async () => {
  await db.transaction((tx) => {
    for (let n = 0; n < 5; n++) void tx.put({ id: 'a', n }, { overwrite: true })
  })
  expect(await db.get('a')).toMatchObject({ n: 4, rev: expect.stringMatching(/^5-/) })
})

test('a document that is changed as soon as it was handed over is stored as it was', async () => {
  await db.transaction((tx) => {
    const doc = { id: 'a', n: 1 }
    const put = tx.put(doc)
    doc.n = 2
    return put
  })
  expect(await db.get('a')).toMatchObject({ n: 1 })
})

test('once it is over it takes no more calls', async () => {
  const kept: Transaction = await db.transaction((tx) => tx)
  for (const call of [kept.get('a'), kept.getMany(['a']), kept.put({ id: 'a' }), kept.delete('a')])
    await expect(call).rejects.toMatchObject({ code: 'MYNAH_TRANSACTION_OVER' })
})

test('it runs again when what it read was changed, or made, before it was done', async () => {
  const a = await db.put({ id: 'a', n: 1 })
  let runs = 0
  await db.transaction(async (tx) => {
    runs += 1
    const doc = await tx.get<Account>('a')
    const other = await tx.get('b')
    if (runs === 1) await db.put({ ...a, n: 2 })
    if (runs === 2) await db.put({ id: 'b' })
    await tx.put({ id: 'c', saw: doc!.rev, other: other !== undefined })
  })
  expect(runs).toBe(3)
  expect(await db.get('c')).toMatchObject({ saw: (await db.get('a'))!.rev, other: true })
})

test('one that only reads sees one moment', async () => {
  await db.putMany([
    { id: 'a', n: 1 },
    { id: 'b', n: 1 },
  ])
  let runs = 0
  const seen = await db.transaction(async (tx) => {
    const a = await tx.get('a')
    if (++runs === 1) {
      await db.put({ id: 'a', n: 2 }, { overwrite: true })
      await db.put({ id: 'b', n: 2 }, { overwrite: true })
    }
    return [a?.n, (await tx.get('b'))?.n]
  })
  expect(seen).toEqual([2, 2])
})

test('what it throws because of reads from different moments does not count', async () => {
  await db.putMany([
    { id: 'a', n: 1 },
    { id: 'b', n: 1 },
  ])
  let runs = 0
  const run = db.transaction(async (tx) => {
    const a = await tx.get('a')
    if (++runs === 1)
      await db.putMany(
        [
          { id: 'a', n: 2 },
          { id: 'b', n: 2 },
        ],
        { overwrite: true },
      )
    if (a?.n !== (await tx.get('b'))?.n) throw new Error('torn')
    return 'whole'
  })
  await expect(run).resolves.toBe('whole')
})

test('a signal ends it, before and between', async () => {
  const reason = new Error('enough')
  const over = AbortSignal.abort(reason)
  await expect(db.transaction(() => 1, { signal: over })).rejects.toBe(reason)
  const abort = new AbortController()
  const run = db.transaction(
    async (tx) => {
      await tx.get('a')
      await db.put({ id: 'a', at: crypto.randomUUID() }, { overwrite: true })
      abort.abort(reason)
      await tx.put({ id: 'b' })
    },
    { signal: abort.signal },
  )
  await expect(run).rejects.toBe(reason)
  expect(await db.get('b')).toBeUndefined()
})

test('one begun inside another is another one', async () => {
  await db.transaction(async (outer) => {
    await outer.put({ id: 'outer' })
    await db.transaction((inner) => inner.put({ id: 'inner' }))
    expect(await db.count()).toBe(1)
  })
  expect(await db.count()).toBe(2)
})

test('more than a push takes is refused before anything is written', async () => {
  const many = db.transaction(async (tx) => {
    for (let n = 0; n <= limits.transactionRecords; n++) await tx.put({ id: `d${n}` })
  })
  await expect(many).rejects.toMatchObject({ code: 'MYNAH_TRANSACTION_TOO_LARGE' })
  const half = 'x'.repeat(limits.transactionBytes / 2)
  const large = db.transaction(async (tx) => {
    for (let n = 0; n < 3; n++) await tx.put({ id: `d${n}`, half })
  })
  await expect(large).rejects.toMatchObject({ code: 'MYNAH_TRANSACTION_TOO_LARGE' })
  expect((await db.stats()).seq).toBe(0)
  await db.transaction((tx) => tx.put({ id: 'alone', all: half + half + half }))
  await db.transaction(async (tx) => {
    for (let n = 0; n < limits.transactionRecords; n++) await tx.put({ id: `d${n}` })
  })
  expect(await db.count()).toBe(limits.transactionRecords + 1)
})

test('a document that is known and not held is not read, and may be overwritten', async () => {
  const other = await open(':memory:')
  const doc = await other.put({ id: 'a', n: 1 })
  const { records } = await replicaOf(other).feed({ since: 0, bodies: false })
  await replicaOf(db).merge(records)
  await other.close()
  await expect(db.transaction((tx) => tx.get('a'))).rejects.toMatchObject({
    code: 'MYNAH_UNREACHABLE',
    id: 'a',
  })
  await db.transaction(async (tx) => {
    const next = await tx.put({ id: 'a', rev: doc.rev, n: 2 })
    expect(await tx.get('a')).toEqual(next)
  })
  expect(await db.get('a')).toMatchObject({ n: 2 })
})

test('each record but the last says that its transaction goes on', () => {
  const plan = new GroupPlan({ origin: '0'.repeat(32), at: 0, firstSeq: 1, entries: new Map() })
  const put = (id: string) =>
    plan.put({ id, rev: undefined, body: {}, bytes: 2, overwrite: false, repeatable: true })
  put('before')
  plan.together(() => ['x', 'y', 'z'].map(put))
  plan.together(() => put('alone'))
  plan.together(() => undefined)
  put('after')
  expect(plan.records.map(({ id, continues }) => [id, continues])).toEqual([
    ['before', false],
    ['x', true],
    ['y', true],
    ['z', false],
    ['alone', false],
    ['after', false],
  ])
})

test('a database that closes ends it', async () => {
  const run = db.transaction(async (tx) => {
    await tx.put({ id: 'a' })
    await db.close()
    await tx.put({ id: 'b' })
  })
  await expect(run).rejects.toMatchObject({ code: 'MYNAH_CLOSED' })
  await expect(db.transaction(() => 1)).rejects.toMatchObject({ code: 'MYNAH_CLOSED' })
})
