import { type Database, open } from '@mynah/core'
import { MemoryDisk } from '@mynah/core/compliance'
import { replicaOf } from '@mynah/core/replica'
import type { Replication } from '@mynah/replication'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, type MemoryMirror, ways } from './memory-mirror.js'
import { isLive, isQuiet, known, putMany, Rig, recover } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

/** Queries of the pulls that come to the mirror from now on. */
function pullsOf(mirror: MemoryMirror): URLSearchParams[] {
  const queries: URLSearchParams[] = []
  const { fault } = mirror
  mirror.fault = (asked, request) => {
    if (asked === 'GET /records') queries.push(new URL(request.url).searchParams)
    return fault(asked, request)
  }
  return queries
}

async function expectKnown(mirror: MemoryMirror, db: Database, prefixes: readonly string[]): Promise<void> {
  const here = await known(db)
  for (const [id, rev] of await known(mirror.database))
    if (prefixes.some((prefix) => id.startsWith(prefix))) expect(here.get(id), id).toBe(rev)
}

async function replicated(db: Database, mirror: MemoryMirror, scope: readonly string[] | undefined) {
  const options = scope === undefined ? {} : { scope: { prefixes: scope } }
  const replication = await rig.replicate(db, mirror, options)
  await until(() => isLive(replication) && isQuiet(replication))
  return replication
}

