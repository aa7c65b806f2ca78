import { mkdtemp, open as openFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Database, open } from '../../src/index.js'
import { type LogRecord, replicaOf } from '../../src/replica.js'

let folder: string
let db: Database
/** A peer that has been away since the first revision. */
let away: Database

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mynah-ancestry-'))
  db = await open(join(folder, 'db'), { cacheBytes: 1, shardBytes: 1_000, mode: 'mirror' })
  away = await open(':memory:')
})

afterEach(async () => {
  await Promise.all([db.close(), away.close()])
  await rm(folder, { recursive: true, force: true })
})

async function copy(from: Database, to: Database, since = 0): Promise<void> {
  const { records } = await replicaOf(from).feed({ since, bodies: true })
  await replicaOf(to).merge(records, { whole: true })
}

/** Takes all that is sealed, under the open database. */
async function loseSealed(): Promise<void> {
  const location = join(folder, 'db')
  for (const name of (await readdir(location)).filter((file) => file.startsWith('segment'))) {
    const file = await openFile(join(location, name), 'r+')
    const { size } = await file.stat()
    await file.write(new Uint8Array(size - 40), 0, size - 40, 40)
    await file.close()
  }
  await db.verify()
}

async function leavesOf(of: Database): Promise<readonly string[]> {
  return (await replicaOf(of).leaves('d')).map(({ rev }: LogRecord) => rev)
}

for (const last of ['edit', 'delete'] as const)
  for (const sealed of [true, false])
    test(`an old revision does not come back when damage took the way to it: ${last}, ${sealed ? 'with' : 'without'} the leaf`, async () => {
      await db.put({ id: 'd', n: 1 })
      await copy(db, away)
      for (let n = 2; n <= 5; n++) await db.update('d', (doc) => ({ ...doc!, n }))
      if (!sealed) await db.seal()
      if (last === 'delete') await db.delete('d')
      else await db.update('d', (doc) => ({ ...doc!, n: 6 }))
      if (sealed) await db.seal()
      const leaves = await leavesOf(db)
      await loseSealed()
      expect(await leavesOf(db)).toEqual(leaves)

      const { outcomes } = await replicaOf(db).merge(
        (await replicaOf(away).feed({ since: 0, bodies: true })).records,
        {
          from: 'peer',
        },
      )
      expect(outcomes).toEqual([{ result: 'known' }])
      expect(await leavesOf(db)).toEqual(leaves)
      await copy(db, away)
      expect(await leavesOf(away)).toEqual(leaves)
    })
