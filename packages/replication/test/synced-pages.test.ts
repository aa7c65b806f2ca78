import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from './manual-env.js'
import { count, putMany, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

test('synced waits for what changed again while earlier changes were on their way', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  mirror.fault = () => 'hang'
  const replication = await rig.replicate(db, mirror)
  const { rev } = await db.put({ id: 'x', n: 1 })
  let told = false
  const synced = replication.synced().then(() => {
    told = true
  })
  await putMany(db, 'large', 1, 1_100_000)
  await db.put({ id: 'x', rev, n: 2 })
  mirror.fault = (asked) => (asked === 'POST /records' && count(mirror, asked) > 1 ? 'hang' : undefined)
  replication.pause()
  replication.resume()
  await until(() => count(mirror, 'POST /records') === 2)
  expect(told).toBe(false)
  mirror.fault = () => undefined
  replication.pause()
  await replication.sync()
  await synced
  expect(await mirror.database.get('x')).toMatchObject({ n: 2 })
})
