import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from './manual-env.js'
import { count, isLive, isQuiet, putMany, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

test('what is pinned is fetched in the background: known, to come, and in each newer revision', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await putMany(mirror.database, 'd', 300)
  const replication = await rig.replicate(db, mirror)
  await until(() => isLive(replication) && isQuiet(replication))
  await db.pin([...Array.from({ length: 150 }, (_, n) => `d${n}`), 'later'])
  const held = async (id: string) => (await db.get(id, { freshness: 'local' })) !== undefined
  let notHeld = 300
  const arrived = async (wanted: number) => {
    while (notHeld !== wanted) {
      notHeld = (await db.stats()).notHeld
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await arrived(150)
  expect([await held('d7'), await held('d200')]).toEqual([true, false])
  expect(count(mirror, 'POST /records/fetch')).toBeLessThan(5)
  await mirror.database.put({ id: 'later', n: 1 })
  await mirror.database.put({ id: 'd7', n: 2 }, { overwrite: true })
  await until(() => isQuiet(replication))
  while (!((await held('later')) && (await db.get('d7', { freshness: 'local' }))?.n === 2))
    await new Promise((resolve) => setImmediate(resolve))
  expect(await db.stats()).toMatchObject({ notHeld: 150, owed: 0, pins: 151 })
})
