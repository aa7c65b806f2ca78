import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type ReplicaSubject, replicaCompliance } from '../../src/compliance/replica.js'
import { type OpenOptions, open } from '../../src/index.js'
import { type Replica, replicaOf } from '../../src/replica.js'
import { MemoryDisk } from '../../src/storage/memory-disk.js'
import { brokenReplicas } from './broken-replica.js'

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

async function subject(location: string, options: OpenOptions = {}): Promise<ReplicaSubject> {
  let db = await open(location, { shardBytes: 500, ...options })
  return {
    replica: replicaOf(db),
    reopen: async () => {
      await db.seal()
      await db.close()
      db = await open(location, { shardBytes: 500, ...options })
      return replicaOf(db)
    },
    close: () => db.close(),
  }
}

async function inFiles(): Promise<ReplicaSubject> {
  const folder = await mkdtemp(join(tmpdir(), 'mynah-replica-'))
  folders.push(folder)
  return subject(folder)
}

async function inMemory(): Promise<ReplicaSubject> {
  const disk = new MemoryDisk()
  return subject('/ram', { storage: disk.storage(), level: (location) => disk.level(location) })
}

for (const [name, make] of Object.entries({ inFiles, inMemory }))
  describe(name, () => {
    for (const check of replicaCompliance(make)) test(check.name, check.run)
  })

/** The replica, some of whose methods are others. */
function mixed(real: Replica, broken: Partial<Replica>): Replica {
  return new Proxy(real, {
    get: (target, name) => {
      const value: unknown = Reflect.get(name in broken ? broken : target, name)
      return typeof value === 'function' ? value.bind(name in broken ? broken : target) : value
    },
  })
}

describe('the suite finds', () => {
  for (const [name, { found, broken }] of Object.entries(brokenReplicas))
    test(name, async () => {
      const failed: string[] = []
      const checks = replicaCompliance(async () => {
        const real = await inMemory()
        return {
          replica: mixed(real.replica, broken(real.replica)),
          reopen: async () => {
            const again = await real.reopen()
            return mixed(again, broken(again))
          },
          close: () => real.close(),
        }
      })
      for (const check of checks) await check.run().catch(() => failed.push(check.name))
      expect(failed).toContain(found)
      // One fault, not a replica that does nothing.
      expect(failed.length).toBeLessThan(checks.length / 2)
    })
})
