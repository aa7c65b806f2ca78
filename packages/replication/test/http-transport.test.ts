import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { httpTransport, type Transport, type TransportRequest } from '@mynah/replication'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { rounds } from './manual-env.js'

let server: Server
let transport: Transport
let answer: RequestListener
beforeEach(async () => {
  server = createServer((request, response) => answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  transport = httpTransport()
})
afterEach(async () => {
  await transport.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function ask(options: Partial<TransportRequest> = {}): TransportRequest {
  return {
    method: 'GET',
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/a`,
    headers: {},
    answerBytesMax: 1_000,
    signal: new AbortController().signal,
    ...options,
  }
}

test('a request and its answer', async () => {
  answer = (request, response) => {
    const chunks: Uint8Array[] = []
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    request.on('end', () => {
      response.writeHead(201, { 'X-Method': request.method, 'set-cookie': ['a', 'b'] })
      response.end(Buffer.concat(chunks))
    })
  }
  const body = Uint8Array.of(1, 2, 3)
  const { status, headers, body: echoed } = await transport.request(ask({ method: 'POST', body }))
  expect(status).toBe(201)
  expect(headers).toMatchObject({ 'x-method': 'POST', 'set-cookie': 'a' })
  expect(echoed).toEqual(body)
})

test('a redirect is an answer, and not followed', async () => {
  answer = (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()
  expect((await transport.request(ask())).status).toBe(302)
})

test('an answer that is too long rejects, however long it is said to be', async () => {
  answer = (_, response) => {
    response.writeHead(200)
    const more = () => {
      while (!response.destroyed && response.write(new Uint8Array(10_000)));
    }
    response.on('drain', more)
    more()
  }
  await expect(transport.request(ask())).rejects.toThrow(RangeError)
})

test('an answer that is cut off rejects', async () => {
  answer = (_, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('x', () => response.destroy())
  }
  await expect(transport.request(ask())).rejects.toThrow()
})

test('an aborted request rejects, before and while the answer comes', async () => {
  answer = (_, response) => response.writeHead(200).write('x')
  await expect(transport.request(ask({ signal: AbortSignal.abort() }))).rejects.toThrow()
  const controller = new AbortController()
  const pending = expect(transport.request(ask({ signal: controller.signal }))).rejects.toThrow()
  await new Promise((resolve) => server.once('request', resolve))
  controller.abort()
  await pending
})

test('nobody there rejects', async () => {
  await expect(transport.request(ask({ url: 'http://127.0.0.1:1/v1/a' }))).rejects.toThrow()
})

test('a stream is read as it comes, and ends with close', async () => {
  answer = (_, response) => response.writeHead(200).write('first')
  const stream = await transport.stream(ask())
  const chunks = stream.body[Symbol.asyncIterator]()
  expect(new TextDecoder().decode((await chunks.next()).value)).toBe('first')
  const next = expect(chunks.next()).rejects.toThrow()
  await transport.close()
  await next
})

test('a connection that was closed as it idled costs a GET nothing; what may have been done is not asked twice', async () => {
  let asked = 0
  const sockets = new Set<unknown>()
  answer = (request, response) => {
    asked += 1
    if (sockets.has(request.socket)) return void request.socket.destroy()
    sockets.add(request.socket)
    response.end('here')
  }
  expect((await transport.request(ask())).status).toBe(200)
  await rounds(5)
  expect((await transport.request(ask())).status).toBe(200)
  expect([asked, sockets.size]).toEqual([3, 2])
  await rounds(5)
  await expect(transport.request(ask({ method: 'POST', body: Uint8Array.of(1) }))).rejects.toThrow()
  expect(asked).toBe(4)
  // One that is closed again and again is no idle one.
  answer = (request) => {
    asked += 1
    request.socket.destroy()
  }
  await expect(transport.request(ask())).rejects.toThrow()
  expect(asked).toBeLessThanOrEqual(6)
})
