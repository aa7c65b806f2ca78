import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32 } from '../../src/bytes/hash.js'
import { FormatUnknownError, ManifestCorruptError, StorageError } from '../../src/errors.js'
import { limits } from '../../src/limits.js'
import { Manifest, withIncarnation } from '../../src/log/manifest.js'
import { decodeManifest, encodeManifest } from '../../src/log/manifest-format.js'
import { memoryStorage } from '../../src/storage/memory-storage.js'
import { CrashStorage } from './crash-storage.js'
import { DATABASE } from './support.js'

const identity = { id: DATABASE, mode: 'peer', created: 1_800_000_000_000 } as const

test('an empty place has no manifest; one that was made is read back', async () => {
  const storage = memoryStorage()
  expect(await Manifest.load(storage)).toBeUndefined()
  const manifest = await Manifest.create(storage, identity)
  await manifest.update((data) => ({ mode: 'mirror', damage: data.damage + 1 }))
  const again = await Manifest.load(storage)
  expect(again!.data).toEqual(manifest.data)
  expect(again!.data).toMatchObject({ mode: 'mirror', damage: 1 })
})

test('changes are made one after another, each on what the last one left', async () => {
  const storage = memoryStorage()
  const manifest = await Manifest.create(storage, identity)
  await Promise.all(
    Array.from({ length: 20 }, () => manifest.update((data) => ({ damage: data.damage + 1 }))),
  )
  expect((await Manifest.load(storage))!.data.damage).toBe(20)
})

test('either copy will do; without both, files are no fresh start', async () => {
  const storage = new CrashStorage(() => 0)
  const manifest = await Manifest.create(storage, identity)
  await manifest.update(() => ({ damage: 7 }))
  for (const name of ['manifest', 'manifest.copy']) {
    const damaged = storage.copy()
    damaged.edit(name, (bytes) => bytes.slice(0, -1))
    const loaded = (await Manifest.load(damaged))!
    expect([loaded.data.damage, loaded.damaged]).toEqual([7, [name]])
    damaged.drop(name)
    expect((await Manifest.load(damaged))!.data.damage).toBe(7)
  }
  const bare = storage.copy()
  bare.edit('manifest', () => new Uint8Array(0))
  bare.edit('manifest.copy', () => new Uint8Array(3))
  await expect(Manifest.load(bare)).rejects.toThrow(ManifestCorruptError)
  bare.drop('manifest')
  bare.drop('manifest.copy')
  bare.put('hot-3', new Uint8Array(1))
  await expect(Manifest.load(bare)).rejects.toThrow(ManifestCorruptError)
  bare.drop('hot-3')
  bare.put('readme.txt', new Uint8Array(1))
  expect(await Manifest.load(bare)).toBeUndefined()
})

test('a copy that the disk refuses is as good as damaged, unless it refuses both', async () => {
  const storage = new CrashStorage(() => 0)
  const manifest = await Manifest.create(storage, identity)
  await manifest.update(() => ({ damage: 7 }))
  for (const refused of ['manifest', 'manifest.copy']) {
    storage.fails = (operation, name) => operation === 'read' && name === refused
    const loaded = (await Manifest.load(storage))!
    expect([loaded.data.damage, loaded.damaged]).toEqual([7, [refused]])
    expect(await loaded.damagedCopies()).toEqual([refused])
  }
  storage.fails = (operation) => operation === 'read'
  await expect(Manifest.load(storage)).rejects.toThrow(StorageError)
  // What the disk gets right the second time was never wrong.
  let reads = 0
  storage.fails = (operation) => operation === 'read' && reads++ % 2 === 0
  expect((await Manifest.load(storage))!.damaged).toEqual([])
})

test('a change that failed may be there or not, and the next one counts', async () => {
  for (let failing = 0; failing < 4; failing++) {
    const storage = new CrashStorage((bound) => failing % bound)
    const manifest = await Manifest.create(storage, identity)
    let calls = 0
    storage.fails = () => calls++ === failing >> 1
    await expect(manifest.update(() => ({ damage: 1 }))).rejects.toThrow()
    expect(manifest.data.damage).toBe(0)
    expect([0, 1]).toContain((await Manifest.load(storage.copy()))!.data.damage)
    storage.fails = () => false
    await manifest.update(() => ({ damage: 2 }))
    expect((await Manifest.load(storage))!.data.damage).toBe(2)
  }
})

test('a newer format is refused by name', () => {
  const body = new TextEncoder().encode('{"magic":"mynah-manifest","format":2}\n')
  const line = new TextEncoder().encode(`crc32 ${crc32(body).toString(16).padStart(8, '0')}\n`)
  expect(() => decodeManifest('manifest', new Uint8Array([...body, ...line]))).toThrow(FormatUnknownError)
})

test('damaged bytes are never taken for a manifest', async () => {
  const storage = new CrashStorage(() => 0)
  await Manifest.create(storage, identity)
  const whole = storage.bytes('manifest')
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const damaged = whole.slice()
      damaged[at]! ^= mask
      expect(decodeManifest('manifest', damaged)).toBeUndefined()
    }),
  )
  fc.assert(
    fc.property(fc.nat(whole.length - 1), (length) => {
      expect(decodeManifest('manifest', whole.slice(0, length))).toBeUndefined()
    }),
  )
})

test('whole, but not what a manifest has, is damage too', () => {
  const good = {
    ...identity,
    incarnations: [{ id: DATABASE, firstSeq: 1 }],
    nextFile: 3,
    hot: ['hot-2'],
    segments: [{ name: 'segment-1', closed: true }],
    lost: [{ firstSeq: 2, lastSeq: 3 }],
    damage: 1,
    index: 1,
    historySince: 0,
    replication: { mirrors: [{ url: 'http://a' }] },
  }
  const decode = (data: object) =>
    decodeManifest('manifest', encodeManifest({ version: 1, data: data as typeof good }))
  expect(decode(good)?.data).toEqual(good)
  const bad: object[] = [
    { id: 'x' },
    { mode: 'other' },
    { created: '1' },
    { incarnations: [{}] },
    { nextFile: -1 },
    { hot: ['../../etc/passwd'] },
    { hot: ['segment-1'] },
    { segments: [{ name: 'segment-1' }] },
    { lost: [{ firstSeq: 3, lastSeq: 2 }] },
    { damage: 1.5 },
    { index: null },
    { historySince: 'x' },
    { replication: { mirrors: [{}] } },
  ]
  for (const change of bad) expect(decode({ ...good, ...change })).toBeUndefined()
})

test('only the newest incarnations are kept', () => {
  let known: ReturnType<typeof withIncarnation> = []
  for (let n = 1; n <= limits.incarnations + 5; n++)
    known = withIncarnation(known, { id: String(n), firstSeq: n })
  expect(known).toHaveLength(limits.incarnations)
  expect(known.at(-1)?.firstSeq).toBe(limits.incarnations + 5)
})
