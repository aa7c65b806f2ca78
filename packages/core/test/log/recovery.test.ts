import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RecordLostError } from '../../src/errors.js'
import { GROUP_HEADER_BYTES } from '../../src/log/group.js'
import { HOT_HEADER_BYTES, readHotFile } from '../../src/log/hot-file.js'
import type { Log } from '../../src/log/log.js'
import { CrashStorage } from './crash-storage.js'
import { collect, contents, expected, openTestLog, record, summary, TestEnv } from './support.js'

const none = () => 0

interface Sample {
  readonly storage: CrashStorage
  /** Ends of the header and of each group in hot-1. */
  readonly ends: readonly number[]
}

/** Groups of the given sizes, each synced, in hot-1; with an empty group at the end when the log was closed. */
async function sample(sizes: readonly number[], options: { readonly close: boolean }): Promise<Sample> {
  const storage = new CrashStorage(none)
  const { log } = await openTestLog(storage)
  let next = 1
  for (const size of sizes) {
    await log.append(
      Array.from({ length: size }, (_, index) => record(next + index)),
      { sync: true },
    )
    next += size
  }
  if (options.close) await log.close()
  const { groups } = readHotFile('hot-1', storage.bytes('hot-1'))
  return { storage, ends: [HOT_HEADER_BYTES, ...groups.map(({ end }) => end)] }
}

async function reopen(storage: CrashStorage, watermark = 0) {
  return openTestLog(storage, { env: new TestEnv(99), watermark })
}

/** The log goes on from where it is, and a third open agrees. */
async function goesOn(storage: CrashStorage, before: Map<number, string>): Promise<void> {
  const { log } = await reopen(storage)
  expect(await contents(log)).toEqual(before)
  const next = log.head + 1
  await log.append([record(next)], { sync: true })
  await log.close()
  const again = await reopen(storage)
  expect(again.log.damage).toEqual([])
  expect(await contents(again.log)).toEqual(new Map([...before, ...expected(next, next)]))
  expect(await collect(again.log.verify())).toEqual([])
}

test('a hot file cut short anywhere gives all groups that are whole', async () => {
  const { storage, ends } = await sample([1, 2, 1, 3], { close: false })
  const full = storage.bytes('hot-1').length
  for (let length = full; length >= HOT_HEADER_BYTES; length--) {
    const cut = storage.copy()
    cut.edit('hot-1', (bytes) => bytes.slice(0, length))
    const { log } = await reopen(cut)
    const head = [0, 1, 3, 4, 7].findLast((_, index) => ends[index]! <= length)!
    expect([...(await contents(log))]).toEqual(expected(1, head))
    expect(log.head).toBe(head)
    expect(log.damage).toEqual([])
    if (length % 16 === 0) await goesOn(cut, await contents(log))
  }
})

test('what the index knew was there is lost when it is missing, and its seqs stay so', async () => {
  const { storage, ends } = await sample([1, 2, 1, 3], { close: false })
  storage.edit('hot-1', (bytes) => bytes.slice(0, ends[2]! + 7))
  const { log, manifest } = await reopen(storage, 5)
  expect(log.damage).toMatchObject([{ file: 'hot-1', firstSeq: 4, lastSeq: 5 }])
  expect(log.head).toBe(5)
  expect([3, 4, 5, 6].map((seq) => log.isLost(seq))).toEqual([false, true, true, false])
  await expect(log.read(4)).rejects.toThrow(RecordLostError)
  expect(manifest.data).toMatchObject({ damage: 1, lost: [{ firstSeq: 4, lastSeq: 5 }] })
  expect(await log.append([record(6)], { sync: true })).toBe(6)
  await log.close()
  const again = await reopen(storage, 6)
  expect(again.log.damage).toEqual([])
  expect(again.manifest.data.damage).toBe(1)
  expect([...(await contents(again.log)).keys()]).toEqual([1, 2, 3, 6])
  await again.log.seal()
  expect([...(await contents(again.log)).keys()]).toEqual([1, 2, 3, 6])
  expect(await collect(again.log.verify())).toEqual([])
})

