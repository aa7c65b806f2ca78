import { open } from '@mynah/core'
import { MemoryDisk } from '@mynah/core/compliance'
import { replicaOf } from '@mynah/core/replica'
import { describe, expect, onTestFinished, test } from 'vitest'
import { replicate } from '../src/application/replicate.js'

/** A peer on a disk, whose mirror nobody answers for. */
async function started() {
  const disk = new MemoryDisk()
  const db = await open('peer', { storage: disk.storage(), level: (location) => disk.level(location) })
  const transport = {
    request: () => Promise.reject(new Error('nobody is there')),
    stream: () => Promise.reject(new Error('nobody is there')),
    close: async () => undefined,
  }
  const replication = await replicate(db, { mirrors: [first], transport })
  onTestFinished(async () => {
    await replication.close()
    await db.close()
  })
  return {
    disk,
    replication,
    remembered: () =>
      replicaOf(db)
        .settings()
        .mirrors.map(({ url }) => url),
  }
}

const first = 'http://first/v1/sensors'
const second = 'http://second/v1/sensors'

describe('what is remembered of mirrors', () => {
  test('a mirror whose removal a full disk refused is forgotten when it is removed again', async () => {
    const { disk, replication, remembered } = await started()
    disk.capacityBytes = disk.usedBytes
    await expect(replication.removeMirror(first)).rejects.toMatchObject({ code: 'MYNAH_DISK_FULL' })
    expect(remembered()).toEqual([first])
    disk.capacityBytes = Number.POSITIVE_INFINITY
    await replication.removeMirror(first)
    expect(remembered()).toEqual([])
  })

  test('a mirror that is removed while it is added is forgotten', async () => {
    const { replication, remembered } = await started()
    await Promise.all([replication.addMirror(second), replication.removeMirror(second)])
    expect(remembered()).toEqual([first])
  })
})
