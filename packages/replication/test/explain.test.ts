import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from './manual-env.js'
import { address } from './memory-mirror.js'
import { isQuiet, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

test('a document is explained: absent, waiting, current, stale, refused', async () => {
  const [db, mirror] = [await rig.database(), await rig.mirror()]
  mirror.refuses = (id) => (id === 'bad' ? 'not here' : undefined)
  const replication = await rig.replicate(db, mirror)
  const url = address()
  const explained = (id: string) => replication.explain(id)
  await until(() => isQuiet(replication))
  expect(await explained('own')).toMatchObject({ state: 'absent', covered: true, leaves: [] })

  replication.pause()
  const { rev } = await db.put({ id: 'own' })
  const waiting = { state: 'waiting', mirrors: [{ url, word: 'waiting' }] }
  expect(await explained('own')).toMatchObject(waiting)
  // One whose id is longer is another.
  expect(await explained('ow')).toMatchObject({ state: 'absent', mirrors: [{ url, word: 'answered' }] })
  replication.resume()
  await replication.synced()
  expect(await explained('own')).toMatchObject({
    state: 'current',
    leaves: [{ rev, deleted: false, held: true, written: true }],
    mirrors: [{ url, word: 'answered' }],
  })

  await mirror.database.put({ id: 'there' })
  await until(() => isQuiet(replication) && mirror.replica.position().seq === 2)
  await replication.sync()
  expect(await explained('there')).toMatchObject({
    state: 'stale',
    covered: true,
    leaves: [{ held: false, written: false }],
  })
  await db.get('there')
  const { state, asOf } = await explained('there')
  expect([state, asOf]).toEqual(['current', expect.any(Date)])

  await db.put({ id: 'bad' })
  await until(() => replication.mirrors()[0]!.rejected === 1)
  expect(await explained('bad')).toMatchObject({
    state: 'refused',
    mirrors: [{ url, word: 'refused', code: 'MYNAH_REVISION_REFUSED', reason: 'not here' }],
  })
})
