import type { Database } from '@mynah/core'
import { type Replica, replicaOf } from '@mynah/core/replica'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { deferred } from '../src/timing/deferred.js'
import { until } from './manual-env.js'
import { known, putMany, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

/** The database, with something to do before a checkpoint is stored. */
function slowToRemember(db: Database, before: (direction: 'push' | 'pull') => Promise<void>): Database {
  const replica = replicaOf(db)
  const setCheckpoint: Replica['setCheckpoint'] = async (key, direction, ...rest) => {
    await before(direction)
    await replica.setCheckpoint(key, direction, ...rest)
  }
  return instead(db, { replica: instead(replica, { setCheckpoint }) })
}

/** The object, with these members in the place of its own. */
function instead<T extends object>(target: T, members: object): T {
  return new Proxy(target, {
    get(whole, name) {
      const member: unknown = Reflect.get(name in members ? members : whole, name)
      return typeof member === 'function' ? member.bind(whole) : member
    },
  })
}

test('what a push changed under a pull is pulled, though the pull comes to stand where the push began', async () => {
  const mirror = await rig.mirror()
  await mirror.database.put({ id: 'x', from: 'mirror' })
  // So many that the peer is as good as empty, and takes the feed.
  await putMany(mirror.database, 'other', 8)
  // More than a page takes, so that one ends here; the push changes x, which moves behind the end of that page.
  await putMany(mirror.database, 'large', 1, 1_100_000)
  const [pulled, answered] = [deferred<void>(), deferred<void>()]
  const db = slowToRemember(await rig.database(), async (direction) => {
    if (direction === 'push') answered.resolve()
    else pulled.resolve()
    await answered.promise
  })
  await db.put({ id: 'x', from: 'peer' })
  mirror.delay = (asked) => (asked === 'POST /records' ? pulled.promise : undefined)
  const transport = {
    request: async (request: Parameters<typeof mirror.request>[0]) => {
      if (request.method === 'GET' && /\/records(\?|$)/.test(request.url))
        await until(() => mirror.replica.position().seq === 11)
      return mirror.request(request)
    },
    stream: mirror.stream.bind(mirror),
    close: () => mirror.close(),
  }
  const replication = await rig.replicate(db, mirror, { hold: 'all', transport })
  await replication.sync()
  expect(await known(db)).toEqual(await known(mirror.database))
})
