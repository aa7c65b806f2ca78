import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { type StorageSubject, storageCompliance } from '../../src/compliance/storage.js'
import { memoryStorage } from '../../src/storage/memory-storage.js'
import { nodeStorage } from '../../src/storage/node-storage.js'

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

async function onDisk(): Promise<StorageSubject> {
  const folder = await mkdtemp(join(tmpdir(), 'mynah-storage-'))
  folders.push(folder)
  const path = join(folder, 'deep', 'data')
  const storage = nodeStorage(path)
  return {
    storage,
    reopen: async () => {
      await storage.close()
      return nodeStorage(path)
    },
  }
}

async function inMemory(): Promise<StorageSubject> {
  const storage = memoryStorage()
  return { storage, reopen: async () => storage }
}

for (const [name, make] of Object.entries({ onDisk, inMemory }))
  describe(name, () => {
    for (const check of storageCompliance(make)) test(check.name, check.run)
  })
