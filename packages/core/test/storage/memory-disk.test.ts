import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StorageError } from '../../src/errors.js'
import { type DiskFault, MemoryDisk, type MemoryDiskOptions } from '../../src/storage/memory-disk.js'
import { seeded } from './seeded.js'

const bytes = (length: number, value = 1): Uint8Array => new Uint8Array(length).fill(value)

/** What becomes of a script over many seeds. */
async function outcomes<T>(
  script: (disk: MemoryDisk) => Promise<unknown>,
  look: (disk: MemoryDisk) => Promise<T>,
  options: MemoryDiskOptions = {},
): Promise<Set<string>> {
  const seen = new Set<string>()
  for (let seed = 0; seed < 60; seed++) {
    const disk = new MemoryDisk({ ...options, random: seeded(seed) })
    await script(disk)
    seen.add(JSON.stringify(await look(disk)))
  }
  return seen
}

async function filesOf(disk: MemoryDisk): Promise<Record<string, number[]>> {
  const storage = disk.storage()
  const files: Record<string, number[]> = {}
  for (const { name, length } of await storage.list())
    files[name] = [...(await storage.read(name, 0, length))]
  return files
}

/** Whether it is answered within a few turns. */
async function answers(result: Promise<unknown>): Promise<boolean> {
  let answered = false
  const done = (): void => {
    answered = true
  }
  result.then(done, done)
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  return answered
}

describe('files after a power cut', () => {
  test('a file that was never synced may be gone, whole, cut or torn', async () => {
    const seen = await outcomes(
      async (disk) => {
        await disk.storage().append('a', 0, bytes(2_000))
        disk.powerCut()
      },
      async (disk) => {
        const { a } = await filesOf(disk)
        if (!a) return 'gone'
        return `${a.length === 2_000 ? 'long' : 'short'} ${a.some((byte) => byte !== 1) ? 'torn' : 'sound'}`
      },
    )
    expect([...seen].sort()).toEqual([
      '"gone"',
      '"long sound"',
      '"long torn"',
      '"short sound"',
      '"short torn"',
    ])
  })

  test('what was synced is there, whatever follows it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 1_500 }), fc.boolean()), { maxLength: 8 }),
        async (seed, appends) => {
          const disk = new MemoryDisk({ random: seeded(seed) })
          const storage = disk.storage()
          let length = 0
          let synced = 0
          for (const [size, sync] of appends) {
            await storage.append('a', length, bytes(size))
            length += size
            if (!sync) continue
            await storage.sync('a')
            synced = length
          }
          disk.powerCut()
          const { a = [] } = await filesOf(disk)
          expect(a.length).toBeGreaterThanOrEqual(synced)
          expect(a.length).toBeLessThanOrEqual(length)
          expect(a.slice(0, synced).every((byte) => byte === 1)).toBe(true)
        },
      ),
    )
  })

  test('a removed file may come back, until the folder is synced', async () => {
    const script = (then: string) => async (disk: MemoryDisk) => {
      const storage = disk.storage()
      await storage.replace('a', bytes(1))
      await storage.remove('a')
      if (then !== '') await storage.replace(then, bytes(1))
      disk.powerCut()
    }
    expect(await outcomes(script(''), filesOf)).toEqual(new Set(['{}', '{"a":[1]}']))
    expect(await outcomes(script('b'), filesOf)).toEqual(new Set(['{"b":[1]}']))
  })

  test('a replacement that has not resolved may be the old or the new', async () => {
    let stuck = false
    const pace = () => (stuck ? new Promise<void>(() => undefined) : Promise.resolve())
    const seen = await outcomes(
      async (disk) => {
        stuck = false
        const storage = disk.storage()
        await storage.replace('a', bytes(3))
        stuck = true
        void storage.replace('a', bytes(2, 2))
        disk.powerCut()
        stuck = false
      },
      filesOf,
      { pace },
    )
    expect(seen).toEqual(new Set(['{"a":[1,1,1]}', '{"a":[2,2]}']))
  })
})

describe('a process that was killed', () => {
  test('leaves what it wrote, its lock is free, and nothing that it asks is answered or done', async () => {
    const disk = new MemoryDisk()
    const storage = disk.storage()
    const lock = await storage.lock()
    await storage.append('a', 0, bytes(2))
    disk.kill()
    const asked = [
      storage.append('a', 2, bytes(1)),
      storage.read('a', 0, 1),
      storage.remove('a'),
      storage.list(),
      storage.close(),
      lock.release(),
    ]
    for (const result of asked) expect(await answers(result)).toBe(false)
    expect(await filesOf(disk)).toEqual({ a: [1, 1] })
    await (await disk.storage().lock()).release()
  })
})

