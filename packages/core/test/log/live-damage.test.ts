import { expect, test } from 'vitest'
import { RecordLostError, StorageError } from '../../src/errors.js'
import type { Storage } from '../../src/storage/storage.js'
import { CrashStorage } from './crash-storage.js'
import { collect, contents, expected, openTestLog, record, summary, TestEnv } from './support.js'

/** What becomes of one read. */
type Read = (bytes: Uint8Array, offset: number) => Uint8Array

/** The storage, with what `alter` does to reads of segments. */
function altered(storage: CrashStorage, alter: Read): Storage {
  return new Proxy<Storage>(storage, {
    get(target, name) {
      if (name !== 'read') {
        const member = Reflect.get(target, name, target) as unknown
        return typeof member === 'function' ? member.bind(target) : member
      }
      return async (file: string, offset: number, length: number) => {
        const bytes = await target.read(file, offset, length)
        return file.startsWith('segment') || file.startsWith('hot') ? alter(bytes.slice(), offset) : bytes
      }
    },
  })
}

const flip: Read = (bytes) => {
  bytes[bytes.length >> 1]! ^= 1
  return bytes
}

const refuse: Read = () => {
  throw new StorageError('segment-2', 'read', { cause: new Error('EIO') })
}

/** Four shards of two records in segment-2, two records in a hot file. */
async function sealed(): Promise<CrashStorage> {
  const storage = new CrashStorage(() => 0)
  const { log } = await openTestLog(storage)
  for (const n of [1, 3, 5, 7]) {
    await log.append([record(n, 200), record(n + 1, 200)], { sync: true })
    await log.seal()
  }
  await log.append([record(9, 200), record(10, 200)], { sync: true })
  await log.close()
  return storage
}

function damageShard(storage: CrashStorage, back: number, length = storage.bytes('segment-2').length): void {
  storage.edit('segment-2', (bytes) => {
    bytes[length - back]! ^= 1
    return bytes
  })
}

const shortened: Read = (bytes) => bytes.subarray(0, bytes.length - 3)

for (const [what, fault] of [
  ['a flipped bit', flip],
  ['a short read', shortened],
  ['a refusal', refuse],
] as const)
  test(`${what} that goes away costs nothing`, async () => {
    let reads = 0
    const plain = await sealed()
    const flaky = altered(plain, (bytes, offset) => (reads++ % 2 === 0 ? fault(bytes, offset) : bytes))
    const { log, manifest } = await openTestLog(flaky, { cacheBytes: 1 })
    expect([...(await contents(log))]).toEqual(expected(1, 10, 200))
    expect(await collect(log.verify())).toEqual([])
    expect(log.damage).toEqual([])
    expect(manifest.data.damage).toBe(0)
  })

test('a read that once gives less, at whatever byte it ends, is read again', async () => {
  const plain = new CrashStorage(() => 0)
  const { log: writing } = await openTestLog(plain)
  for (const n of [1, 2, 3]) await writing.append([record(n)], { sync: true })
  const full = plain.bytes('hot-1').length
  for (let length = 0; length < full; length++) {
    let reads = 0
    const short = altered(plain.copy(), (bytes) => (reads++ === 0 ? bytes.subarray(0, length) : bytes))
    const { log } = await openTestLog(short, { env: new TestEnv(99) })
    expect([...(await contents(log))], `${length} of ${full} bytes`).toEqual(expected(1, 3))
  }
})

test('a sector that the disk refuses at open costs what stands in it; a file of which it gives nothing, the open', async () => {
  const plain = new CrashStorage(() => 0)
  const { log: writing } = await openTestLog(plain)
  for (let n = 1; n <= 40; n++) {
    await writing.append([record(n, 400)], { sync: true })
    await writing.seal()
  }
  await writing.close()
  await expect(openTestLog(altered(plain, refuse))).rejects.toThrow(StorageError)
  const bad = altered(plain, (bytes, offset) =>
    offset < 8_192 && offset + bytes.length > 4_096 ? refuse(bytes, offset) : bytes,
  )
  const { log, manifest } = await openTestLog(bad)
  const found = await contents(log)
  const lost = Array.from({ length: 40 }, (_, i) => i + 1).filter((seq) => !found.has(seq))
  expect(lost.length).toBeGreaterThan(8)
  expect(lost.length).toBeLessThan(16)
  expect(log.damage).toMatchObject([{ file: 'segment-2', firstSeq: lost[0], lastSeq: lost.at(-1) }])
  expect(manifest.data.lost).toEqual([{ firstSeq: lost[0], lastSeq: lost.at(-1) }])
  await log.close()
  // It could be read after all: what was given up counts again.
  const again = await openTestLog(plain)
  expect([...(await contents(again.log))]).toEqual(expected(1, 40, 400))
})

