import { expect, test } from 'vitest'
import { MemoryDisk } from '../../src/compliance.js'
import { type Database, open } from '../../src/index.js'
import { TestEnv } from '../log/support.js'

const BODY_BYTES = 120_000
/** Of one document, all but one of them dead: more than the 4 MiB that are needed, and less. */
const VERSIONS = 40
const TOO_FEW = 30

async function opened(): Promise<{ env: TestEnv; db: Database }> {
  const env = new TestEnv()
  const disk = new MemoryDisk()
  const db = await open('db', { storage: disk.storage(), level: (at) => disk.level(at), env })
  return { env, db }
}

/** Puts the document anew, with what does not compress, from one version to before another, and seals it. */
async function supersede(db: Database, env: TestEnv, from: number, to: number): Promise<void> {
  for (let version = from; version < to; version++)
    await db.put({ id: 'often', version, bytes: env.randomBytes(BODY_BYTES) }, { overwrite: true })
  await db.seal()
}

async function hasBegun(db: Database): Promise<boolean> {
  return (await db.stats()).historySince > 0
}

async function compacted(db: Database, env: TestEnv): Promise<void> {
  while (!(await hasBegun(db))) await env.yield()
  expect((await db.stats()).deadBytes).toBeLessThan(2 * BODY_BYTES)
  expect(await db.get('often')).toMatchObject({ version: VERSIONS - 1 })
  expect(await db.verify()).toMatchObject({ ok: true })
  await db.close()
}

test('it begins by itself when 4 MiB are dead, after a second without writes', async () => {
  const { env, db } = await opened()
  await supersede(db, env, 0, TOO_FEW)
  await db.put({ id: 'other', n: 1 })
  await env.pass(120_000)
  expect(await hasBegun(db)).toBe(false)
  await supersede(db, env, TOO_FEW, VERSIONS)
  await db.put({ id: 'other', n: 2 }, { overwrite: true })
  await env.pass(600)
  await db.put({ id: 'other', n: 3 }, { overwrite: true })
  await env.pass(900)
  expect(await hasBegun(db)).toBe(false)
  await env.pass(100)
  await compacted(db, env)
})

test('it does not wait for a pause longer than a minute', async () => {
  const { env, db } = await opened()
  await supersede(db, env, 0, VERSIONS)
  for (let n = 0; n < 119; n++) {
    await db.put({ id: 'other', n }, { overwrite: true })
    await env.pass(500)
  }
  expect(await hasBegun(db)).toBe(false)
  for (let n = 0; n < 4; n++) {
    await db.put({ id: 'another', n }, { overwrite: true })
    await env.pass(500)
  }
  await compacted(db, env)
})