describe('faults', () => {
  test('after a sync that failed a later one does not make the same bytes durable', async () => {
    let failing = true
    const seen = await outcomes(
      async (disk) => {
        failing = false
        const storage = disk.storage()
        await storage.append('a', 0, bytes(1))
        await storage.sync('a')
        failing = true
        await storage.append('a', 1, bytes(1))
        await expect(storage.sync('a')).rejects.toThrow(StorageError)
        failing = false
        await storage.append('a', 2, bytes(1))
        await storage.sync('a')
        disk.powerCut()
      },
      async (disk) => Object.values(await filesOf(disk))[0]?.map((byte) => (byte === 1 ? 1 : 0)),
      { fault: ({ kind }) => (failing && kind === 'sync' ? 'error' : undefined) },
    )
    expect([...seen].sort()).toEqual(['[1,0,1]', '[1,1,1]'])
  })

  test('a full disk refuses, may take a part, and takes again when there is room', async () => {
    const seen = await outcomes(
      async (disk) => {
        disk.capacityBytes = 4
        const storage = disk.storage()
        await storage.append('a', 0, bytes(3))
        await expect(storage.append('a', 3, bytes(3))).rejects.toMatchObject({
          code: 'MYNAH_DISK_FULL',
          cause: { code: 'ENOSPC' },
        })
        await expect(storage.replace('b', bytes(3))).rejects.toThrow(StorageError)
        await storage.remove('a')
        await storage.append('c', 0, bytes(3))
        disk.capacityBytes = 9
        await storage.replace('b', bytes(3))
      },
      async (disk) => disk.usedBytes,
    )
    expect(seen).toEqual(new Set(['6']))
  })
})

describe('copies and damage', () => {
  test('a copy goes its own way, with what is not durable', async () => {
    const seen = new Set<string>()
    const disk = new MemoryDisk()
    const storage = disk.storage()
    await storage.replace('a', bytes(1))
    await storage.append('a', 1, bytes(1))
    const level = disk.level('index')
    await level.put(bytes(1), bytes(1))
    for (let seed = 0; seed < 20; seed++) {
      const copy = disk.copy({ random: seeded(seed) })
      copy.powerCut()
      const entries = await copy.level('index').keys().all()
      seen.add(`${(await filesOf(copy)).a?.length} ${entries.length}`)
    }
    expect([...seen].sort()).toEqual(['1 0', '1 1', '2 0', '2 1'])
    expect(await filesOf(disk)).toEqual({ a: [1, 1] })
    const other = new MemoryDisk()
    other.takeLevel('index', disk)
    expect(await other.level('index').keys().all()).toEqual([bytes(1)])
  })

  test('damage is on the medium, and stays', async () => {
    const disk = new MemoryDisk()
    const storage = disk.storage()
    await storage.replace('a', bytes(4))
    await storage.replace('b', bytes(4, 2))
    await storage.replace('c', bytes(1))
    disk.damage('a', { kind: 'flip', offset: 1, bit: 1 })
    disk.damage('a', { kind: 'cut', length: 3 })
    disk.damage('b', { kind: 'zero', offset: 2, length: 9 })
    disk.damage('a', { kind: 'swap', other: 'b' })
    disk.damage('c', { kind: 'remove' })
    expect(() => disk.damage('c', { kind: 'remove' })).toThrow(RangeError)
    disk.powerCut()
    expect(await filesOf(disk)).toEqual({ a: [2, 2, 0, 0], b: [1, 3, 1] })
    expect(disk.files()).toEqual([
      { name: 'a', length: 4 },
      { name: 'b', length: 3 },
    ])
  })

  test('a read may be short, wrong or refused, and a lying sync leaves nothing', async () => {
    let fault: DiskFault | undefined
    const disk = new MemoryDisk({ random: seeded(2), fault: () => fault })
    const storage = disk.storage()
    await storage.append('a', 0, bytes(100))
    fault = 'short'
    expect((await storage.read('a', 0, 100)).length).toBeLessThan(100)
    fault = 'flip'
    expect(await storage.read('a', 0, 100)).not.toEqual(bytes(100))
    fault = 'error'
    await expect(storage.read('a', 0, 100)).rejects.toMatchObject({ cause: { code: 'EIO' } })
    fault = undefined
    expect(await storage.read('a', 0, 100)).toEqual(bytes(100))
    const seen = await outcomes(
      async (lying) => {
        await lying.storage().append('a', 0, bytes(1))
        await lying.storage().sync('a')
        await lying.storage().replace('b', bytes(1))
        lying.powerCut()
      },
      async (lying) => Object.keys(await filesOf(lying)).join(),
      { fault: ({ kind }) => (kind === 'sync' || kind === 'replace' ? 'lie' : undefined) },
    )
    expect([...seen].sort()).toEqual(['""', '"a"', '"a,b"', '"b"'])
  })
})
