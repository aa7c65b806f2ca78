import { open } from '@mynah/core'
import { MemoryDisk } from '@mynah/core/compliance'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { MemoryMirror } from './memory-mirror.js'
import { count, isLive, isQuiet, known, putMany, Rig, recover } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

const scope = { prefixes: [] }

test('a quiet peer that only pushes brings back what damage took from the mirror under its stream', async () => {
  const disk = new MemoryDisk()
  const there = await open('mirror', {
    mode: 'mirror',
    storage: disk.storage(),
    level: (location) => disk.level(location),
    shardBytes: 1_000,
    cacheBytes: 1,
  })
  const mirror = await MemoryMirror.with(there)
  const db = await rig.database()
  await putMany(db, 'd', 60, 32)
  const env = new ManualEnv()
  const replication = await rig.replicate(db, mirror, { env, scope })
  await until(() => isLive(replication) && isQuiet(replication))
  await there.seal()
  const { name, length } = disk.files().find((file) => file.name.startsWith('segment'))!
  disk.damage(name, { kind: 'zero', offset: Math.floor(length / 2), length: 200 })
  const streams = count(mirror, 'GET /records/live')
  await there.verify()
  expect((await there.stats()).notHeld).toBeGreaterThan(0)
  await until(() => count(mirror, 'GET ') > 1)
  await recover(env, replication, () => count(mirror, 'GET /records/live') > streams && isQuiet(replication))
  expect(await there.stats()).toMatchObject({ documents: 60, notHeld: 0 })
  const asked = mirror.asked.length
  mirror.beat()
  await there.put({ id: 'other' })
  await rounds()
  expect(mirror.asked.slice(asked)).toEqual([])
  await replication.close()
  await there.close()
})

test('a quiet peer that only pushes, without a stream, asks for the mirror now and then, for little', async () => {
  const db = await rig.database()
  const mirror = await rig.mirror()
  await putMany(db, 'd', 60, 32)
  const env = new ManualEnv()
  const options = { env, scope, live: false, intervalMs: 60_000 }
  const replication = await rig.replicate(db, mirror, options)
  await until(() => isLive(replication) && isQuiet(replication))
  const { bytesUp, bytesDown } = replication.status()
  const asked = mirror.asked.length
  await env.advance(60_000)
  await rounds()
  expect(mirror.asked.slice(asked)).toEqual(['GET '])
  const after = replication.status()
  expect(after.bytesUp + after.bytesDown - bytesUp - bytesDown).toBeLessThan(500)
  mirror.swap(await rig.database('mirror'))
  await env.advance(60_000)
  await until(() => replication.mirrors()[0]!.state !== 'live')
  await recover(env, replication, () => isLive(replication) && isQuiet(replication))
  expect(await known(mirror.database)).toEqual(await known(db))
})
