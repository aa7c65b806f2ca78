import { expect, test } from 'vitest'
import { type DiskOperation, MemoryDisk } from '../../src/compliance.js'
import { type Database, open } from '../../src/index.js'
import { seeded } from '../storage/seeded.js'

const ids = Array.from({ length: 60 }, (_, i) => `d${i}`)

const edit = (db: Database, n: number) =>
  db.putMany(
    ids.map((id) => ({ id, n })),
    { overwrite: true },
  )

test('in a relaxed database what is durable does not go for what is not', async () => {
  const step: { run: ((operation: DiskOperation) => Promise<void>) | undefined } = { run: undefined }
  const random = seeded(1)
  let cut = false
  const disk = new MemoryDisk({
    // Of what was not synced the cut leaves nothing.
    random: () => (cut ? 0 : random()),
    pace: async (operation) => step.run?.(operation),
  })
  const start = (level: string) =>
    open('db', {
      storage: disk.storage(),
      level: () => disk.level(level),
      durability: 'relaxed',
      shardBytes: 100_000,
    })
  const db = await start('db/index-1')
  for (let n = 0; n < 8; n++) {
    await edit(db, n)
    await db.seal()
  }
  let edited = false
  const ended = new Promise<void>((resolve) => {
    step.run = async ({ kind, name }) => {
      if (kind === 'sync' && name.startsWith('segment') && !edited) {
        edited = true
        await db.put({ id: 'begins the file' })
        await edit(db, 8)
      }
      if (kind !== 'remove' || !name.startsWith('segment')) return
      cut = true
      disk.powerCut()
      cut = false
      resolve()
    }
  })
  await Promise.race([ended, db.compact()])
  step.run = undefined
  expect(edited).toBe(true)
  for (const level of ['db/index-1', 'another']) {
    const next = await start(level)
    const seen = new Set<number>()
    for (const id of ids) {
      const doc = await next.get<{ n: number }>(id)
      seen.add(doc?.n ?? -1)
    }
    // All of an edit is there, or nothing.
    expect([[7], [8]]).toContainEqual([...seen])
    await next.close()
  }
})
