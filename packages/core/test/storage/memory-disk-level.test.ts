import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type DiskFault, MemoryDisk } from '../../src/storage/memory-disk.js'
import { seeded } from './seeded.js'

type Level = ReturnType<MemoryDisk['level']>

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (given: Uint8Array): string => new TextDecoder().decode(given)

async function opened(disk: MemoryDisk): Promise<Level> {
  const level = disk.level('index')
  await level.open()
  return level
}

function write(level: Level, entries: Record<string, string>, sync: boolean): Promise<void> {
  const batch = level.batch()
  for (const [key, value] of Object.entries(entries)) batch.put(bytes(key), bytes(value))
  return batch.write({ sync } as object)
}

async function contents(level: Level): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for await (const [key, value] of level.iterator()) found[text(key)] = text(value)
  return found
}

test('after a power cut what was synced is there, and of the rest whole writes', async () => {
  const write = fc.record({ sync: fc.boolean(), keys: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd')) })
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.array(write, { maxLength: 8 }), async (seed, writes) => {
      const disk = new MemoryDisk({ random: seeded(seed) })
      const level = await opened(disk)
      let possible: Record<string, string>[] = [{}]
      for (const [n, { sync, keys }] of writes.entries()) {
        const batch = level.batch()
        for (const key of keys) batch.put(bytes(key), bytes(`${n}`))
        await batch.write({ sync } as object)
        const entries = Object.fromEntries(keys.map((key) => [key, `${n}`]))
        const written = possible.map((before) => ({ ...before, ...entries }))
        possible = sync ? written : [...possible, ...written]
      }
      disk.powerCut()
      const found = await contents(disk.level('index'))
      const sorted = (entries: Record<string, string>) => JSON.stringify(Object.entries(entries).sort())
      expect(possible.map(sorted)).toContain(sorted(found))
    }),
  )
})

test('after a kill all that was answered is there, and nothing that is asked of the old one is answered', async () => {
  const disk = new MemoryDisk()
  const old = await opened(disk)
  await write(old, { a: '1', b: '1', c: '1' }, false)
  await old.del(bytes('b'))
  const iterator = old.iterator()
  disk.kill()
  let answered = 0
  const count = (): void => {
    answered += 1
  }
  for (const asked of [old.put(bytes('x'), bytes('1')), old.get(bytes('a')), iterator.next(), old.close()])
    asked.then(count, count)
  const level = await opened(disk)
  expect(await contents(level)).toEqual({ a: '1', c: '1' })
  expect(text((level.getSync(bytes('a')) as Uint8Array) ?? bytes('none'))).toBe('1')
  await new Promise((resolve) => setImmediate(resolve))
  expect(answered).toBe(0)
  expect(disk.levels()).toEqual(['index'])
  await level.clear()
  expect(await contents(level)).toEqual({})
  await level.close()
  disk.removeLevel('index')
  expect(disk.levels()).toEqual([])
})

test('a batch that is under way at the end is there whole or not at all', async () => {
  const seen = new Set<string>()
  for (let seed = 0; seed < 40; seed++) {
    let stuck = false
    const disk = new MemoryDisk({
      random: seeded(seed),
      pace: ({ kind }) =>
        stuck && kind === 'level-write' ? new Promise(() => undefined) : Promise.resolve(),
    })
    const level = await opened(disk)
    await write(level, { a: '1' }, true)
    stuck = true
    void write(level, { a: '2', b: '2' }, true)
    await Promise.resolve()
    if (seed % 2 === 0) disk.kill()
    else disk.powerCut()
    seen.add(JSON.stringify(await contents(disk.level('index'))))
  }
  expect(seen).toEqual(new Set(['{"a":"1"}', '{"a":"2","b":"2"}']))
})

test('after a write that failed all fail, until it is opened again', async () => {
  let fault: DiskFault | undefined
  const disk = new MemoryDisk({ fault: ({ kind }) => (kind === 'level-write' ? fault : undefined) })
  const level = await opened(disk)
  await write(level, { a: '1' }, true)
  disk.capacityBytes = disk.usedBytes + 1
  await expect(write(level, { b: '1' }, true)).rejects.toMatchObject({ code: 'LEVEL_IO_ERROR' })
  disk.capacityBytes = 1_000
  await expect(write(level, { b: '1' }, true)).rejects.toMatchObject({ cause: { code: 'ENOSPC' } })
  expect(text((await level.get(bytes('a'))) as Uint8Array)).toBe('1')
  await level.close()
  await level.open()
  await write(level, { b: '1' }, true)
  fault = 'error'
  await expect(level.put(bytes('c'), bytes('1'))).rejects.toMatchObject({ cause: { code: 'EIO' } })
  fault = undefined
  await expect(level.put(bytes('c'), bytes('1'))).rejects.toMatchObject({ cause: { code: 'EIO' } })
  await level.close()
  expect(await contents(disk.level('index'))).toMatchObject({ a: '1', b: '1' })
})

test('one location is open once', async () => {
  const disk = new MemoryDisk()
  const level = await opened(disk)
  const second = disk.level('index')
  await expect(second.open()).rejects.toMatchObject({ cause: { code: 'LEVEL_LOCKED' } })
  await level.close()
  await second.open()
})

test('a flipped bit on read is a wrong value, once', async () => {
  let flip = false
  const disk = new MemoryDisk({
    random: seeded(1),
    fault: ({ kind }) => (flip && kind === 'level-read' ? 'flip' : undefined),
  })
  const level = await opened(disk)
  await write(level, { a: 'value' }, true)
  flip = true
  expect(await level.get(bytes('a'))).not.toEqual(bytes('value'))
  expect(level.getSync(bytes('a'))).not.toEqual(bytes('value'))
  expect(await level.getMany([bytes('a')])).not.toEqual([bytes('value')])
  flip = false
  expect(await level.get(bytes('a'))).toEqual(bytes('value'))
})
