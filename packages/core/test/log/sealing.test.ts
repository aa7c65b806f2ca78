import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RecordLostError } from '../../src/errors.js'
import { encodeFooter, FRAME_HEADER_BYTES } from '../../src/log/segment.js'
import { readSegment } from '../../src/log/segment-reader.js'
import { memoryStorage } from '../../src/storage/memory-storage.js'
import { CrashStorage } from './crash-storage.js'
import { collect, contents, DATABASE, expected, openTestLog, record, summary, TestEnv } from './support.js'

const none = () => 0

test('readers see every record while sealing goes on under them', async () => {
  const storage = memoryStorage()
  const { log, env } = await openTestLog(storage, {
    shardBytes: 2_000,
    cacheBytes: 20_000,
    hotBytesMax: 8_000,
  })
  let reads = 0
  let writing = true
  const reader = async (seed: number) => {
    const random = new TestEnv(seed)
    while (writing) {
      const { head } = log
      if (head > 0) {
        const seq = 1 + random.random(head)
        expect(summary(log.hot(seq) ?? (await log.read(seq)))).toBe(summary(record(seq, 50)))
        reads++
      }
      await random.yield()
    }
  }
  const readers = [1, 2, 3].map(reader)
  for (let n = 1; n <= 400; n += 4) {
    const records = [0, 1, 2, 3].map((index) => record(n + index, 50))
    await log.append(records, { sync: true })
    await env.yield()
  }
  writing = false
  await Promise.all(readers)
  expect(reads).toBeGreaterThan(50)
  expect(log.stats().sealedRecords).toBeGreaterThan(100)
  expect([...(await contents(log))]).toEqual(expected(1, 400, 50))
  await log.seal()
  const { hotRecords, hotBytes, sealedRecords } = log.stats()
  expect({ hotRecords, hotBytes, sealedRecords }).toEqual({ hotRecords: 0, hotBytes: 0, sealedRecords: 400 })
  expect([...(await contents(log))]).toEqual(expected(1, 400, 50))
  expect(await collect(log.verify())).toEqual([])
})

test('a writer waits when too much is unsealed', async () => {
  const { log } = await openTestLog(memoryStorage(), { shardBytes: 4_000, hotBytesMax: 20_000 })
  let most = 0
  for (let n = 1; n <= 300; n++) {
    await log.append([record(n, 900)], { sync: false })
    most = Math.max(most, log.stats().hotBytes)
  }
  expect(most).toBeLessThan(22_000)
  expect([...(await contents(log))]).toEqual(expected(1, 300, 900))
})