describe('a scope that becomes another', () => {
  test.each([
    ['wider', ['a/', 'b/'], { prefix: ['a/', 'b/'], without: ['a/'] }],
    ['what it was a part of', ['a'], { prefix: ['a'], without: ['a/'] }],
    ['all', [''], { prefix: [''], without: ['a/'] }],
    ['another in part', ['a/1', 'b/'], { prefix: ['a/1', 'b/'], without: ['a/1'] }],
  ])('%s: only what was added is learnt anew', async (_, prefixes, added) => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    for (const prefix of ['a/', 'a-', 'b/', 'c/']) await putMany(mirror.database, prefix, 30)
    const first = await replicated(db, mirror, ['a/'])
    await first.close()
    const end = mirror.replica.position()
    await mirror.database.put({ id: 'a/1-later' })
    const queries = pullsOf(mirror)
    const second = await replicated(db, mirror, prefixes)
    await expectKnown(mirror, db, prefixes)
    const anew = queries.filter((query) => !query.has('since'))
    expect(
      anew.map((query) => ({ prefix: query.getAll('prefix'), without: query.getAll('without') })),
    ).toEqual([added])
    // The rest goes on from where it was.
    expect(queries[0]!.get('since')).toBe(`${end.incarnation}.${end.seq}`)
    await second.close()
  })

  test('a mirror that tells of a part says nothing of how new the rest is', async () => {
    const db = await rig.database()
    const [near, far] = [await rig.mirror(), await rig.mirror()]
    for (const { database } of [near, far])
      for (const prefix of ['a/', 'b/']) await putMany(database, prefix, 5)
    const transport = ways({ near, far })
    const with_ = (names: readonly string[], prefixes: readonly string[]) =>
      rig.replicate(db, near, { transport, mirrors: names.map((name) => address(name)), scope: { prefixes } })
    for (const [name, prefixes] of [
      ['near', ['a/']],
      ['far', ['a/', 'b/']],
    ] as const) {
      const replication = await with_([name], prefixes)
      await until(() => isLive(replication) && isQuiet(replication))
      for (const { url } of replication.mirrors()) await replication.removeMirror(url)
      await replication.close()
    }
    far.fault = () => 'refuse'
    near.fault = (asked, { url }) =>
      asked === 'GET /records' && url.includes('without') ? 'hang' : undefined
    await far.database.put({ id: 'b/written elsewhere' })
    const replication = await with_(['far', 'near'], ['a/', 'b/'])
    await until(() => near.streams > 0)
    await rounds()
    near.beat()
    await rounds()
    const local = { freshness: 'local' } as const
    expect((await db.read('a/1', local)).asOf).toBeInstanceOf(Date)
    // Far told of it once, and has not been heard of since.
    expect((await db.read('b/1', local)).asOf).toBeUndefined()
    await replication.close()
  })

  test('what both have in common is current all the time, what is added when it was learnt', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    for (const prefix of ['a/', 'b/']) await putMany(mirror.database, prefix, 10)
    await (await replicated(db, mirror, ['a/'])).close()
    await db.put({ id: 'a/own' })
    mirror.fault = (asked, { url }) =>
      asked === 'GET /records' && url.includes('without') ? 'hang' : undefined
    const replication = await rig.replicate(db, mirror, { scope: { prefixes: ['a/', 'b/'] } })
    const local = { freshness: 'local' } as const
    expect(await db.read('a/own', local)).toMatchObject({ current: true })
    await until(() => mirror.asked.filter((asked) => asked === 'GET /records').length > 2)
    await rounds()
    expect(await db.read('a/own', local)).toMatchObject({ current: true })
    expect(await db.read('b/1', local)).toMatchObject({ current: false })
    expect(await replication.explain('b/1')).toMatchObject({ state: 'absent', covered: false })
    mirror.fault = () => undefined
    mirror.cut()
    await replication.close()
    const again = await replicated(db, mirror, undefined)
    expect(await db.read('b/1', local)).toMatchObject({ current: false })
    expect(await again.explain('b/1')).toMatchObject({ state: 'stale', covered: true })
    expect(await db.read('b/1')).toMatchObject({ current: true, from: 'mirror' })
  })

  test('narrower: what left it is not called current, and what comes back goes on from where it was', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    for (const prefix of ['a/', 'b/']) await putMany(mirror.database, prefix, 10)
    await (await replicated(db, mirror, ['a/', 'b/'])).close()
    const narrow = await replicated(db, mirror, ['a/'])
    expect(await db.read('b/1', { freshness: 'local' })).toMatchObject({ current: false })
    await mirror.database.put({ id: 'b/1', changed: true }, { overwrite: true })
    await mirror.database.put({ id: 'a/1', changed: true }, { overwrite: true })
    await until(() => isQuiet(narrow))
    expect(await narrow.explain('b/1')).toMatchObject({ covered: false })
    await narrow.close()
    await (await replicated(db, mirror, ['a/', 'b/'])).close()
    const queries = pullsOf(mirror)
    await mirror.database.put({ id: 'b/2', changed: true }, { overwrite: true })
    await (await replicated(db, mirror, ['a/'])).close()
    await (await replicated(db, mirror, ['a/', 'b/'])).close()
    expect(queries.filter((query) => !query.has('since'))).toEqual([])
    await expectKnown(mirror, db, ['a/', 'b/'])
  })

  test('again and again, also while it is learnt, with restarts: all of it is known in the end', async () => {
    const scopes = fc.constantFrom<readonly string[]>([], ['a/'], ['b/'], ['a/', 'c/'], ['a/1', 'b/'], [''])
    const steps = fc.array(fc.record({ scope: scopes, pages: fc.nat(4), puts: fc.nat(6) }), {
      minLength: 3,
      maxLength: 8,
    })
    await fc.assert(
      fc.asyncProperty(steps, scopes, async (changes, last) => {
        await using own = new Rig()
        const disk = new MemoryDisk()
        const peer = () => open('/peer', { storage: disk.storage(), level: (at) => disk.level(at) })
        const mirror = await own.mirror()
        mirror.pageBytes = 400
        for (const prefix of ['a/', 'b/', 'c/']) await putMany(mirror.database, prefix, 12)
        let value = 0
        const write = async (puts: number) => {
          for (let n = 0; n < puts; n++, value++)
            await mirror.database.put({ id: `${'abc'[value % 3]}/${value % 15}`, value }, { overwrite: true })
        }
        for (const { scope, pages, puts } of changes) {
          const db = await peer()
          let left = pages
          mirror.fault = (asked) => (asked === 'GET /records' && left-- <= 0 ? 'refuse' : undefined)
          const replication = await own.replicate(db, mirror, { scope: { prefixes: scope } })
          await until(() => left < 0 || (isLive(replication) && isQuiet(replication)))
          await write(puts)
          await replication.close()
          await db.close()
        }
        mirror.fault = () => undefined
        await using db = await peer()
        const env = new ManualEnv()
        const replication = await own.replicate(db, mirror, { env, scope: { prefixes: last } })
        await recover(env, replication, () => isLive(replication) && isQuiet(replication))
        await replication.sync()
        await expectKnown(mirror, db, last)
        for (const id of (await known(db)).keys())
          expect((await replication.explain(id)).covered).toBe(last.some((prefix) => id.startsWith(prefix)))
      }),
      { numRuns: 20 },
    )
  })
})

