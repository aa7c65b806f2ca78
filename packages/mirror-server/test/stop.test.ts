import { headers, mediaTypes } from '@mynah/replication/protocol'
import { expect, test } from 'vitest'
import { serverLimits } from '../src/limits.js'
import { postRecords, shardOf, startMirror, startPeer } from './fixture.js'
import { ManualEnv } from './manual-env.js'
import { RawConnection } from './raw-http.js'

/** Begins a push and sends half of its body; resolves when the server has begun to read it. */
async function beginPush(
  origin: string,
  shard: Uint8Array,
): Promise<{ readonly rest: () => Promise<string> }> {
  const connection = new RawConnection(origin)
  const head = [
    'POST /v1/a/records HTTP/1.1',
    'host: x',
    `content-type: ${mediaTypes.shard}`,
    `content-length: ${shard.length}`,
    `${headers.database}: ${'0'.repeat(32)}`,
    'expect: 100-continue',
  ]
  connection.send(`${head.join('\r\n')}\r\n\r\n`)
  await connection.until(/100 Continue/)
  const half = shard.length >> 1
  connection.send(shard.subarray(0, half))
  return {
    rest: async () => {
      connection.send(shard.subarray(half))
      return await connection.ended()
    },
  }
}

test('a push that is under way at a stop is finished, and kept', async () => {
  const { origin, server, data } = await startMirror(['a'])
  const { replica } = await startPeer([{ id: 'x' }])
  const { rest } = await beginPush(origin, await shardOf(replica))
  const closed = server.close()
  const answer = await rest()
  expect(answer).toMatch(/HTTP\/1\.1 200 OK/)
  expect(answer.toLowerCase()).toContain('connection: close')
  await closed
  const again = await startMirror([], { data })
  expect((await fetch(`${again.origin}/v1/a/docs/x`)).status).toBe(200)
})

test('what does not finish in time is cut', async () => {
  const env = new ManualEnv()
  const { origin, server } = await startMirror(['a'], { env })
  const { replica } = await startPeer([{ id: 'x' }])
  await beginPush(origin, await shardOf(replica))
  let ended = false
  const closed = server.close().then(() => {
    ended = true
  })
  await fetch(`${origin}/health`).catch(() => undefined)
  expect(ended).toBe(false)
  env.advance(serverLimits.stopGraceMs)
  await closed
})

test('a stop under load loses nothing that was acknowledged', async () => {
  const { origin, server, data } = await startMirror(['a'])
  const acknowledged: string[] = []
  let enough: () => void = () => {}
  const warm = new Promise<void>((resolve) => {
    enough = resolve
  })
  const pusher = async (name: number): Promise<number> => {
    for (let n = 0; ; n++) {
      const id = `${name}/${n}`
      const { replica } = await startPeer([{ id, text: 'x'.repeat(100) }])
      const status = await postRecords(`${origin}/v1/a`, await shardOf(replica)).then(
        (response) => response.status,
        () => 0,
      )
      if (status !== 200) return status
      acknowledged.push(id)
      if (acknowledged.length > 60) enough()
    }
  }
  const pushers = Array.from({ length: 8 }, (_, name) => pusher(name))
  await warm
  await server.close()
  for (const status of await Promise.all(pushers)) expect([0, 503]).toContain(status)
  const again = await startMirror([], { data })
  for (const id of acknowledged) {
    expect([id, (await fetch(`${again.origin}/v1/a/docs/${id}`)).status]).toEqual([id, 200])
  }
})

test('closing twice is closing once', async () => {
  const { server } = await startMirror(['a'])
  await Promise.all([server.close(), server.close()])
})
