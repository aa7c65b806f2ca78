import { DiskFullError, type Storage } from '@mynah/core'
import { expect, test } from 'vitest'
import {
  auditDiskFull,
  type DiskFullReport,
  type SmallDisk,
  smallFileSystem,
  smallMemoryDisk,
} from '../src/disk-full.js'

/** Other choices in each run; a failure tells them. */
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)
const timeout = 240_000

async function audit(
  disk: SmallDisk,
  name: string,
  size: { lives: number; fills: number },
): Promise<DiskFullReport> {
  try {
    const report = await auditDiskFull(disk, { seed, ...size })
    const { full, acknowledged, resumeMsMax, refused } = report
    console.log(
      `${name}: full ${full} times, ${acknowledged} acknowledged writes, all went on within ${resumeMsMax} ms of room;`,
      Object.fromEntries(refused),
    )
    return report
  } finally {
    disk.remove()
  }
}

const size = { lives: Number(process.env.LIVES ?? 1), fills: 4 }
const small = smallFileSystem()

test.skipIf(small === undefined)(
  'on a small file system nothing acknowledged is lost, and writes go on when there is room',
  {
    timeout,
  },
  async () => {
    const report = await audit(small!, 'file system of 24 MiB', size)
    expect(report.faults, `seed ${seed}`).toEqual([])
    expect(report.full).toBe(size.lives * size.fills)
    expect(report.acknowledged).toBeGreaterThan(500)
  },
)

test('on a disk in RAM that is full nothing acknowledged is lost, and writes go on when there is room', {
  timeout,
}, async () => {
  const report = await audit(smallMemoryDisk(), 'disk in RAM of 24 MiB', size)
  expect(report.faults, `seed ${seed}`).toEqual([])
  expect(report.full).toBe(size.lives * size.fills)
})

/** Acknowledges every other append for which there is no room, and drops it. */
function lying(storage: Storage): Storage {
  const dropped = new Map<string, number>()
  let refused = 0
  const append: Storage['append'] = async (name, expectedLength, bytes) => {
    const before = dropped.get(name) ?? 0
    try {
      await storage.append(name, expectedLength - before, bytes)
    } catch (error) {
      const isGroup = name.startsWith('hot') && expectedLength > 0
      if (!(error instanceof DiskFullError) || !isGroup || refused++ % 2 === 0) throw error
      const there = (await storage.list()).find((file) => file.name === name)!.length
      dropped.set(name, expectedLength + bytes.length - there)
    }
  }
  return new Proxy(storage, {
    get(target, name) {
      if (name === 'append') return append
      const member = Reflect.get(target, name, target) as unknown
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

test('control: a disk that acknowledges what it dropped for want of room is found out', {
  timeout,
}, async () => {
  const faults: string[] = []
  for (let life = 0; life < 5 && !faults.some((fault) => /is lost/.test(fault)); life++)
    faults.push(
      ...(await auditDiskFull(smallMemoryDisk(lying), { seed: seed + life, lives: 1, fills: 2 })).faults,
    )
  expect(faults.join('\n'), `seed ${seed}`).toMatch(/is lost/)
})
