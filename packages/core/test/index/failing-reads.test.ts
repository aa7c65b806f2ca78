import { expect, test } from 'vitest'
import { type DiskFault, MemoryDisk } from '../../src/compliance.js'
import { ClosedError, DiskFullError, open, StorageError } from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'

test('what the disk refuses to read of the index is a StorageError, and works again with the disk', async () => {
  let fault: DiskFault | undefined
  const disk = new MemoryDisk({ fault: ({ kind }) => (kind === 'level-read' ? fault : undefined) })
  const start = () =>
    open('db', { storage: disk.storage(), level: (location) => disk.level(location), cacheBytes: 1 })
  const first = await start()
  const docs = Array.from({ length: 50 }, (_, n) => ({ id: `doc-${n}`, n }))
  await first.putMany(docs)
  await first.update('doc-1', () => ({ n: 1.5 }))
  await first.close()
  const db = await start()
  fault = 'error'
  await expect(db.get('doc-1')).rejects.toThrow(StorageError)
  await expect(db.getMany(docs.map(({ id }) => id))).rejects.toThrow(StorageError)
  await expect(db.put({ id: 'doc-2', n: 2 })).rejects.toThrow(StorageError)
  await expect(db.delete('doc-3')).rejects.toThrow(StorageError)
  await expect(db.list()[Symbol.asyncIterator]().next()).rejects.toThrow(StorageError)
  await expect(replicaOf(db).leaves('doc-1')).rejects.toThrow(StorageError)
  fault = undefined
  expect(await db.get('doc-1')).toMatchObject({ n: 1.5 })
  await db.close()
})

test('whatever asks an index that the database has closed meanwhile learns just that', async () => {
  const disk = new MemoryDisk()
  const db = await open('db', { storage: disk.storage(), level: (location) => disk.level(location) })
  await db.put({ id: 'doc-1', n: 1 })
  await db.update('doc-1', () => ({ n: 2 }))
  const replica = replicaOf(db)
  await db.close()
  await expect(replica.leaves('doc-1')).rejects.toThrow(ClosedError)
  await expect(replica.bodies([{ id: 'doc-2', rev: '1-00000000000000000000000000000000' }])).rejects.toThrow(
    ClosedError,
  )
})

test('on a full disk what is not in RAM is read as before, also from a store that the application brought', async () => {
  const disk = new MemoryDisk({ capacityBytes: 32 * 1024 * 1024 })
  const start = () =>
    open('db', { storage: disk.storage(), level: (location) => disk.level(location), cacheBytes: 1 })
  const first = await start()
  await first.putMany(Array.from({ length: 50 }, (_, n) => ({ id: `doc-${n}`, n })))
  await first.close()
  const db = await start()
  await db.putMany(Array.from({ length: 50 }, (_, n) => ({ id: `more-${n}`, n })))
  disk.capacityBytes = disk.usedBytes
  for (let turn = 0; turn < 3; turn++) {
    await expect(db.seal()).rejects.toThrow(DiskFullError)
    expect(await db.get(`doc-${turn}`)).toMatchObject({ n: turn })
    expect(await db.get(`none-${turn}`)).toBeUndefined()
  }
  await db.close().catch((error: unknown) => expect(error).toBeInstanceOf(DiskFullError))
})