describe('one flipped bit', () => {
  const sizes = [1, 2, 1, 3]
  const firsts = [1, 2, 4, 5, 8]

  test('in the header of a hot file loses nothing', async () => {
    const { storage } = await sample(sizes, { close: true })
    for (let offset = 0; offset < HOT_HEADER_BYTES; offset++) {
      const damaged = flipped(storage, 'hot-1', offset)
      const { log } = await reopen(damaged)
      expect(log.damage).toEqual([{ file: 'hot-1', fault: 'its header is damaged' }])
      expect([...(await contents(log))]).toEqual(expected(1, 7))
    }
  })

  for (const close of [true, false])
    test(`in a group loses that group${close ? '' : ', and is a torn end in the last one of a killed process'}`, async () => {
      const { storage, ends } = await sample(sizes, { close })
      for (let offset = HOT_HEADER_BYTES; offset < ends.at(-1)!; offset++) {
        const damaged = flipped(storage, 'hot-1', offset)
        const { log, manifest } = await reopen(damaged)
        const group = ends.findIndex((end) => end > offset) - 1
        const [firstSeq, lastSeq] = [firsts[group]!, (firsts[group + 1] ?? 0) - 1]
        if (group === sizes.length) {
          // The empty group of a clean end: nobody misses it.
          expect(log.damage).toEqual([])
          expect([...(await contents(log))]).toEqual(expected(1, 7))
        } else if (group === sizes.length - 1 && !close) {
          expect(log.damage).toEqual([])
          expect([...(await contents(log))]).toEqual(expected(1, 4))
        } else {
          expect(log.damage).toMatchObject([{ file: 'hot-1', firstSeq, lastSeq }])
          expect(manifest.data).toMatchObject({ damage: 1, lost: [{ firstSeq, lastSeq }] })
          expect([...(await contents(log))]).toEqual([
            ...expected(1, firstSeq - 1),
            ...expected(lastSeq + 1, 7),
          ])
          expect(log.head).toBe(7)
        }
        if (offset % 32 === 0) await goesOn(damaged, await contents(log))
      }
    })

  test('never shows as another record, wherever it is', async () => {
    const { storage } = await sample(sizes, { close: true })
    const { log } = await reopen(storage)
    await log.seal()
    await log.append([record(8), record(9)], { sync: true })
    await log.close()
    const names = storage.names()
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.nat({ max: 7 }), async (name, at, bit) => {
        const damaged = flipped(storage, name, at % storage.bytes(name).length, 1 << bit)
        const opened = await reopen(damaged)
        const truth = new Map(expected(1, 9))
        const findings = await collect(opened.log.verify())
        const lostOrBad: number[] = []
        for (let seq = 1; seq <= opened.log.head; seq++) {
          const found = await contentsAt(opened.log, seq)
          if (found === undefined) lostOrBad.push(seq)
          else expect(found).toBe(truth.get(seq))
        }
        if (lostOrBad.length > 0) expect(findings.length + opened.log.damage.length).toBeGreaterThan(0)
      }),
      { numRuns: 200 },
    )
  })
})

async function contentsAt(log: Log, seq: number): Promise<string | undefined> {
  return log.read(seq).then(summary, () => undefined)
}

function flipped(storage: CrashStorage, name: string, offset: number, mask = 0x10): CrashStorage {
  const damaged = storage.copy()
  damaged.edit(name, (bytes) => {
    bytes[offset]! ^= mask
    return bytes
  })
  return damaged
}

test('two damaged groups in a row are one lost span; what follows is there', async () => {
  const { storage, ends } = await sample([1, 2, 1, 3], { close: true })
  storage.edit('hot-1', (bytes) => bytes.fill(0, ends[1]! + 3, ends[3]! - 3))
  const { log } = await reopen(storage)
  expect(log.damage).toMatchObject([{ file: 'hot-1', firstSeq: 2, lastSeq: 4 }])
  expect([...(await contents(log))]).toEqual([...expected(1, 1), ...expected(5, 7)])
})

