import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualEnv, until } from './manual-env.js'
import { address, ways } from './memory-mirror.js'
import { count, isLive, isQuiet, known, putMany, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

/** Until the condition holds, which may have to be looked up. */
async function comes(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve))
}

test('a peer that becomes a mirror pulls bodies at once, and stubs again when it is one no more', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await putMany(mirror.database, 'a', 250)
  const replication = await rig.replicate(db, mirror)
  await until(() => isQuiet(replication))
  expect(await db.stats()).toMatchObject({ documents: 250, notHeld: 250 })

  const [round] = await Promise.all([replication.sync(), db.setMode('mirror')])
  expect(round.mirror).toBe(address())
  await comes(async () => (await db.stats()).notHeld === 0)
  await until(() => isQuiet(replication))
  const fetches = count(mirror, 'POST /records/fetch')
  await mirror.database.put({ id: 'b' })
  await comes(async () => (await db.stats()).documents === 251)
  expect(await db.stats()).toMatchObject({ notHeld: 0 })
  expect(count(mirror, 'POST /records/fetch')).toBe(fetches)
  expect(replication.mirrors()[0]!.error).toBeUndefined()

  await db.setMode('peer')
  await until(() => isQuiet(replication))
  await mirror.database.put({ id: 'c' })
  await comes(async () => (await db.stats()).documents === 252)
  expect(await db.stats()).toMatchObject({ notHeld: 1 })
  expect(await known(db)).toEqual(await known(mirror.database))
})

test('nothing begins anew where all bodies are pulled in any case', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  const replication = await rig.replicate(db, mirror, { hold: 'all' })
  await until(() => isQuiet(replication))
  const asked = mirror.asked.length
  await db.setMode('mirror')
  await replication.sync()
  expect(mirror.asked.slice(asked).filter((one) => one === 'GET ')).toEqual([])
})

test('a sync goes on with the second mirror when the session with the first is dying', async () => {
  const db = await rig.database()
  const [first, second] = [await rig.mirror(), await rig.mirror()]
  const env = new ManualEnv()
  const transport = ways({ first, second })
  const mirrors = [address('first'), address('second')]
  const replication = await rig.replicate(db, first, { env, transport, mirrors })
  await until(() => isLive(replication))
  await second.database.put({ id: 'there' })
  first.fault = (asked) => (asked === 'GET /records' ? 'garble' : undefined)
  const { mirror } = await replication.sync()
  expect(mirror).toBe(address('second'))
  expect(await db.get('there')).toMatchObject({ id: 'there' })
})

test('a read goes to the second mirror when the session with the first is dying', async () => {
  const db = await rig.database()
  const [first, second] = [await rig.mirror(), await rig.mirror()]
  const transport = ways({ first, second })
  const mirrors = [address('first'), address('second')]
  await second.database.put({ id: 'there' })
  const replication = await rig.replicate(db, first, { transport, mirrors })
  await until(() => isLive(replication))
  first.fault = (asked) => (asked === 'POST /records' ? 'garble' : undefined)
  await db.put({ id: 'here' })
  await until(() => count(first, 'POST /records') === 1)
  expect(await db.get('there', { freshness: 'mirror' })).toMatchObject({ id: 'there' })
})

test('a sync goes on with a mirror that turns out to have another history', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  const other = await rig.database('mirror')
  await putMany(mirror.database, 'a', 3)
  const replication = await rig.replicate(db, mirror, { hold: 'all' })
  await replication.sync()
  await until(() => isQuiet(replication))
  mirror.fault = (asked) => {
    if (asked !== 'GET /records') return undefined
    mirror.fault = () => undefined
    mirror.replace(other)
    return undefined
  }
  await replication.sync()
  expect(await known(db)).toEqual(await known(other))
})
