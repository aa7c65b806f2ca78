import type { Stored } from '@mynah/core'
import { type LogRecord, replicaOf } from '@mynah/core/replica'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { MirrorClient } from '../src/client/mirror-client.js'
import { OtherWays } from '../src/pull/other-ways.js'
import { ManualEnv, rounds, until } from './manual-env.js'
import { count, isLive, isQuiet, known, passes, putMany, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

/** A mirror that follows another, what it pulls with, and a third way by which documents come to both. */
async function follower(mode: 'mirror' | 'peer' = 'mirror') {
  const there = await rig.mirror()
  const db = await rig.database(mode)
  const env = new ManualEnv()
  const pulls: string[] = []
  there.fault = (asked, { url }) => {
    if (asked === 'GET /records') pulls.push(new URL(url).searchParams.get('bodies') ?? '')
    return undefined
  }
  const replication = await rig.replicate(db, there, { env, hold: 'all' })
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

test('what changes there faster than it is fetched comes with its page', async () => {
  const { there, db, env, pulls, toBoth, settled, third, recordOf } = await follower()
  await third.put({ id: 'hot', n: 0 })
  await there.replica.merge(await recordOf('hot'), { whole: true })
  await passes(env, [there], async () => (await db.get('hot', { freshness: 'local' })) !== undefined)
  await toBoth('a')
  await settled()
  const begun = pulls.length
  // The others are brought by another way while a page that tells of them is under way.
  const others: LogRecord[] = []
  there.delay = (asked) => {
    if (asked !== 'GET /records' || others.length === 0) return undefined
    return replicaOf(db)
      .merge(others.splice(0), { whole: true })
      .then(() => undefined)
  }
  const held = new Set<unknown>()
  for (let n = 1; n <= 40; n++) {
    const ids = [0, 1, 2].map((k) => `b${n}.${k}`)
    for (const id of ids) await third.put({ id })
    const many = (await Promise.all(ids.map(recordOf))).flat()
    others.push(...many)
    await third.put({ id: 'hot', n }, { overwrite: true })
    await there.replica.merge([...many, ...(await recordOf('hot'))], { whole: true })
    await rounds(20)
    await env.advance(50)
    await rounds(20)
    for (const { kind, body } of await replicaOf(db).leaves('hot')) if (kind === 'revision') held.add(body)
  }
  expect(pulls.slice(begun)).toContain('0')
  expect(held.size).toBeGreaterThan(4)
})

test('what was fetched and merged is told, also where what follows fails, and is not kept in memory', async () => {
  const { there, db, env, replication, toBoth, settled } = await follower()
  await toBoth('a')
  await settled()
  const told = new Set<string>()
  replication.on('change', (event) => {
    if (event.direction === 'pull') for (const id of event.ids) told.add(id)
  })
  let asked = 0
  there.fault = (what) => (what === 'POST /records/fetch' && ++asked === 2 ? 'refuse' : undefined)
  await putMany(there.database, 'small', 1_500)
  await passes(env, [there], async () => (await db.stats()).documents === 1_501 && isQuiet(replication))
  await settled()
  expect(asked).toBeGreaterThanOrEqual(2)
  expect([...told].filter((id) => id.startsWith('small')).length).toBe(1_500)
})

test('what is fetched in pieces is merged piece by piece', async () => {
  const source = await rig.database('mirror')
  await putMany(source, 'large', 4, 100_000)
  const from = replicaOf(source)
  const { records: stubs } = await from.feed({ since: 0, bodies: false })
  const client = {
    fetch: (asked: readonly LogRecord[]) => from.bodies(asked.slice(0, 1), { whole: true }),
  } as unknown as MirrorClient
  const replica = replicaOf(await rig.database('mirror'))
  const ways = new OtherWays({ replica, client, env: new ManualEnv() })
  const pieces: number[] = []
  const onMerged = ({ records }: { readonly records: readonly LogRecord[] }) => pieces.push(records.length)
  await ways.fetch(stubs, { whole: false, onMerged }, new AbortController().signal)
  expect(pieces).toEqual([1, 1, 1, 1])
})

test('a peer, which has one way, asks for bodies with each page', async () => {
  const { there, db, pulls, settled } = await follower('peer')
  for (let n = 0; n < 4; n++) {
    const own = [0, 1, 2].map((k) => db.put({ id: `own${n}.${k}` }))
    await Promise.all([there.database.put({ id: `other${n}` }), ...own])
    await settled()
  }
  expect(pulls).not.toContain('0')
})

test('what comes back of what was written here makes nobody wait', async () => {
  const { there, db, env, fetches, settled } = await follower()
  for (let n = 0; n < 4; n++) {
    await Promise.all([there.database.put({ id: `theirs${n}` }), db.put({ id: `mine${n}` })])
    await settled()
  }
  const before = fetches()
  await there.database.put({ id: 'last' })
  for (let n = 0; n < 20 && (await db.get('last', { freshness: 'local' })) === undefined; n++) {
    await rounds(20)
    await env.advance(5)
  }
  expect(await db.get('last', { freshness: 'local' })).toBeDefined()
  expect(fetches() - before).toBeLessThanOrEqual(1)
})

test('a page that is asked for again says nothing of other ways', async () => {
  const { there, db, env, pulls, settled, third, recordOf } = await follower()
  let doc = await third.put({ id: 'a' })
  await there.replica.merge(await recordOf('a'), { whole: true })
  await passes(env, [there], async () => (await db.get('a', { freshness: 'local' })) !== undefined)
  await settled()
  there.trims = true
  for (let n = 0; n < 4; n++) doc = await third.put({ ...doc, n })
  await putMany(third, 'x', 5)
  const { records } = await replicaOf(third).feed({ since: 0, bodies: true, whole: true })
  await there.replica.merge(records, { whole: true })
  await passes(env, [there], async () => (await db.get('a', { freshness: 'local' }))?.rev === doc.rev)
  await settled()
  there.trims = false
  await there.database.put({ id: 'later' })
  await passes(env, [there], async () => (await db.get('later', { freshness: 'local' })) !== undefined)
  expect(pulls).not.toContain('0')
})
