import { expect, test } from 'vitest'
import { open } from '../../src/index.js'

test('changes that are followed to their end tell of a document that changes again meanwhile', async () => {
  const db = await open(':memory:')
  // More than one batch of the log.
  await db.putMany(Array.from({ length: 5_000 }, (_, n) => ({ id: `doc-${n}`, n })))
  const told = new Map<string, number>()
  let rev: string | undefined
  for await (const change of db.changes()) {
    if (rev === undefined) rev = (await db.update('doc-4999', () => ({ n: -1 })))?.rev
    told.set(change.id, (told.get(change.id) ?? 0) + 1)
    if (change.id === 'doc-4999') expect(change.rev).toBe(rev)
  }
  expect(told.size).toBe(5_000)
  expect([...told.values()].every((times) => times === 1)).toBe(true)
  await db.close()
})
