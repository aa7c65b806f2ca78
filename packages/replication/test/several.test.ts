import type { Database } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import type { Replication } from '@mynah/replication'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, MemoryMirror, ways } from './memory-mirror.js'
import { isQuiet, known, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

interface Node {
  readonly db: Database
  readonly served: MemoryMirror
  readonly replication: Replication
  readonly env: ManualEnv
}

/** Mirrors that wrote apart, each of which replicates with those that the shape names for it. */
async function mesh(count: number, knows: (node: number) => readonly number[]): Promise<readonly Node[]> {
  const databases = await Promise.all(Array.from({ length: count }, () => rig.database('mirror')))
  for (const [index, db] of databases.entries()) {
    await db.put({ id: `own ${index}`, index })
    await db.put({ id: 'shared', index })
  }
  const served = await Promise.all(databases.map((db) => MemoryMirror.with(db)))
  const transport = ways(Object.fromEntries(served.map((one, index) => [`m${index}`, one])))
  const nodes: Node[] = []
  for (const [index, db] of databases.entries()) {
    const env = new ManualEnv(index)
    const mirrors = knows(index).map((other) => address(`m${other}`))
    const replication = await rig.replicate(db, served[index]!, { env, transport, mirrors })
    nodes.push({ db, served: served[index]!, replication, env })
  }
  return nodes
}

/** Lets time pass in short steps until all know and hold the same. */
async function converge(nodes: readonly Node[]): Promise<void> {
  for (;;) {
    for (const { env } of nodes) await env.advance(1_000)
    const stats = await Promise.all(nodes.map(({ db }) => db.stats()))
    const [first] = stats
    const isSame = stats.every(
      ({ root, notHeld }) =>
        root.sum === first!.root.sum && root.count === first!.root.count && notHeld === 0,
    )
    // Who knows no mirror has nothing to wait for.
    const isDone = ({ replication }: Node) => replication.mirrors().length === 0 || isQuiet(replication)
    if (isSame && nodes.every(isDone)) return
  }
}

/** What they exchange from now on, by kind of request. */
function requests(nodes: readonly Node[]): number {
  return nodes.reduce((sum, { served }) => sum + served.asked.length, 0)
}

const others = (count: number) => (node: number) =>
  Array.from({ length: count }, (_, index) => index).filter((index) => index !== node)

const shapes: readonly (readonly [name: string, count: number, (node: number) => readonly number[]])[] = [
  ['a pair that know each other', 2, others(2)],
  ['a pair of which one knows the other', 2, (node) => (node === 0 ? [1] : [])],
  ['a ring', 5, (node) => [(node + 1) % 5]],
  ['a star whose middle knows nobody', 5, (node) => (node === 0 ? [] : [0])],
  ['a star whose middle knows all', 5, (node) => (node === 0 ? [1, 2, 3, 4] : [])],
  ['a row of islands with one bridge', 6, (node) => [[1, 2], [0, 2], [3], [4, 5], [3, 5], [4]][node]!],
  ['six that all know each other', 6, others(6)],
]

test.each(shapes)('%s converge, and then are quiet', async (_, count, knows) => {
  const nodes = await mesh(count, knows)
  await converge(nodes)
  const expected = await known(nodes[0]!.db)
  expect(expected.size).toBe(count + 1)
  for (const { db } of nodes) expect(await known(db)).toEqual(expected)
  const seqs = nodes.map(({ db }) => replicaOf(db).position().seq)
  // Nobody writes what it knows again.
  for (const seq of seqs) expect(seq).toBe(2 * count)
  // What was under way comes to its end in its own time: LZMA is not on this clock.
  let before = -1
  for (let still = 0; still < 5; still = requests(nodes) === before ? still + 1 : 0) {
    before = requests(nodes)
    for (const { env } of nodes) await env.advance(1_000)
    await rounds(200)
  }
  for (const { env } of nodes) await env.advance(10_000)
  expect(requests(nodes)).toBe(before)
})

test('more mirrors than sessions have their turns', async () => {
  const nodes = await mesh(10, (node) => (node === 0 ? others(10)(0) : []))
  const [middle] = nodes
  const live = () => middle!.replication.mirrors().filter(({ state }) => state === 'live').length
  await until(() => live() === 6)
  await converge(nodes)
  expect(await middle!.db.count()).toBe(11)
  expect(live()).toBeLessThanOrEqual(6)
})

test('two addresses of one mirror are one mirror', async () => {
  const db = await rig.database('mirror')
  const mirror = await rig.mirror()
  const transport = ways({ a: mirror, b: mirror })
  const mirrors = [address('a'), address('b')]
  const replication = await rig.replicate(db, mirror, { transport, mirrors })
  await db.put({ id: 'x' })
  await replication.synced()
  await until(() => replication.mirrors().some(({ state }) => state === 'live'))
  expect(replication.mirrors().map(({ state }) => state)).toEqual(['live', 'waiting'])
  expect(mirror.streams).toBe(1)
  expect(replication.mirrors()[1]!.error).toBeUndefined()
})

test('a write reaches as many mirrors as are asked for, and one address too many is no mirror', async () => {
  const db = await rig.database()
  const [first, second, third] = [await rig.mirror(), await rig.mirror(), await rig.mirror()]
  const transport = ways({ first, again: first, second, third })
  const mirrors = ['first', 'again', 'second', 'third'].map(address)
  const env = new ManualEnv()
  const replication = await rig.replicate(db, first, { transport, mirrors, env })
  await replication.synced()
  await until(() => replication.mirrors()[0]!.state === 'live')
  await db.put({ id: 'x' })
  await replication.synced({ mirrors: 2 })
  expect(await first.database.get('x')).toMatchObject({ id: 'x' })
  expect(await second.database.get('x')).toMatchObject({ id: 'x' })
  expect(await third.database.get('x')).toBeUndefined()
  await replication.synced({ mirrors: 3 })
  expect(await third.database.get('x')).toMatchObject({ id: 'x' })
  await expect(replication.synced({ mirrors: 4 })).rejects.toMatchObject({
    code: 'MYNAH_MIRRORS_TOO_FEW',
    wanted: 4,
    known: 3,
  })
  await expect(replication.synced({ mirrors: 0 })).rejects.toThrow(RangeError)
  // Later one is enough again.
  await env.advance(31_000)
  await until(() => replication.mirrors().filter(({ state }) => state === 'live').length === 1)
})

test('a mirror that fails is replaced by another for those who wait for two; the refusal of one of them is told', async () => {
  const db = await rig.database()
  const [first, second, third] = [await rig.mirror(), await rig.mirror(), await rig.mirror()]
  second.fault = () => 'refuse'
  third.refuses = (id) => (id === 'bad' ? 'not here' : undefined)
  const transport = ways({ first, second, third })
  const mirrors = ['first', 'second', 'third'].map(address)
  const env = new ManualEnv()
  const replication = await rig.replicate(db, first, { transport, mirrors, env })
  await db.put({ id: 'good' })
  await replication.synced({ mirrors: 2 })
  expect(await third.database.get('good')).toMatchObject({ id: 'good' })
  await db.put({ id: 'bad' })
  await expect(replication.synced({ mirrors: 2 })).rejects.toMatchObject({ code: 'MYNAH_REJECTED' })
  const waiting = replication.synced({ mirrors: 3 })
  await replication.removeMirror(address('second'))
  await expect(waiting).rejects.toMatchObject({ code: 'MYNAH_MIRRORS_TOO_FEW' })
})

test('a peer that becomes a mirror has sessions with all its mirrors, and one again when it is a peer', async () => {
  const db = await rig.database()
  const [first, second, third] = [await rig.mirror(), await rig.mirror(), await rig.mirror()]
  await second.database.put({ id: 'there' })
  const transport = ways({ first, second, third })
  const mirrors = ['first', 'second', 'third'].map(address)
  const replication = await rig.replicate(db, first, { transport, mirrors })
  const live = () => replication.mirrors().filter(({ state }) => state === 'live').length
  await until(() => isQuiet(replication))
  expect(live()).toBe(1)
  await db.setMode('mirror')
  await until(() => live() === 3 && isQuiet(replication))
  expect(await db.stats()).toMatchObject({ documents: 1, notHeld: 0 })
  expect(await third.database.get('there')).toMatchObject({ id: 'there' })
  await db.setMode('peer')
  await until(() => live() === 1 && isQuiet(replication))
  expect(await db.get('there', { freshness: 'local' })).toMatchObject({ id: 'there' })
})
