import type { ServerResponse } from 'node:http'
import { wireLimits } from '@mynah/replication/protocol'
import { expect, test } from 'vitest'
import { serverLimits } from '../src/limits.js'
import { startMirror } from './fixture.js'
import { RawConnection } from './raw-http.js'

const feed = 'GET /v1/a/records/live HTTP/1.1\r\nhost: x\r\n\r\n'
const write = `PUT /v1/a/docs/x HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${wireLimits.requestBytes}\r\n\r\n`

test('what is asked behind an answer without an end is over when its connection is, and holds nothing', async () => {
  const { origin, server } = await startMirror(['a'])
  const over: Promise<void>[] = []
  server.server.on('request', (_request, answer: ServerResponse) => {
    over.push(new Promise((resolve) => void answer.once('close', resolve)))
  })
  const connections = Math.ceil(serverLimits.bodyBytesInFlight / wireLimits.requestBytes) + 1
  for (let i = 0; i < connections; i++) {
    const connection = new RawConnection(origin)
    connection.send(feed + feed + write)
    await connection.until(/"position"/)
    connection.close()
  }
  expect(over).toHaveLength(3 * connections)
  await Promise.all(over)
  const init = { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{}' }
  expect((await fetch(`${origin}/v1/a/docs/y`, init)).status).toBe(201)
})

test('answers wait their turn behind others, and all come', async () => {
  const { origin } = await startMirror(['a'])
  const connection = new RawConnection(origin)
  connection.send('GET /v1/a HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(30))
  connection.send('GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  expect((await connection.ended()).match(/HTTP\/1.1 200/g)).toHaveLength(31)
})