test('bytes that come wrong in another way each time tell nothing: the read may be tried again', async () => {
  const plain = await sealed()
  let noisy = false
  let reads = 0
  const storage = altered(plain, (bytes) => {
    if (noisy) bytes[reads++ % bytes.length]! ^= 1
    return bytes
  })
  const { log, manifest } = await openTestLog(storage)
  noisy = true
  await expect(log.read(3)).rejects.toThrow(StorageError)
  noisy = false
  expect(summary(await log.read(3))).toBe(summary(record(3, 200)))
  expect(manifest.data).toMatchObject({ damage: 0, lost: [] })
})

test('a shard that is refused for long, while its file can be read, is lost; not so when all is refused', async () => {
  for (const all of [true, false]) {
    const plain = await sealed()
    let refusing = false
    const storage = altered(plain, (bytes, offset) =>
      refusing && (all || offset > 36) ? refuse(bytes, offset) : bytes,
    )
    const { log, manifest, env } = await openTestLog(storage)
    refusing = true
    for (let i = 0; i < 4; i++) {
      await expect(log.read(3)).rejects.toThrow(StorageError)
      if (i < 3) await env.pass(10_000 - 1)
    }
    await env.pass(10_000)
    await expect(log.read(3)).rejects.toThrow(all ? StorageError : RecordLostError)
    expect(manifest.data.lost).toEqual(all ? [] : [{ firstSeq: 3, lastSeq: 4 }])
  }
})

test('a shard that is refused together with the head of its file is lost as well, and holds no scan up for ever', async () => {
  const plain = await sealed()
  const { length } = plain.bytes('segment-2')
  let refusing = false
  const storage = altered(plain, (bytes, offset) =>
    refusing && offset < length / 4 ? refuse(bytes, offset) : bytes,
  )
  const { log, manifest, env } = await openTestLog(storage)
  refusing = true
  for (let i = 0; i < 3; i++) {
    await expect(contents(log)).rejects.toThrow(StorageError)
    await env.pass(10_000)
  }
  expect([...(await contents(log)).keys()]).toEqual([3, 4, 5, 6, 7, 8, 9, 10])
  expect(manifest.data.lost).toEqual([{ firstSeq: 1, lastSeq: 2 }])
})

test('a damaged shard is lost durably, once, whoever finds it; who wants to know is told', async () => {
  const found = {
    read: (log) => log.read(7).catch((error: unknown) => expect(error).toBeInstanceOf(RecordLostError)),
    scan: async (log) => expect((await contents(log)).has(7)).toBe(false),
    verify: async (log) =>
      expect(await collect(log.verify())).toMatchObject([{ file: 'segment-2', firstSeq: 7, lastSeq: 8 }]),
  } satisfies Record<string, (log: Awaited<ReturnType<typeof openTestLog>>['log']) => Promise<unknown>>
  for (const find of Object.values(found)) {
    const storage = await sealed()
    const { log, manifest } = await openTestLog(storage)
    let told = 0
    log.onLost(() => {
      told++
    })
    damageShard(storage, 3)
    await find(log)
    await contents(log)
    expect(told).toBe(1)
    expect(manifest.data).toMatchObject({ damage: 1, lost: [{ firstSeq: 7, lastSeq: 8 }] })
    expect(log.damage).toMatchObject([{ file: 'segment-2', firstSeq: 7, lastSeq: 8 }])
    expect(log.stats().lostRecords).toBe(2)
    await log.append([record(11, 200)], { sync: true })
    await log.close()
    const again = await openTestLog(storage)
    expect([...(await contents(again.log)).keys()]).toEqual([1, 2, 3, 4, 5, 6, 9, 10, 11])
  }
})

