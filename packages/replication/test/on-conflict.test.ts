import { type Conflict, type Database, StorageError } from '@mynah/core'
import { expect, test } from 'vitest'
import { ConflictMerger } from '../src/application/conflict-merger.js'
import { ManualEnv, rounds } from './manual-env.js'
import type { MemoryMirror } from './memory-mirror.js'
import { Rig } from './rig.js'

/** Keeps what each place added. */
const union = ({ leaves }: Conflict) => ({
  tags: [...new Set(leaves.flatMap((leaf) => leaf.tags as string[]))].sort(),
})

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('it does not come to pass')
    await rounds(1)
  }
}

/** Peers that changed one document without knowing of each other. */
async function apart(rig: Rig, mirror: MemoryMirror): Promise<Database[]> {
  const peers = await Promise.all([rig.database(), rig.database(), rig.database()])
  const [first] = peers
  const start = await first!.put({ id: 'doc', tags: ['base'] })
  const replication = await rig.replicate(first!, mirror)
  await replication.synced()
  await replication.close()
  for (const [n, db] of peers.entries()) {
    if (n > 0) await db.put({ id: 'doc', tags: ['base'] })
    await db.put({ ...start, tags: ['base', `peer ${n}`] })
  }
  return peers
}

test('replicas that merge in the same way come to one revision, with no conflict left', async () => {
  await using rig = new Rig()
  const mirror = await rig.mirror()
  const peers = await apart(rig, mirror)
  const replications = []
  for (const db of peers) replications.push(await rig.replicate(db, mirror, { onConflict: union }))
  const all = [...peers, mirror.database]
  await until(async () => {
    const reads = await Promise.all(all.map((db) => db.read('doc', { freshness: 'local' })))
    return reads.every(
      ({ doc, conflicts }) => conflicts.length === 0 && (doc?.tags as string[] | undefined)?.length === 4,
    )
  })
  await until(async () => {
    const revs = await Promise.all(all.map(async (db) => (await db.get('doc', { freshness: 'local' }))?.rev))
    return new Set(revs).size === 1
  })
  expect((await mirror.database.get('doc'))?.tags).toEqual(['base', 'peer 0', 'peer 1', 'peer 2'])
})

test('a conflict that is there already is merged too; one that is left alone stays', async () => {
  await using rig = new Rig()
  const mirror = await rig.mirror()
  const peers = await apart(rig, mirror)
  for (const db of peers.slice(0, 2)) await (await rig.replicate(db, mirror)).sync()
  const [, second] = peers
  expect((await second!.read('doc')).conflicts).toHaveLength(1)
  const other = await rig.database()
  const asked: string[] = []
  const leave = ({ id }: Conflict) => {
    asked.push(id)
    return undefined
  }
  const left = await rig.replicate(other, mirror, { onConflict: leave })
  await left.sync()
  await until(() => asked.length > 0)
  expect((await other.read('doc')).conflicts).toHaveLength(1)
  await left.close()
  const merging = await rig.replicate(other, mirror, { onConflict: union })
  await until(async () => (await other.read('doc', { freshness: 'local' })).conflicts.length === 0)
  await merging.close()
})

test('what the function throws is told, with the document, and nothing else stops', async () => {
  await using rig = new Rig()
  const mirror = await rig.mirror()
  const [first, second] = await apart(rig, mirror)
  await (await rig.replicate(first!, mirror)).sync()
  const fault = new Error('no idea')
  const replication = await rig.replicate(second!, mirror, {
    onConflict: () => {
      throw fault
    },
  })
  const told: unknown[] = []
  replication.on('error', (value) => told.push(value))
  await replication.sync()
  await until(() => told.length > 0)
  expect(told).toEqual([{ mirror: '', id: 'doc', error: fault }])
  await second!.put({ id: 'later' })
  await replication.synced()
  expect(await mirror.database.get('later')).toBeDefined()
})

/** The database, but that what it is first asked for its changes, or its conflicts, fails, as on a disk that does not read. */
function failingAtFirst(db: Database, asked: 'changes' | 'conflicts'): Database {
  let failed = false
  return new Proxy(db, {
    get(target, name) {
      if (name === asked && !failed) {
        failed = true
        const next = () => Promise.reject(new StorageError('log', 'read'))
        return () => ({ [Symbol.asyncIterator]: () => ({ next }) })
      }
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

test('a disk that does not read for a while ends no merging', async () => {
  for (const asked of ['changes', 'conflicts'] as const) {
    await using rig = new Rig()
    const mirror = await rig.mirror()
    const [first, second] = await apart(rig, mirror)
    await (await rig.replicate(first!, mirror)).sync()
    const env = new ManualEnv()
    const errors: Error[] = []
    const merger = new ConflictMerger({
      db: failingAtFirst(second!, asked),
      env,
      onConflict: union,
      onError: (_id, error) => errors.push(error),
    })
    merger.start()
    await until(() => errors.length === 1)
    await (await rig.replicate(second!, mirror)).sync()
    await until(async () => {
      await env.advance(10_000)
      return (await second!.read('doc', { freshness: 'local' })).conflicts.length === 0
    })
    await merger.close()
    expect(errors).toEqual([expect.objectContaining({ code: 'MYNAH_STORAGE' })])
  }
})

test('a function that never answers does not hold up the close', async () => {
  await using rig = new Rig()
  const mirror = await rig.mirror()
  const [first, second] = await apart(rig, mirror)
  await (await rig.replicate(first!, mirror)).sync()
  let asked = 0
  const replication = await rig.replicate(second!, mirror, {
    onConflict: () => {
      asked += 1
      return new Promise<undefined>(() => undefined)
    },
  })
  await replication.sync()
  await until(() => asked > 0)
  await replication.close()
  expect((await second!.read('doc', { freshness: 'local' })).conflicts).toHaveLength(1)
})
