import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LockedError, StorageError } from '../../src/errors.js'
import { nodeStorage } from '../../src/storage/node-storage.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mynah-node-storage-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('listing a folder that is not there makes none', async () => {
  expect(await nodeStorage(join(folder, 'none')).list()).toEqual([])
  expect(await readdir(folder)).toEqual([])
})

test('what a crash left of a replacement is removed by the next owner; folders and foreign files are left alone', async () => {
  await writeFile(join(folder, 'manifest~'), 'half')
  await writeFile(join(folder, 'Other File'), 'x')
  await mkdir(join(folder, 'index-1'))
  await writeFile(join(folder, 'hot-1'), 'abc')
  const storage = nodeStorage(folder)
  expect(await storage.list()).toEqual([{ name: 'hot-1', length: 3 }])
  await (await storage.lock()).release()
  expect((await readdir(folder)).sort()).toEqual(['Other File', 'hot-1', 'index-1', 'lock'])
})

test('listing, here or by another that would like to open, disturbs no replacement', async () => {
  const [storage, other] = [nodeStorage(folder), nodeStorage(folder)]
  let replacing = true
  const lists = [storage, other].map(async (one) => {
    while (replacing) await one.list()
  })
  try {
    for (let n = 0; n < 300; n++) await storage.replace('a', Uint8Array.of(n))
  } finally {
    replacing = false
    await Promise.all(lists)
  }
})

test('names that are none of the log are a programming error', async () => {
  const storage = nodeStorage(folder)
  for (const name of ['../x', 'A', '', 'a/b', 'a~', 'x'.repeat(65)])
    await expect(storage.read(name, 0, 1)).rejects.toThrow(RangeError)
})

test('errors name the operation, the file and the cause', async () => {
  const storage = nodeStorage(folder)
  const error = await storage.read('none', 0, 1).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(StorageError)
  expect(error).toMatchObject({ operation: 'read', file: join(folder, 'none'), cause: { code: 'ENOENT' } })
  await writeFile(join(folder, 'plain'), '')
  await expect(nodeStorage(join(folder, 'plain', 'data')).replace('a', new Uint8Array(1))).rejects.toThrow(
    StorageError,
  )
})

test('a file that was shortened from outside is noticed by whoever opens it', async () => {
  const storage = nodeStorage(folder)
  await storage.append('a', 0, Uint8Array.of(1, 2, 3))
  await storage.close()
  await truncate(join(folder, 'a'), 2)
  await expect(storage.append('a', 3, Uint8Array.of(4))).rejects.toThrow(StorageError)
  await storage.close()
})

test('the same folder by another path is locked too', async () => {
  const lock = await nodeStorage(folder).lock()
  await symlink(folder, join(folder, 'link'))
  await expect(nodeStorage(join(folder, 'link')).lock()).rejects.toThrow(LockedError)
  await lock.release()
})

test('a lock that is damaged is made anew', async () => {
  for (const file of ['CURRENT', 'MANIFEST-000002']) {
    await (await nodeStorage(folder).lock()).release()
    await writeFile(join(folder, 'lock', file), 'nonsense')
    await (await nodeStorage(folder).lock()).release()
  }
})

test('another process holds the lock until it is killed', async () => {
  const level = createRequire(import.meta.url).resolve('classic-level')
  const child = spawn(
    process.execPath,
    [
      '-e',
      `const { ClassicLevel } = require(${JSON.stringify(level)})
       new ClassicLevel(${JSON.stringify(join(folder, 'lock'))}).open().then(() => console.log('open'))
       setInterval(() => {}, 1000)`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  await once(child.stdout, 'data')
  await expect(nodeStorage(folder).lock()).rejects.toThrow(LockedError)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await (await nodeStorage(folder).lock()).release()
})