describe('what left the scope', () => {
  const holds = async (db: Database, id: string) => (await db.get(id, { freshness: 'local' })) !== undefined

  test('is dropped where a mirror holds it; what was refused, pinned or is not pushed stays', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.refuses = (id) => (id === 'b/refused' ? 'no' : undefined)
    for (const prefix of ['a/', 'b/']) await putMany(mirror.database, prefix, 700)
    const first = await replicated(db, mirror, ['a/', 'b/'])
    await db.getMany(Array.from({ length: 1_400 }, (_, n) => `${n % 2 ? 'a' : 'b'}/${n >> 1}`))
    await db.put({ id: 'b/refused' })
    await db.put({ id: 'b/own' })
    await db.pin(['b/2'])
    await first.synced().catch(() => {})
    await first.close()
    await db.put({ id: 'b/late' })
    const second = await rig.replicate(db, mirror, { scope: { prefixes: ['a/'] } })
    await until(() => replicaOf(db).settings().left === undefined)
    for (const id of ['a/1', 'b/refused', 'b/2']) expect(await holds(db, id), id).toBe(true)
    for (const id of ['b/1', 'b/699', 'b/own', 'b/late']) expect(await holds(db, id), id).toBe(false)
    expect(await second.explain('b/1')).toMatchObject({ state: 'absent', covered: false, leaves: [] })
    expect(await second.explain('b/refused')).toMatchObject({ state: 'refused' })
    expect(await db.read('b/1', { freshness: 'local' })).toMatchObject({ current: false })
    expect(await db.read('b/1')).toMatchObject({ current: true, from: 'mirror' })
    expect(await mirror.database.get('b/late')).toBeDefined()
    await second.close()
    const third = await replicated(db, mirror, ['a/', 'b/'])
    expect(await db.get('b/699')).toEqual(await mirror.database.get('b/699'))
    expect(await third.explain('b/699')).toMatchObject({ state: 'current' })
  })

  test('of who holds all: what left is dropped and not fetched again, what comes back is', async () => {
    const folder = await rig.folder()
    let db = await rig.database('peer', folder)
    const mirror = await rig.mirror()
    for (const prefix of ['a/', 'b/', 'c/']) await putMany(mirror.database, prefix, 150)
    const all = (prefixes: readonly string[]) =>
      rig.replicate(db, mirror, { scope: { prefixes }, hold: 'all' })
    const settled = (replication: Replication) =>
      until(
        () =>
          isLive(replication) &&
          isQuiet(replication) &&
          replication.status().owed === 0 &&
          replicaOf(db).settings().left === undefined,
      )
    const heldBelow = async () => {
      const counts: Record<string, number> = {}
      for await (const { id } of db.list()) counts[id.slice(0, 2)] = (counts[id.slice(0, 2)] ?? 0) + 1
      return counts
    }
    // Stubs of what it held by use are not fetched for another scope.
    const used = await rig.replicate(db, mirror, { scope: { prefixes: ['c/'] } })
    await until(() => isLive(used) && isQuiet(used))
    await used.close()
    let replication = await all(['a/', 'b/'])
    await settled(replication)
    expect(await heldBelow()).toEqual({ 'a/': 150, 'b/': 150 })
    await expect(db.evict(['a/1'])).rejects.toMatchObject({ code: 'MYNAH_HOLDS_ALL' })
    await db.put({ id: 'a/mine' })
    await replication.synced()
    await db.delete('a/mine')
    await replication.close()
    replication = await all(['b/'])
    await settled(replication)
    expect(await heldBelow()).toEqual({ 'b/': 150 })
    expect((await db.stats()).owed).toBe(0)
    expect((await db.read('a/1', { freshness: 'local' })).current).toBe(false)
    await replication.close()
    await db.close()
    db = await rig.database('peer', folder)
    replication = await all(['a/', 'b/'])
    await settled(replication)
    expect(await heldBelow()).toEqual({ 'a/': 150, 'b/': 150 })
    expect((await db.read('a/1', { freshness: 'local' })).current).toBe(true)
    expect(await mirror.database.count()).toBe(450)
  })

  test('is dropped by a later session where no mirror was reached, and not by a first scope', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    await putMany(mirror.database, 'b/', 10)
    await db.put({ id: 'b/before' })
    const first = await replicated(db, mirror, ['a/', 'b/'])
    await db.get('b/1')
    await first.close()
    mirror.fault = () => 'refuse'
    const offline = await rig.replicate(db, mirror, { scope: { prefixes: [] } })
    await until(() => offline.mirrors()[0]!.error !== undefined)
    await offline.close()
    expect(await holds(db, 'b/1')).toBe(true)
    mirror.fault = () => undefined
    const online = await rig.replicate(db, mirror)
    await until(() => replicaOf(db).settings().left === undefined)
    expect([await holds(db, 'b/1'), await holds(db, 'b/before')]).toEqual([false, false])
    await online.close()
    const other = await rig.database()
    await other.put({ id: 'b/1-mine' })
    await replicated(other, mirror, [])
    expect(replicaOf(other).settings().left).toBeUndefined()
    expect(await holds(other, 'b/1-mine')).toBe(true)
  })
})

