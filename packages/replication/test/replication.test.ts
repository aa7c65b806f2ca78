import { ClosedError } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import { MirrorAnswerError, ReplicationRunningError, replicate } from '@mynah/replication'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { address, MemoryMirror } from './memory-mirror.js'
import { isLive, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

describe('the life of a replication', () => {
  test('pause ends what is in flight, sync still works, resume goes on', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const replication = await rig.replicate(db, mirror)
    await until(() => isLive(replication))
    replication.pause()
    await until(() => mirror.streams === 0)
    expect(replication.status().state).toBe('paused')
    await db.put({ id: 'a' })
    await rounds()
    expect(await mirror.database.count()).toBe(0)
    expect(await replication.sync()).toEqual({ mirror: address(), pushed: 1, pulled: 0, rejected: [] })
    await until(() => replication.status().state === 'paused' && mirror.streams === 0)
    await db.put({ id: 'b' })
    replication.resume()
    await replication.synced()
    expect(await mirror.database.count()).toBe(2)
  })

  test('close ends a hanging request, and whoever waits', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    mirror.fault = () => 'hang'
    const replication = await rig.replicate(db, mirror)
    await db.put({ id: 'a' })
    const waiting = [replication.synced(), replication.sync()].map((one) =>
      expect(one).rejects.toThrow(ClosedError),
    )
    await until(() => mirror.asked.length === 1)
    await replication.close()
    await Promise.all(waiting)
    await expect(replication.sync()).rejects.toThrow(ClosedError)
    await expect(replication.synced()).rejects.toThrow(ClosedError)
    expect(mirror.closed).toBe(true)
    await replication.close()
  })

  test('it ends with the database, and leaves no timer', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const env = new ManualEnv()
    const replication = await rig.replicate(db, mirror, { env })
    await until(() => isLive(replication))
    await db.close()
    await until(() => mirror.closed)
    await rounds()
    expect(env.timers).toBe(0)
    await expect(replication.addMirror(address('other'))).rejects.toThrow(ClosedError)
  })

  test('a database is replicated once at a time', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const replication = await rig.replicate(db, mirror)
    await expect(replicate(db)).rejects.toThrow(ReplicationRunningError)
    await replication.close()
    await (await rig.replicate(db, mirror)).sync()
  })

  test('an address that is no mirror is a TypeError', async () => {
    const db = await rig.database()
    const wrong = [
      'x',
      'ftp://h/v1/a',
      'http://h/a',
      'http://h/v1/A',
      'http://u:p@h/v1/a',
      'http://h/v1/a?x=1',
    ]
    for (const url of wrong) await expect(replicate(db, { mirrors: [url] })).rejects.toThrow(TypeError)
    const prefixes = Array.from({ length: 101 }, (_, n) => `p${n}`)
    await expect(replicate(db, { scope: { prefixes } })).rejects.toThrow(RangeError)
  })

  test('mirrors are remembered, with their tokens, and forgotten', async () => {
    const db = await rig.database()
    const mirror = await rig.mirror()
    const replication = await rig.replicate(db, mirror, { mirrors: [{ url: `${address()}/`, token: 't' }] })
    await replication.sync()
    await replication.addMirror(address('other'))
    const { id } = mirror.replica
    expect(replicaOf(db).settings().mirrors).toEqual([
      { url: address(), token: 't', id },
      { url: address('other') },
    ])
    await replication.removeMirror(address('other'))
    expect(replication.mirrors().map(({ url }) => url)).toEqual([address()])
    expect(replicaOf(db).settings().mirrors).toEqual([{ url: address(), token: 't', id }])
  })

  test('a copy of this very database is no mirror of it', async () => {
    const folder = await rig.folder()
    const first = await rig.database('peer', folder)
    await first.put({ id: 'a' })
    await first.close()
    const mirror = await MemoryMirror.with(await rig.database('peer', await rig.copy(folder)))
    const replication = await rig.replicate(await rig.database('peer', folder), mirror)
    await expect(replication.sync()).rejects.toThrow(MirrorAnswerError)
  })
})
