import type { Stored } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { count, isLive, isQuiet, known, passes, putMany, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

/** A mirror that follows another, what it pulls with, and a third way by which documents come to both. */
async function follower() {
  const there = await rig.mirror()
  const db = await rig.database('mirror')
  const env = new ManualEnv()
  const pulls: string[] = []
  there.fault = (asked, { url }) => {
    if (asked === 'GET /records') pulls.push(new URL(url).searchParams.get('bodies') ?? '')
    return undefined
  }
  const replication = await rig.replicate(db, there, { env })
  await until(() => isLive(replication) && isQuiet(replication))
  const third = await rig.database('mirror')
  const recordOf = async (id: string) => replicaOf(third).leaves(id)
  /** Comes here, and then there. */
  const toBoth = async (id: string): Promise<Stored> => {
    const doc = await third.put({ id })
    await replicaOf(db).merge(await recordOf(id), { whole: true })
    await there.replica.merge(await recordOf(id), { whole: true })
    return doc
  }
  const fetches = () => count(there, 'POST /records/fetch')
  const settled = () => passes(env, [there], () => isQuiet(replication))
  return { there, db, env, pulls, replication, third, recordOf, toBoth, fetches, settled }
}

test('where bodies come by other ways too, only those that did not are asked for', async () => {
  const { there, db, env, pulls, toBoth, third, recordOf, fetches, settled } = await follower()
  await toBoth('a')
  await settled()
  expect(fetches()).toBe(0)
  // Now it is known that they do.
  const learnt = pulls.length
  await toBoth('b')
  await settled()
  expect(pulls.slice(learnt)).toEqual(pulls.slice(learnt).map(() => '0'))
  expect(fetches()).toBe(0)
  // One that comes a moment later by another way.
  await third.put({ id: 'c' })
  await there.replica.merge(await recordOf('c'), { whole: true })
  await rounds()
  await env.advance(100)
  await replicaOf(db).merge(await recordOf('c'), { whole: true })
  await settled()
  expect(fetches()).toBe(0)
  // One that does not.
  const before = pulls.length
  const doc = await there.database.put({ id: 'd', n: 1 })
  await passes(env, [there], async () => (await db.get('d')) !== undefined)
  await settled()
  expect(await db.get('d', { freshness: 'local' })).toEqual(doc)
  expect([pulls[before], fetches()]).toEqual(['0', 1])
  // Then they come with their pages again.
  await there.database.put({ id: 'e' })
  await passes(env, [there], async () => (await db.get('e')) !== undefined)
  await settled()
  expect([pulls.at(-1), fetches()]).toEqual(['1', 1])
  expect(await known(db)).toEqual(await known(there.database))
  expect(await db.stats()).toMatchObject({ notHeld: 0 })
})

test('a page of stubs whose bodies are many, large, superseded meanwhile, and not held there either', async () => {
  const { there, db, env, toBoth, third, settled } = await follower()
  await toBoth('a')
  await settled()
  await putMany(there.database, 'large', 2, 50_000)
  await putMany(there.database, 'small', 1_050)
  await there.database.put({ id: 'changes', n: 0 })
  await putMany(third, 'nowhere', 3)
  const stubs = await replicaOf(third).feed({ since: 0, bodies: false })
  await there.replica.merge(stubs.records, { whole: true, from: 'mirror' })
  let changed = false
  there.delay = (asked) => {
    if (asked !== 'POST /records/fetch' || changed) return undefined
    changed = true
    return there.database.put({ id: 'changes', n: 1 }, { overwrite: true }).then(() => undefined)
  }
  await passes(env, [there], async () => (await db.stats()).documents === 1 + 2 + 1_050 + 1 + 3)
  await settled()
  await passes(env, [there], async () => (await db.stats()).notHeld === 3)
  expect(changed).toBe(true)
  expect(await known(db)).toEqual(await known(there.database))
  expect(await db.get('changes', { freshness: 'local' })).toMatchObject({ n: 1 })
})

test('a body that is not what its rev says is not taken, and stays owed', async () => {
  const { there, db, env, toBoth, settled } = await follower()
  await toBoth('a')
  await settled()
  there.forges = true
  await there.database.put({ id: 'b', n: 1 })
  await passes(env, [there], async () => (await db.stats()).documents === 2)
  expect(await db.stats()).toMatchObject({ notHeld: 1 })
  there.forges = false
  await passes(env, [there], async () => (await db.stats()).notHeld === 0)
  expect(await db.get('b', { freshness: 'local' })).toMatchObject({ n: 1 })
})

test('paths that cannot be attached are asked for whole', async () => {
  const { there, db, env, toBoth, settled } = await follower()
  const a = await toBoth('a')
  await settled()
  there.trims = true
  let doc = a
  for (let n = 0; n < 4; n++) doc = await there.database.put({ ...doc, n })
  await passes(env, [there], async () => (await db.get('a'))?.rev === doc.rev)
  await settled()
  expect(await known(db)).toEqual(await known(there.database))
})