test('without sync, a hole ends the log although whole groups follow', async () => {
  const storage = new CrashStorage(none)
  const { log } = await openTestLog(storage)
  await log.append([record(1)], { sync: true })
  for (const n of [2, 3, 4]) await log.append([record(n)], { sync: false })
  const { groups } = readHotFile('hot-1', storage.bytes('hot-1'))
  storage.edit('hot-1', (bytes) => bytes.fill(0, groups[1]!.end, groups[1]!.end + GROUP_HEADER_BYTES))
  const again = await reopen(storage)
  expect(again.log.damage).toEqual([])
  expect([...(await contents(again.log))]).toEqual(expected(1, 2))
  // What followed the hole must not come back behind what is written now.
  await again.log.append([record(3)], { sync: true })
  await again.log.close()
  expect([...(await contents((await reopen(storage)).log))]).toEqual(expected(1, 3))
})

test('a hot file that is missing is named, what it held is lost as far as that is known, and the log goes on', async () => {
  const { storage } = await sample([2], { close: true })
  const second = await reopen(storage)
  await second.log.append([record(3)], { sync: true })
  await second.log.close()
  const [first, last] = second.manifest.data.hot
  const withoutFirst = storage.copy()
  withoutFirst.drop(first!)
  const { log, manifest } = await reopen(withoutFirst)
  expect(log.damage).toMatchObject([
    { file: first, fault: 'it is missing' },
    { firstSeq: 1, lastSeq: 2 },
  ])
  expect([...(await contents(log))]).toEqual(expected(3, 3))
  expect(manifest.data).toMatchObject({ hot: [last], damage: 1 })
  await goesOn(withoutFirst, new Map(expected(3, 3)))
  // Somebody brings it back: other records may stand at its seqs by now, so it is left as it is.
  withoutFirst.put(first!, storage.bytes(first!))
  const found = await reopen(withoutFirst)
  expect([...(await contents(found.log)).keys()]).toEqual([3, 4])
  expect(withoutFirst.names()).toContain(first)

  const withoutLast = storage.copy()
  withoutLast.drop(last!)
  const ended = await reopen(withoutLast, 3)
  expect(ended.log.damage).toMatchObject([{ file: last }, { file: last, firstSeq: 3, lastSeq: 3 }])
  expect(ended.log.head).toBe(3)
})

test('an older copy of the manifest finds the files that only the newer one named', async () => {
  const { storage } = await sample([2], { close: true })
  const older = storage.bytes('manifest.copy')
  const { log } = await reopen(storage)
  await log.append([record(3)], { sync: true })
  await log.close()
  storage.put('manifest.copy', older)
  storage.edit('manifest', (bytes) => bytes.fill(0x20, 10, 20))
  const again = await reopen(storage)
  expect(again.log.damage).toMatchObject([{ file: 'manifest' }, { file: 'hot-2' }])
  expect([...(await contents(again.log))]).toEqual(expected(1, 3))
  expect(again.log.incarnations).toHaveLength(2)
  await goesOn(storage, new Map(expected(1, 3)))
})

test("another database's files are not taken for this one's, and not removed", async () => {
  const { storage } = await sample([2], { close: true })
  const other = new CrashStorage(none)
  const foreign = await openTestLog(other)
  await foreign.manifest.update(() => ({ id: 'f'.repeat(32) }))
  await foreign.log.append([record(1)], { sync: true })
  storage.put('hot-9', other.bytes('hot-1'))
  const { log } = await reopen(storage)
  expect(log.damage).toMatchObject([{ file: 'hot-9' }])
  expect(storage.names()).toContain('hot-9')
  expect([...(await contents(log))]).toEqual(expected(1, 2))
})

test('any bytes for a hot file are read without harm', async () => {
  const { storage } = await sample([1, 2], { close: true })
  const whole = storage.bytes('hot-1')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(whole.length), (noise, cut) => {
      readHotFile('hot-1', noise)
      const spliced = new Uint8Array([...whole.subarray(0, cut), ...noise, ...whole.subarray(cut)])
      const { groups } = readHotFile('hot-1', spliced)
      let next = 1
      for (const { firstSeq, records } of groups) {
        expect(firstSeq).toBeGreaterThanOrEqual(next)
        next = firstSeq + records.length
      }
    }),
  )
})
