import { expect, test } from 'vitest'
import { ClosedError, ReadOnlyError } from '../../src/errors.js'
import { memoryStorage } from '../../src/storage/memory-storage.js'
import { collect, contents, expected, openTestLog, record, summary, TestEnv } from './support.js'

test('records come back by seq and in order, hot, sealed and after opening again', async () => {
  const storage = memoryStorage()
  const { log } = await openTestLog(storage)
  expect(log.head).toBe(0)
  expect(await log.append([record(1), record(2)], { sync: true })).toBe(1)
  expect(await log.append([record(3)], { sync: true })).toBe(3)
  expect([...(await contents(log))]).toEqual(expected(1, 3))
  expect(summary(log.hot(2)!)).toBe(summary(record(2)))
  await log.seal()
  expect(log.hot(2)).toBeUndefined()
  expect(await log.append([record(4)], { sync: true })).toBe(4)
  expect(summary(await log.read(2))).toBe(summary(record(2)))
  expect([...(await contents(log))]).toEqual(expected(1, 4))
  await log.close()
  const again = await openTestLog(storage)
  expect(again.log.damage).toEqual([])
  expect([...(await contents(again.log))]).toEqual(expected(1, 4))
  expect(again.log.stats()).toMatchObject({ hotRecords: 1, sealedRecords: 3, shards: 1, segments: 1 })
  expect(await collect(again.log.verify())).toEqual([])
})

test('a scan gives only what lies between its ends', async () => {
  const { log } = await openTestLog(memoryStorage())
  await log.append(
    [1, 2, 3, 4].map((n) => record(n)),
    { sync: true },
  )
  await log.seal()
  await log.append(
    [5, 6, 7].map((n) => record(n)),
    { sync: true },
  )
  const seqs = async (from: number, to: number) =>
    (await collect(log.scan(from, to))).flat().map(({ seq }) => seq)
  expect(await seqs(3, 6)).toEqual([3, 4, 5, 6])
  expect(await seqs(0, 99)).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(await seqs(6, 6)).toEqual([6])
  expect(await seqs(2, 3)).toEqual([2, 3])
  expect(await seqs(8, 9)).toEqual([])
  expect(await seqs(4, 3)).toEqual([])
})

test('opening and reading changes no file', async () => {
  const storage = memoryStorage()
  const { log, env } = await openTestLog(storage)
  await log.append([record(1)], { sync: true })
  await log.close()
  const before = JSON.stringify(await storage.list())
  const again = await openTestLog(storage, { env })
  await contents(again.log)
  await env.pass(5_000)
  await again.log.close()
  expect(JSON.stringify(await storage.list())).toBe(before)
})

test('each open that writes begins an incarnation', async () => {
  const storage = memoryStorage()
  for (let turn = 0; turn < 3; turn++) {
    const { log } = await openTestLog(storage, { env: new TestEnv(turn) })
    await log.append([record(1)], { sync: true })
    await log.append([record(2)], { sync: true })
    await log.close()
  }
  const { log } = await openTestLog(storage)
  expect(log.incarnations.map(({ firstSeq }) => firstSeq)).toEqual([1, 3, 5])
  expect(new Set(log.incarnations.map(({ id }) => id)).size).toBe(3)
})

test('without sync a record is visible and not durable, until sync', async () => {
  const { log } = await openTestLog(memoryStorage())
  await log.append([record(1)], { sync: false })
  expect([log.head, log.synced]).toEqual([1, 0])
  expect(log.hot(1)).toBeDefined()
  await log.sync()
  expect(log.synced).toBe(1)
  await log.append([record(2)], { sync: false })
  await log.append([record(3)], { sync: true })
  expect(log.synced).toBe(3)
})

test('a second of quiet makes all durable and says so in the file', async () => {
  const storage = memoryStorage()
  const { log, env } = await openTestLog(storage)
  await log.append([record(1)], { sync: false })
  await env.pass(500)
  const length = (await storage.list()).find(({ name }) => name === 'hot-1')!.length
  await log.append([record(2)], { sync: false })
  await env.pass(700)
  expect(log.synced).toBe(0)
  await env.pass(400)
  expect(log.synced).toBe(2)
  const marked = (await storage.list()).find(({ name }) => name === 'hot-1')!.length
  expect(marked).toBeGreaterThan(length)
  await env.pass(10_000)
  await log.close()
  expect((await storage.list()).find(({ name }) => name === 'hot-1')!.length).toBe(marked)
})

test('a closed log refuses, a read-only one refuses writes', async () => {
  const storage = memoryStorage()
  const { log } = await openTestLog(storage)
  await log.append([record(1)], { sync: true })
  await log.close()
  await log.close()
  await expect(log.append([record(2)], { sync: true })).rejects.toThrow(ClosedError)
  await expect(log.read(1)).rejects.toThrow(ClosedError)
  const { log: reader } = await openTestLog(storage, { readOnly: true })
  await expect(reader.append([record(2)], { sync: true })).rejects.toThrow(ReadOnlyError)
  await expect(reader.seal()).rejects.toThrow(ReadOnlyError)
  await expect(reader.read(2)).rejects.toThrow(RangeError)
  await expect(reader.append([], { sync: true })).rejects.toThrow(ReadOnlyError)
  await reader.close()
})

test('a group of no records is a programming error', async () => {
  const { log } = await openTestLog(memoryStorage())
  await expect(log.append([], { sync: true })).rejects.toThrow(RangeError)
})

test('sealing leaves no hot file behind, and the next append makes one', async () => {
  const storage = memoryStorage()
  const { log, manifest } = await openTestLog(storage)
  await log.append([record(1)], { sync: true })
  await log.seal()
  expect(manifest.data.hot).toEqual([])
  expect((await storage.list()).some(({ name }) => name.startsWith('hot'))).toBe(false)
  await log.append([record(2)], { sync: true })
  expect(manifest.data.hot).toHaveLength(1)
  expect(log.incarnations).toHaveLength(1)
  await log.close()
  const again = await openTestLog(storage)
  expect(again.log.damage).toEqual([])
  expect([...(await contents(again.log))]).toEqual(expected(1, 2))
})
