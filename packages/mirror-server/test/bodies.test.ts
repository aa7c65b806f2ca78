import { request } from 'node:http'
import { expect, test } from 'vitest'
import { startMirror } from './fixture.js'
import { RawConnection } from './raw-http.js'

const MIB = 1024 * 1024

/** Sends chunks without a length; what comes back, or how it ended. */
function chunked(url: string, chunks: readonly Uint8Array[], headers: Record<string, string> = {}) {
  return new Promise<{ status: number | undefined; text: string }>((resolve) => {
    const sent = request(url, { method: 'PUT', headers, agent: false }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (part: string) => {
        text += part
      })
      const done = () => resolve({ status: answer.statusCode, text })
      answer.on('end', done).on('error', done)
    })
    sent.on('error', () => resolve({ status: undefined, text: '' }))
    for (const chunk of chunks) sent.write(chunk)
    sent.end()
  })
}

async function bytesInFlight(origin: string): Promise<number> {
  const text = await (await fetch(`${origin}/metrics`)).text()
  return Number(/^mynah_bytes_in_flight (\d+)$/m.exec(text)![1])
}

test('bodies without a length count as they come: many short ones at once are taken', async () => {
  const { origin } = await startMirror()
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) => chunked(`${origin}/kv/${n}`, [new Uint8Array([n])])),
  )
  expect(answers.filter(({ status }) => status !== 201)).toEqual([])
  await expect.poll(() => bytesInFlight(origin)).toBe(0)
})

test('one without a length that is too long is refused, and all that it held is given back', async () => {
  const { origin } = await startMirror()
  const { status } = await chunked(`${origin}/kv/x`, Array<Uint8Array>(10).fill(new Uint8Array(MIB)))
  // Where the connection broke under what was still being sent, nothing was read of the answer.
  expect([413, undefined]).toContain(status)
  expect((await fetch(`${origin}/kv/x`)).status).toBe(404)
  await expect.poll(() => bytesInFlight(origin)).toBe(0)
})

test('one that breaks off gives back what it held', async () => {
  const { origin } = await startMirror()
  const connection = new RawConnection(origin)
  const head = 'PUT /kv/x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n'
  connection.send(`${head}${(100_000).toString(16)}\r\n${'x'.repeat(100_000)}\r\n`)
  await expect.poll(() => bytesInFlight(origin)).toBe(100_000)
  connection.close()
  await expect.poll(() => bytesInFlight(origin)).toBe(0)
})

test('who claims all the room that he gets leaves some for others', async () => {
  const { origin } = await startMirror(['a'], { trustProxy: ['loopback'] })
  const claim = (from: string) => {
    const connection = new RawConnection(origin)
    connection.send(
      `POST /v1/a/records HTTP/1.1\r\nhost: x\r\nx-forwarded-for: ${from}\r\ncontent-type: application/vnd.mynah.shard\r\ncontent-length: ${16 * MIB}\r\n\r\n`,
    )
    return connection
  }
  const claims = Array.from({ length: 20 }, () => claim('203.0.113.1'))
  const refused = await Promise.race(claims.map((one) => one.until(/MYNAH_BUSY/)))
  expect(refused).toMatch(/^HTTP\/1\.1 503 /)
  await expect.poll(() => bytesInFlight(origin)).toBe(8 * 16 * MIB)
  const put = (from: string) =>
    fetch(`${origin}/v1/a/docs/x?overwrite=true`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': from },
      body: JSON.stringify({ text: 'x'.repeat(4 * MIB) }),
    }).then(({ status }) => status)
  expect(await put('203.0.113.2')).toBe(201)
  expect(await put('203.0.113.1')).toBe(503)
})
