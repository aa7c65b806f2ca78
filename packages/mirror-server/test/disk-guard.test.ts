import { expect, onTestFinished, test } from 'vitest'
import { DiskGuard } from '../src/bounds/disk-guard.js'
import { serverLimits } from '../src/limits.js'
import { failureOf, postRecords, shardOf, startMirror, startPeer, temporaryFolder } from './fixture.js'
import { ManualEnv } from './manual-env.js'

test('it is full below the reserve, and has room again a little above it', async () => {
  const env = new ManualEnv()
  let free: number | undefined = 1_000
  const told: boolean[] = []
  const guard = new DiskGuard({ folder: '/', reserveBytes: 100, env, freeBytes: async () => free })
  guard.onChange((full) => void told.push(full))
  onTestFinished(() => guard.stop())
  await guard.start()
  const look = async (bytes: number | undefined) => {
    free = bytes
    env.advance(serverLimits.diskLookMs)
    await env.yield()
    return guard.full
  }
  expect(guard.full).toBe(false)
  expect(await look(100)).toBe(false)
  expect(await look(99)).toBe(true)
  expect(() => guard.requireRoom()).toThrow(/nearly full/)
  expect(await look(110)).toBe(true)
  expect(await look(125)).toBe(false)
  expect(await look(101)).toBe(false)
  expect(await look(0)).toBe(true)
  // Where nobody knows, nobody is kept from writing.
  expect(await look(undefined)).toBe(false)
  expect(told).toEqual([true, false, true, false])
})

test('on a disk that is nearly full nothing is written, and all is read', async () => {
  const data = await temporaryFolder()
  const { server, origin: first } = await startMirror(['a'], { data })
  const { replica } = await startPeer([{ id: 'x' }])
  const shard = await shardOf(replica)
  expect((await postRecords(`${first}/v1/a`, shard)).status).toBe(200)
  await server.close()

  const { origin } = await startMirror([], { data, reserveBytes: Number.MAX_SAFE_INTEGER })
  const json = { headers: { 'content-type': 'application/json' }, body: '{}' }
  for (const written of [
    postRecords(`${origin}/v1/a`, shard),
    fetch(`${origin}/v1/b`, { method: 'PUT' }),
    fetch(`${origin}/v1/a/docs/y`, { method: 'PUT', ...json }),
    fetch(`${origin}/v1/a/docs`, { method: 'POST', ...json }),
    fetch(`${origin}/v1/a/docs/x`, { method: 'DELETE' }),
    fetch(`${origin}/kv/k`, { method: 'PUT', ...json }),
  ]) {
    expect(await failureOf(await written)).toEqual([507, 'MYNAH_DISK_FULL'])
  }
  const statusOf = async (path: string, method = 'GET') => {
    const answer = await fetch(origin + path, { method })
    await answer.arrayBuffer()
    return answer.status
  }
  for (const read of ['/v1', '/v1/a', '/v1/a/docs/x', '/v1/a/records', '/health'])
    expect([read, await statusOf(read)]).toEqual([read, 200])
  expect(await statusOf('/ready')).toBe(503)
  // What makes room is allowed.
  expect(await statusOf('/v1/a/compact', 'POST')).toBe(200)
})
