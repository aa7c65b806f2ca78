import { describe, expect, test } from 'vitest'
import type { ComplianceCheck } from '../../src/compliance/check.js'
import { type PowerCutSubject, powerCutCompliance } from '../../src/compliance/power-cut.js'
import { storageCompliance } from '../../src/compliance/storage.js'
import { MemoryDisk } from '../../src/storage/memory-disk.js'
import type { Storage } from '../../src/storage/storage.js'
import { seeded } from '../storage/seeded.js'
import { brokenStorages, lyingStorages } from './broken-storage.js'

/** Disks with other losses each, whose operations take a turn, so that a cut can meet them. */
function maker(wrap: (storage: Storage) => Storage): () => Promise<PowerCutSubject> {
  let seed = 0
  return async () => {
    const disk = new MemoryDisk({ random: seeded(++seed), pace: () => Promise.resolve() })
    return {
      storage: wrap(disk.storage()),
      reopen: async () => wrap(disk.storage()),
      powerCut: async () => {
        disk.powerCut()
        return wrap(disk.storage())
      },
    }
  }
}

/** Names of the checks that fail. */
async function failures(checks: readonly ComplianceCheck[]): Promise<string[]> {
  const failed: string[] = []
  for (const { name, run } of checks) await run().catch(() => failed.push(name))
  return failed
}

describe('a disk in RAM', () => {
  const make = maker((storage) => storage)
  for (const { name, run } of [...storageCompliance(make), ...powerCutCompliance(make)]) test(name, run)
})

describe('the suite finds', () => {
  for (const [name, { found, wrap }] of Object.entries(brokenStorages))
    test(name, async () => {
      const checks = storageCompliance(maker(wrap))
      const failed = await failures(checks)
      expect(failed).toContain(found)
      expect(failed.length).toBeLessThan(checks.length)
    })
  for (const [name, { found, wrap }] of Object.entries(lyingStorages))
    test(name, async () => {
      const checks = powerCutCompliance(maker(wrap))
      const failed = await failures(checks)
      expect(failed).toContain(found)
      expect(failed.length).toBeLessThan(checks.length)
    })
})