test('sealing can be given up between two batches', async () => {
  const { log } = await openTestLog(memoryStorage(), { shardBytes: 1_000_000 })
  await log.append([record(1)], { sync: true })
  const reason = new Error('enough')
  await expect(log.seal({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  expect(log.stats().sealedRecords).toBe(0)
  await log.seal()
  expect(log.stats().sealedRecords).toBe(1)
})

test('those who want one cold shard at once share its decoding, and a scan does not wash out the cache', async () => {
  const { log } = await openTestLog(memoryStorage())
  await log.append(
    [1, 2, 3].map((n) => record(n)),
    { sync: true },
  )
  await log.seal()
  await Promise.all([1, 2, 3, 1].map((seq) => log.read(seq)))
  expect(log.stats()).toMatchObject({ cacheMisses: 1 })
  await log.append([record(4)], { sync: true })
  await log.seal()
  await contents(log)
  expect(log.stats().cacheMisses).toBe(1)
  await log.read(4)
  expect(log.stats().cacheMisses).toBe(2)
})

test('the cache keeps to its bytes', async () => {
  const { log } = await openTestLog(memoryStorage(), { cacheBytes: 12_000 })
  for (let n = 1; n <= 10; n++) {
    await log.append([record(n, 900)], { sync: true })
    await log.seal()
  }
  for (let n = 1; n <= 10; n++) await log.read(n)
  expect(log.stats().cacheBytes).toBeGreaterThan(0)
  expect(log.stats().cacheBytes).toBeLessThanOrEqual(12_000)
})

/** Two shards of two records in segment-2, two records in hot files. */
async function sealed(): Promise<{ storage: CrashStorage; env: TestEnv }> {
  const storage = new CrashStorage(none)
  const { log, env } = await openTestLog(storage)
  for (const n of [1, 3]) {
    await log.append([record(n, 200), record(n + 1, 200)], { sync: true })
    await log.seal()
  }
  await log.append([record(5, 200), record(6, 200)], { sync: true })
  await log.close()
  return { storage, env }
}

test('a damaged shard is named where it is read, and the rest goes on', async () => {
  const { storage } = await sealed()
  const { log } = await openTestLog(storage)
  storage.edit('segment-2', (bytes) => {
    bytes[bytes.length - 3]! ^= 1
    return bytes
  })
  await expect(log.read(3)).rejects.toThrow(RecordLostError)
  expect(summary(await log.read(1))).toBe(summary(record(1, 200)))
  expect(summary(await log.read(5))).toBe(summary(record(5, 200)))
  expect(log.damage).toMatchObject([{ file: 'segment-2', firstSeq: 3, lastSeq: 4 }])
  expect([...(await contents(log)).keys()]).toEqual([1, 2, 5, 6])
  expect(await collect(log.verify())).toEqual([])
})

test('a damaged shard in a segment without footer is lost when it is opened', async () => {
  const { storage } = await sealed()
  storage.edit('segment-2', (bytes) => {
    bytes[bytes.length - 3]! ^= 1
    return bytes
  })
  const { log, manifest } = await openTestLog(storage)
  expect(log.damage).toMatchObject([{ file: 'segment-2', firstSeq: 3, lastSeq: 4 }])
  expect(manifest.data).toMatchObject({ damage: 1, lost: [{ firstSeq: 3, lastSeq: 4 }] })
  expect([...(await contents(log))]).toEqual([...expected(1, 2, 200), ...expected(5, 6, 200)])
})

test('behind a torn frame a new segment is begun, and the old one gets its footer', async () => {
  const { storage, env } = await sealed()
  const whole = storage.bytes('segment-2').length
  storage.edit('segment-2', (bytes) => new Uint8Array([...bytes, ...bytes.subarray(36, 90)]))
  const { log, manifest } = await openTestLog(storage, { env })
  expect(log.damage).toEqual([])
  await log.seal()
  expect(manifest.data.segments).toEqual([
    { name: 'segment-2', closed: true },
    { name: manifest.data.segments[1]!.name, closed: false },
  ])
  await log.close()
  const again = await openTestLog(storage, { env })
  expect(again.log.damage).toEqual([])
  expect([...(await contents(again.log))]).toEqual(expected(1, 6, 200))
  expect(await collect(again.log.verify())).toEqual([])
  await again.log.close()
  // Now closed: whatever bit of its footer goes, its frames are found.
  const full = storage.bytes('segment-2').length
  for (let offset = whole + 54; offset < full; offset++) {
    const damaged = storage.copy()
    damaged.edit('segment-2', (bytes) => {
      bytes[offset]! ^= 4
      return bytes
    })
    const opened = await openTestLog(damaged, { env })
    expect(opened.log.damage).toEqual([{ file: 'segment-2', fault: 'its footer is damaged' }])
    expect([...(await contents(opened.log))]).toEqual(expected(1, 6, 200))
  }
})

test('a missing segment is named, and what only it held is lost', async () => {
  const { storage } = await sealed()
  storage.drop('segment-2')
  const { log, manifest } = await openTestLog(storage)
  expect(log.damage).toMatchObject([
    { file: 'segment-2', fault: 'it is missing' },
    { file: 'segment-2', firstSeq: 1, lastSeq: 4 },
  ])
  expect(manifest.data).toMatchObject({ segments: [], damage: 1, lost: [{ firstSeq: 1, lastSeq: 4 }] })
  expect([...(await contents(log))]).toEqual(expected(5, 6, 200))
})

test('any bytes in the place of a segment are opened without harm', async () => {
  const { storage } = await sealed()
  const whole = storage.bytes('segment-2')
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat(whole.length), async (noise, cut) => {
      const damaged = storage.copy()
      damaged.edit(
        'segment-2',
        () => new Uint8Array([...whole.subarray(0, cut), ...noise, ...whole.subarray(cut)]),
      )
      const { log } = await openTestLog(damaged)
      const truth = new Map(expected(1, 6, 200))
      for (const [seq, found] of await contents(log)) expect(found).toBe(truth.get(seq))
    }),
  )
})

test('a scan goes on past a bad shard, and its records are lost from then on', async () => {
  const storage = new CrashStorage(() => 0)
  const { log, manifest } = await openTestLog(storage)
  for (const first of [1, 4, 7]) {
    await log.append([record(first), record(first + 1), record(first + 2)], { sync: true })
    await log.seal()
  }
  // With a footer: only such a segment is opened without reading its shards.
  const { length } = storage.bytes('segment-2')
  const { frames, salt } = await readSegment(
    storage,
    { name: 'segment-2', length },
    { closed: false, database: DATABASE },
  )
  const { offset } = frames[1]!
  await storage.append('segment-2', length, encodeFooter(salt!, length, frames))
  await manifest.update(() => ({ segments: [{ name: 'segment-2', closed: true }] }))
  storage.edit('segment-2', (bytes) =>
    bytes.fill(0xff, offset + FRAME_HEADER_BYTES + 40, offset + FRAME_HEADER_BYTES + 44),
  )
  expect(log.isLost(4)).toBe(false)
  expect([...(await contents(log)).keys()]).toEqual([1, 2, 3, 7, 8, 9])
  expect(log.damage).toMatchObject([{ file: 'segment-2', firstSeq: 4, lastSeq: 6 }])
  await log.close()
  const again = await openTestLog(storage, { env: new TestEnv(8) })
  for (const opened of [log, again.log])
    expect([3, 4, 6, 7].map((seq) => opened.isLost(seq))).toEqual([false, true, true, false])
  expect(again.manifest.data).toMatchObject({ damage: 1, lost: [{ firstSeq: 4, lastSeq: 6 }] })
  expect([...(await contents(again.log)).keys()]).toEqual([1, 2, 3, 7, 8, 9])
  expect(again.log.damage).toEqual([])
})
