import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type MynahError, StorageError } from '../../src/errors.js'
import { CrashStorage, type Operation } from './crash-storage.js'
import { contents, expected, openTestLog, record, summary, TestEnv } from './support.js'

function disk(seed = 5): CrashStorage {
  const random = new TestEnv(seed)
  return new CrashStorage((bound) => random.random(bound))
}

/** Fails the next operation of this kind on such a file. */
function failOnce(storage: CrashStorage, operation: Operation, prefix: string): void {
  storage.fails = (actual, name) => {
    if (actual !== operation || !name.startsWith(prefix)) return false
    storage.fails = () => false
    return true
  }
}

async function survives(storage: CrashStorage, head: number): Promise<void> {
  for (const end of ['kill', 'power'] as const) {
    const { log } = await openTestLog(storage.survivor(end), { env: new TestEnv(31) })
    expect(log.damage).toEqual([])
    expect([...(await contents(log))]).toEqual(expected(1, head))
  }
}

for (const operation of ['append', 'sync'] as const)
  test(`after a failed ${operation} the group is written anew to the next file, and acknowledged`, async () => {
    for (let seed = 0; seed < 20; seed++) {
      const storage = disk(seed)
      const { log, manifest } = await openTestLog(storage)
      await log.append([record(1)], { sync: true })
      failOnce(storage, operation, 'hot')
      expect(await log.append([record(2), record(3)], { sync: true })).toBe(2)
      expect(manifest.data.hot).toEqual(['hot-1', 'hot-2'])
      await survives(storage, 3)
      await log.append([record(4)], { sync: true })
      await survives(storage, 4)
      expect(storage.journal.filter((step) => step.endsWith('hot-1')).at(-1)).toBe(`${operation} hot-1`)
    }
  })

test('what was acknowledged without sync is written anew when its file fails', async () => {
  const storage = disk()
  const { log } = await openTestLog(storage)
  await log.append([record(1)], { sync: true })
  await log.append([record(2)], { sync: false })
  await log.append([record(3)], { sync: false })
  failOnce(storage, 'sync', 'hot')
  await log.sync()
  expect(log.synced).toBe(3)
  await survives(storage, 3)
})

test('while the disk fails appends reject and take no seq; when it recovers they go on', async () => {
  const storage = disk()
  const { log, manifest } = await openTestLog(storage)
  await log.append([record(1)], { sync: true })
  storage.fails = (operation) => operation === 'append'
  for (let turn = 0; turn < 5; turn++)
    await expect(log.append([record(99)], { sync: true })).rejects.toThrow(StorageError)
  expect([log.head, log.hot(2)]).toEqual([1, undefined])
  await survives(storage, 1)
  storage.fails = (operation, name) => operation === 'replace' && name === 'manifest.copy'
  for (let turn = 0; turn < 5; turn++)
    await expect(log.append([record(99)], { sync: true })).rejects.toThrow(StorageError)
  storage.fails = () => false
  expect(await log.append([record(2)], { sync: true })).toBe(2)
  await survives(storage, 2)
  expect(manifest.data.hot).toHaveLength(2)
  await log.close()
  // Whatever the failures left behind goes with the next open.
  const again = await openTestLog(storage, { env: new TestEnv(3) })
  expect(
    storage
      .names()
      .filter((name) => name.startsWith('hot'))
      .sort(),
  ).toEqual([...again.manifest.data.hot])
})

test('however the disk fails, what was acknowledged is there, and nothing refused in its place', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(fc.nat(9), { minLength: 10, maxLength: 60 }), async (seed, odds) => {
      const storage = disk(seed)
      const { log, env } = await openTestLog(storage, { shardBytes: 300, env: new TestEnv(seed) })
      let turn = 0
      storage.fails = () => odds[turn++ % odds.length] === 0
      const truth = new Map<number, string>()
      for (let attempt = 1; attempt <= 20; attempt++) {
        // Of different lengths, so that a refused group covers other seqs than what comes after it.
        const records = Array.from({ length: 1 + (attempt % 3) }, (_, index) => record(100 * attempt + index))
        await log
          .append(records, { sync: attempt % 3 !== 0 })
          .then((first) => {
            for (const [index, one] of records.entries()) truth.set(first + index, summary(one))
          })
          .catch(acceptStorageError)
        if (attempt % 7 === 6) await log.seal().catch(acceptStorageError)
        await env.yield()
      }
      const durable = log.synced
      expect(log.head).toBe(truth.size)
      await Promise.all(
        (['kill', 'power'] as const).map(async (end) => {
          const survivor = storage.survivor(end)
          const again = await openTestLog(survivor, { env: new TestEnv(seed + 1) })
          expect(again.log.damage).toEqual([])
          const found = await contents(again.log)
          expect([...found.keys()]).toEqual(Array.from({ length: again.log.head }, (_, index) => index + 1))
          expect(again.log.head).toBeGreaterThanOrEqual(durable)
          for (let seq = 1; seq <= durable; seq++) expect(found.get(seq)).toBe(truth.get(seq))
        }),
      )
    }),
    { numRuns: 40 },
  )
})

function acceptStorageError(error: unknown): void {
  if (!(error instanceof StorageError)) throw error
}