test('what cannot be told durably is not passed by a scan', async () => {
  const storage = await sealed()
  const { length } = storage.bytes('segment-2')
  const { log, manifest } = await openTestLog(storage)
  damageShard(storage, 3)
  await expect(log.read(7)).rejects.toThrow(RecordLostError)
  const { damage } = manifest.data
  expect(damage).toBe(1)
  damageShard(storage, 600, length)
  const replace = storage.replace.bind(storage)
  storage.replace = async () => {
    throw new StorageError('manifest', 'replace')
  }
  await expect(contents(log)).rejects.toThrow(StorageError)
  await expect(contents(log)).rejects.toThrow(StorageError)
  storage.replace = replace
  expect((await contents(log)).has(7)).toBe(false)
  expect(manifest.data.damage).toBe(2)
})

test('a history that is renamed holds no position of before, also not after the next file is begun', async () => {
  const { log } = await openTestLog(new CrashStorage(() => 0))
  await log.append([record(1)], { sync: true })
  const [before] = log.incarnations
  await log.rename(0)
  await log.append([record(2)], { sync: true })
  await log.seal()
  await log.append([record(3)], { sync: true })
  expect(log.incarnations).toHaveLength(1)
  expect(log.incarnations[0]).toMatchObject({ firstSeq: 1 })
  expect(log.incarnations[0]!.id).not.toBe(before!.id)
})

test('files that were damaged under an open log are written anew from what is whole', async () => {
  for (const damage of ['header', 'missing', 'hot', 'hot missing', 'manifest']) {
    const storage = await sealed()
    const { log } = await openTestLog(storage)
    const hot = storage.names().find((name) => name.startsWith('hot'))!
    if (damage === 'header') storage.edit('segment-2', (bytes) => bytes.fill(0, 0, 36))
    if (damage === 'missing') storage.drop('segment-2')
    if (damage === 'hot') storage.edit(hot, (bytes) => bytes.fill(0, 90, 200))
    if (damage === 'hot missing') storage.drop(hot)
    if (damage === 'manifest') storage.edit('manifest.copy', (bytes) => bytes.fill(0, 90, 200))
    const findings = await collect(log.verify())
    expect(findings.length, damage).toBeGreaterThan(0)
    expect(await log.mend(findings), damage).toContain(findings[0]!.file)
    expect(await collect(log.verify()), damage).toEqual([])
    const seqs = damage === 'missing' ? expected(9, 10, 200) : expected(1, 10, 200)
    expect([...(await contents(log))], damage).toEqual(seqs)
    await log.append([record(11, 200)], { sync: true })
    await log.seal()
    await log.close()
    const again = await openTestLog(storage)
    expect([...(await contents(again.log))], damage).toEqual([...seqs, ...expected(11, 11, 200)])
    expect(await collect(again.log.verify()), damage).toEqual([])
  }
})

test('a reader whose shard moves to another file while it reads finds it there', async () => {
  const found = {
    read: async (log) => expect(summary(await log.read(3))).toBe(summary(record(3, 200))),
    scan: async (log) => expect([...(await contents(log))]).toEqual(expected(1, 10, 200)),
    verify: async (log) => expect(await collect(log.verify())).toEqual([]),
  } satisfies Record<string, (log: Awaited<ReturnType<typeof openTestLog>>['log']) => Promise<unknown>>
  for (const find of Object.values(found)) {
    const plain = await sealed()
    let move: (() => Promise<unknown>) | undefined
    const storage = new Proxy<Storage>(plain, {
      get(target, name) {
        const member = Reflect.get(target, name, target) as unknown
        if (name !== 'read') return typeof member === 'function' ? member.bind(target) : member
        return async (file: string, offset: number, length: number) => {
          const moving = file === 'segment-2' && offset > 36 ? move : undefined
          if (moving) move = undefined
          await moving?.()
          return target.read(file, offset, length)
        }
      },
    })
    const { log, manifest } = await openTestLog(storage, { cacheBytes: 1 })
    move = () => log.mend([{ file: 'segment-2', fault: 'its header is damaged' }])
    await find(log)
    expect(plain.names()).not.toContain('segment-2')
    expect(manifest.data).toMatchObject({ damage: 0, lost: [] })
    expect(log.stats().lostRecords).toBe(0)
  }
})
