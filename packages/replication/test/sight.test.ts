import { ClosedError } from '@mynah/core'
import { connect, type ReplicationStatus, replicate } from '@mynah/replication'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualEnv, until } from './manual-env.js'
import { address } from './memory-mirror.js'
import { isQuiet, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

test('ahead counts each change that no mirror has acknowledged, also where there is no mirror', async () => {
  const [db, mirror] = [await rig.database(), await rig.mirror()]
  mirror.refuses = (id) => (id === 'bad' ? 'not here' : undefined)
  await db.putMany(Array.from({ length: 2_000 }, (_, n) => ({ id: `d${n}` })))
  const replication = await rig.replicate(db, mirror, { mirrors: [] })
  expect(replication.status()).toMatchObject({ state: 'idle', ahead: 2_000, behind: 0 })
  await db.update('d1', () => ({ n: 1 }))
  await db.delete('d2')
  await db.put({ id: 'bad' })
  expect(replication.status().ahead).toBe(2_003)
  await replication.addMirror(address())
  await until(() => isQuiet(replication))
  expect(replication.mirrors()).toMatchObject([{ ahead: 0, rejected: 1 }])
  replication.pause()
  await db.update('d1', () => ({ n: 2 }))
  expect(replication.status().ahead).toBe(1)
  await replication.removeMirror(address())
  expect(replication.status().ahead).toBe(2_004)
})

test('ahead leaves out what came from the mirror, conflicts and all', async () => {
  const [db, other, mirror] = [await rig.database(), await rig.database(), await rig.mirror()]
  const replication = await rig.replicate(db, mirror)
  const elsewhere = await rig.replicate(other, mirror)
  await other.putMany(Array.from({ length: 100 }, (_, n) => ({ id: `d${n}`, by: 'other' })))
  await elsewhere.synced()
  replication.pause()
  await db.putMany(Array.from({ length: 30 }, (_, n) => ({ id: `d${n}`, by: 'here' })))
  await until(() => replication.status().state === 'paused')
  expect(replication.status().ahead).toBe(30)
  replication.resume()
  await replication.sync()
  await until(() => isQuiet(replication))
  expect((await db.read('d1')).conflicts).toHaveLength(1)
})

test('the last status that is told is the one that is', async () => {
  const [db, mirror] = [await rig.database(), await rig.mirror()]
  const replication = await rig.replicate(db, mirror)
  const told: ReplicationStatus[] = []
  replication.on('status', (status) => told.push(status))
  for (let n = 0; n < 20; n++) await db.put({ id: `d${n}` })
  await replication.synced()
  await until(() => isQuiet(replication))
  await until(() => told.at(-1)?.state === 'idle')
  expect(told.at(-1)).toEqual(replication.status())
})

test('what is no token is a TypeError before anything is sent or remembered', async () => {
  const [db, mirror] = [await rig.database(), await rig.mirror()]
  const replication = await rig.replicate(db, mirror, { mirrors: [] })
  for (const token of ['', 'a\n', 'a b', 'ü']) {
    await expect(replication.addMirror(address(), { token })).rejects.toThrow(TypeError)
    await expect(connect(address(), { token, transport: mirror })).rejects.toThrow(TypeError)
    const given = { mirrors: [{ url: address(), token }], env: new ManualEnv() }
    await expect(replicate(await rig.database(), given)).rejects.toThrow(TypeError)
  }
  expect([replication.mirrors(), mirror.asked]).toEqual([[], []])
})

test('what is no id is not explained, and after close nothing is', async () => {
  const [db, mirror] = [await rig.database(), await rig.mirror()]
  const replication = await rig.replicate(db, mirror)
  for (const id of ['', '_x', 'a\n']) {
    await expect(replication.explain(id)).rejects.toMatchObject({ code: 'MYNAH_DOCUMENT_INVALID' })
  }
  await replication.close()
  await expect(replication.explain('a')).rejects.toThrow(ClosedError)
  await expect(replication.rejected()[Symbol.asyncIterator]().next()).rejects.toThrow(ClosedError)
})