test('a sealer that fails tries again, reports, and loses nothing', async () => {
  const storage = disk()
  const errors: MynahError[] = []
  const { log, env } = await openTestLog(storage, {
    shardBytes: 200,
    onError: (error) => errors.push(error),
  })
  storage.fails = (operation, name) => operation === 'append' && name.startsWith('segment')
  for (let n = 1; n <= 20; n++) await log.append([record(n)], { sync: true })
  await until(env, () => errors.length > 0)
  expect(errors[0]).toBeInstanceOf(StorageError)
  expect(log.stats().sealedRecords).toBe(0)
  await expect(log.seal()).rejects.toThrow(StorageError)
  await survives(storage, 20)
  storage.fails = () => false
  await env.pass(60_000)
  await until(env, () => log.stats().sealedRecords > 10)
  expect([...(await contents(log))]).toEqual(expected(1, 20))
  await survives(storage, 20)
})

/** Encoders work in threads, at a pace of their own. */
async function until(env: TestEnv, condition: () => boolean): Promise<void> {
  while (!condition()) await env.pass(10)
}

test('what a failed sync left is not trusted by the next open, nor lost while it is written anew', async () => {
  for (let seed = 0; seed < 40; seed++) {
    const storage = disk(seed)
    const { log } = await openTestLog(storage)
    await log.append([record(1)], { sync: true })
    await log.append([record(2)], { sync: false })
    // The sync fails, and nothing can be written any more until the process ends.
    storage.fails = (operation) => operation === 'append' || operation === 'sync'
    await expect(log.sync()).rejects.toThrow(StorageError)
    const left = storage.survivor('kill')
    for (let diesAt = 0, finished = false; !finished; diesAt++) {
      const dying = left.copy()
      dying.diesAt = diesAt
      await openTestLog(dying, { env: new TestEnv(seed) }).catch(acceptStorageError)
      finished = !dying.dead
      // A power cut may only cost what nobody was told is durable.
      const { log: after } = await openTestLog(dying.survivor(finished ? 'power' : 'kill'), {
        env: new TestEnv(seed + 1),
      })
      expect(after.damage).toEqual([])
      expect([...(await contents(after))]).toEqual(expected(1, 2))
      expect(after.synced).toBe(2)
    }
  }
})

test('a sealer whose encoder fails tells it as a StorageError, and tries again', async () => {
  const storage = disk()
  const errors: MynahError[] = []
  const { log, env } = await openTestLog(storage, {
    shardBytes: 200,
    hotBytesMax: 3_000,
    onError: (error) => errors.push(error),
  })
  const { yield: breathe } = env
  const cause = new Error('Cannot allocate memory')
  env.yield = () => Promise.reject(cause)
  for (let n = 1; n <= 20; n++) await log.append([record(n)], { sync: true })
  await expect(log.seal()).rejects.toMatchObject({ name: 'StorageError', operation: 'seal', cause })
  await new Promise(setImmediate)
  env.yield = breathe
  expect(errors).toMatchObject([{ name: 'StorageError', operation: 'seal', cause }])
  await until(env, () => log.stats().sealedRecords > 10)
  expect(errors).toHaveLength(1)
  expect([...(await contents(log))]).toEqual(expected(1, 20))
})

test('shards whose sync failed are not trusted by the next open while a hot file has their records', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const storage = disk(seed)
    const { log } = await openTestLog(storage, { shardBytes: 200 })
    for (let n = 1; n <= 6; n++) await log.append([record(n)], { sync: true })
    await log.seal()
    for (let n = 7; n <= 16; n++) await log.append([record(n)], { sync: true })
    storage.fails = (operation, name) => operation === 'sync' && name.startsWith('segment')
    await expect(log.seal()).rejects.toThrow(StorageError)
    const left = storage.survivor('kill')
    const { log: again } = await openTestLog(left, { env: new TestEnv(seed + 1), shardBytes: 200 })
    await again.seal()
    await again.append([record(17)], { sync: true })
    await again.seal()
    expect(again.stats().hotRecords).toBe(0)
    await survives(left, 17)
  }
})

test('a refused group that stands behind the last file does not come back past shards that were taken', async () => {
  const source = await openTestLog(disk(9))
  await source.log.append([record(201), record(202)], { sync: true })
  await source.log.seal()
  const { shards } = await source.log.sealed(0, { bytes: 1e9, records: 1e9 })
  const storage = disk()
  const { log } = await openTestLog(storage)
  await log.append([record(1)], { sync: true })
  // Its bytes are on the disk when the sync fails, and no other file can be begun.
  storage.fails = (operation, name) =>
    (operation === 'sync' && name.startsWith('hot')) || operation === 'replace'
  const refused = Array.from({ length: 5 }, (_, n) => record(101 + n))
  await expect(log.append(refused, { sync: true })).rejects.toThrow(StorageError)
  storage.fails = () => false
  expect(await log.take(shards)).toBe(2)
  const there = [record(1), record(201), record(202)].map((one, at) => [at + 1, summary(one)])
  for (const end of ['kill', 'power'] as const) {
    const again = await openTestLog(storage.survivor(end), { env: new TestEnv(31) })
    expect([...(await contents(again.log))]).toEqual(there)
    expect(again.log.damage).toEqual([])
  }
  await log.append([record(3)], { sync: true })
  const again = await openTestLog(storage.survivor('power'), { env: new TestEnv(32) })
  expect([...(await contents(again.log))]).toEqual([...there, [4, summary(record(3))]])
})