describe('without a scope', () => {
  test('a peer covers what another token reaches as soon as it is given, though no stream ends', async () => {
    const mirror = await rig.mirror()
    const db = await rig.database()
    await mirror.database.putMany([{ id: 'a/1' }, { id: 'b/1' }])
    mirror.reach = ['a/']
    const mirrors = [{ url: address(), token: 'narrow' }]
    const replication = await rig.replicate(db, mirror, { mirrors, live: false })
    await until(() => isLive(replication) && isQuiet(replication))
    expect((await known(db)).size).toBe(1)
    mirror.reach = undefined
    await replication.addMirror(address(), { token: 'narrow' })
    await replication.sync()
    expect((await known(db)).size).toBe(1)
    await replication.addMirror(address(), { token: 'wide' })
    await replication.sync()
    expect((await known(db)).size).toBe(2)
  })

  test('a peer covers what its token reaches, and more when that becomes more', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    for (const prefix of ['a/', 'b/', 'c/']) await putMany(mirror.database, prefix, 5)
    mirror.reach = ['a/']
    const first = await replicated(db, mirror, undefined)
    await expectKnown(mirror, db, ['a/'])
    expect((await known(db)).size).toBe(5)
    const local = { freshness: 'local' } as const
    await db.get('a/1')
    expect(await db.read('a/1', local)).toMatchObject({ current: true })
    expect(await db.read('b/1', local)).toMatchObject({ current: false })
    await first.close()
    mirror.reach = ['a/', 'b/']
    const queries = pullsOf(mirror)
    const second = await replicated(db, mirror, undefined)
    await expectKnown(mirror, db, ['a/', 'b/'])
    expect((await known(db)).size).toBe(10)
    expect(queries.filter((query) => !query.has('since')).length).toBe(1)
    await second.close()
    mirror.reach = undefined
    const third = await replicated(db, mirror, undefined)
    expect((await known(db)).size).toBe(15)
    await third.close()
    expect(replicaOf(db).settings().scope).toBeUndefined()
  })
})
