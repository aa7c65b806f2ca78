import { expect, test } from 'vitest'
import { MemoryDisk } from '../../src/compliance.js'
import { type ClosedError, open } from '../../src/index.js'

/** Turns of the event loop at most that a database is closed after its scans began. */
const TURNS = 30

test('a list or changes that the database closes under end in full or with a ClosedError', async () => {
  const disk = new MemoryDisk()
  const start = () =>
    open('db', { storage: disk.storage(), level: (location) => disk.level(location), cacheBytes: 1 })
  const first = await start()
  await first.putMany(Array.from({ length: 600 }, (_, n) => ({ id: `doc-${n}`, n })))
  await first.close()
  let closed = 0
  for (let turns = 0; turns < TURNS; turns++) {
    const db = await start()
    const scans = [db.list(), db.changes()].map(async (scan) => {
      for await (const _ of scan);
    })
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    await db.close()
    for (const end of await Promise.allSettled(scans)) {
      if (end.status === 'fulfilled') continue
      expect((end.reason as ClosedError).code, String(end.reason?.stack)).toBe('MYNAH_CLOSED')
      closed++
    }
  }
  expect(closed).toBeGreaterThan(0)
})
