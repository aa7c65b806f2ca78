import { replicaOf } from '@mynah/core/replica'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, ways } from './memory-mirror.js'
import { count, isQuiet, passes, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

test('a body that was read after the push had passed its stub comes to the mirror that owes it', async () => {
  const [first, second] = [await rig.mirror(), await rig.mirror()]
  await first.database.putMany([{ id: 'read' }, { id: 'unread' }])
  const stubs = await first.replica.feed({ since: 0, bodies: false })
  await second.replica.merge(stubs.records, { from: 'mirror' })
  expect(await second.database.stats()).toMatchObject({ notHeld: 2 })

  const db = await rig.database()
  const env = new ManualEnv()
  const transport = ways({ first, second })
  const mirrors = [address('first'), address('second')]
  const replication = await rig.replicate(db, first, { env, transport, mirrors })
  await until(() => isQuiet(replication))
  await db.put({ id: 'own' })
  await replication.synced({ mirrors: 2 })
  expect(await second.database.stats()).toMatchObject({ documents: 3, notHeld: 2 })
  await env.advance(31_000)
  await until(() => second.streams === 0)

  expect(await db.get('read')).toMatchObject({ id: 'read' })
  first.fault = () => 'refuse'
  first.cut()
  // The stream was cut after a while, and is opened again before the mirror counts as failed.
  await passes(env, [second], async () => (await second.database.stats()).notHeld <= 1)
  expect(await second.database.get('read')).toMatchObject({ id: 'read' })
  expect((await replicaOf(db).leaves('unread'))[0]).toMatchObject({ kind: 'stub' })

  // It owes the other still, which is not here: while nothing else changes nothing is asked again, but once for the new count.
  const asksAgain = async (times: number) => {
    const asked = count(second, 'POST /records/missing')
    const greeted = count(second, 'GET ')
    const asksSince = () => count(second, 'POST /records/missing') - asked
    await passes(env, [second], () => {
      // A stream that has lasted is only opened again: the next one's end is the session's.
      if (count(second, 'GET ') === greeted) second.cut()
      else if (replication.mirrors()[1]!.state === 'live') return asksSince() >= times
      return false
    })
    await rounds()
    expect(asksSince()).toBe(times)
  }
  await asksAgain(1)
  await asksAgain(0)
  // The peer comes to hold it in a live session, by another way.
  await replicaOf(db).merge(await first.replica.leaves('unread'), { whole: true })
  await env.advance(30_000)
  second.beat()
  for (let passedMs = 0; passedMs < 400_000; passedMs += 10_000) {
    await env.advance(10_000)
    second.beat()
    await rounds(5)
  }
  await passes(env, [second], async () => (await second.database.stats()).notHeld === 0)
})
