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
