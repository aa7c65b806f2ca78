import { Readable } from 'node:stream'
import {
  decodeFetch,
  decodeLeaves,
  decodeMissing,
  decodePushAnswer,
  encodeLeaves,
  headers,
  MessageInvalidError,
  mediaTypes,
  wireLimits,
} from '@mynah/replication/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { failureOf, postRecords, push, shardOf, startMirror, startPeer } from './fixture.js'
import { exchange, RawConnection } from './raw-http.js'

const post = (path: string, body: Uint8Array | string, type: string) =>
  fetch(path, { method: 'POST', headers: { 'content-type': type, [headers.database]: '0'.repeat(32) }, body })

describe('a shard that is none', () => {
  test('is refused, and nothing is changed', async () => {
    const { origin } = await startMirror(['a'])
    const { replica } = await startPeer(
      Array.from({ length: 20 }, (_, n) => ({ id: `d${n}`, n, s: 'x'.repeat(n) })),
    )
    const shard = await shardOf(replica)
    const position = async () =>
      ((await (await fetch(`${origin}/v1/a`)).json()) as { position: string }).position
    const before = await position()
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat({ max: shard.length - 1 }).map((length) => shard.slice(0, length)),
      fc.tuple(fc.nat({ max: shard.length - 1 }), fc.integer({ min: 1, max: 255 })).map(([at, flip]) => {
        const flipped = shard.slice()
        flipped[at]! ^= flip
        return flipped
      }),
      fc.uint8Array({ minLength: 1, maxLength: 9 }).map((tail) => new Uint8Array([...shard, ...tail])),
    )
    await fc.assert(
      fc.asyncProperty(hostile, async (bytes) => {
        expect(await failureOf(await postRecords(`${origin}/v1/a`, bytes))).toEqual([
          400,
          'MYNAH_MESSAGE_INVALID',
        ])
      }),
      { numRuns: 150 },
    )
    expect(await position()).toBe(before)
    expect((await push(`${origin}/v1/a`, replica)).taken).toBe(20)
  })

  test('is refused when it comes without a sender', async () => {
    const { origin } = await startMirror(['a'])
    for (const from of ['', 'x', 'A'.repeat(32)]) {
      const response = await postRecords(`${origin}/v1/a`, new Uint8Array(1), { from })
      expect(await failureOf(response)).toEqual([400, 'MYNAH_MESSAGE_INVALID'])
    }
  })
})

describe('a message that is none', () => {
  const nested = (depth: number) => new Uint8Array([...new Uint8Array(depth).fill(0x91), 0xc0])
  const bombs: readonly (readonly [string, Uint8Array])[] = [
    ['nothing', new Uint8Array()],
    ['four billion elements', new Uint8Array([0xdd, 0xff, 0xff, 0xff, 0xff])],
    ['four billion members', new Uint8Array([0xdf, 0xff, 0xff, 0xff, 0xff])],
    ['four billion bytes', new Uint8Array([0xc6, 0xff, 0xff, 0xff, 0xff])],
    ['a million levels', nested(1_000_000)],
    ['a number', new Uint8Array([7])],
    ['an array of numbers', new Uint8Array([0x91, 7])],
    ['an id that is bytes', new Uint8Array([0x91, 0x92, 0xc4, 1, 1, 0xa1, 0x31])],
    ['an extension', new Uint8Array([0x91, 0xd4, 0x70, 0x01])],
    ['a body hash of one byte', encodeLeaves([{ id: 'x', rev: '1-a', bodyHash: new Uint8Array(1) }])],
    ['too many leaves', encodeLeaves(Array.from({ length: 10_001 }, () => ({ id: 'x', rev: '1-a' })))],
    ['an id of 3,000 characters', encodeLeaves([{ id: 'x'.repeat(3_000), rev: '1-a' }])],
  ]

  test('is refused, whatever it is', async () => {
    const { origin } = await startMirror(['a'])
    for (const [name, bytes] of bombs) {
      for (const path of ['missing', 'fetch']) {
        const response = await post(`${origin}/v1/a/records/${path}`, bytes, mediaTypes.message)
        expect([name, ...(await failureOf(response))]).toEqual([name, 400, 'MYNAH_MESSAGE_INVALID'])
      }
    }
  })

  test('costs next to nothing, however many values it has', () => {
    const values = 4 * 1024 * 1024
    for (const value of [0x80, 0x90]) {
      const bomb = new Uint8Array(5 + values).fill(value)
      bomb.set([0xdd, 0, 0x40, 0, 0])
      const nestedBomb = new Uint8Array([0x91, ...bomb.subarray(0, 5), ...bomb.subarray(5, 100)])
      const begunMs = performance.now()
      for (const bytes of [bomb, nestedBomb]) {
        for (const decode of [
          decodeLeaves,
          decodeFetch,
          decodePushAnswer,
          (b: Uint8Array) => decodeMissing(b, 2),
        ]) {
          expect(() => decode(bytes)).toThrow(MessageInvalidError)
        }
      }
      expect(performance.now() - begunMs).toBeLessThan(100)
    }
  })

  test('is refused when it is longer than a message may be', async () => {
    const { origin } = await startMirror(['a'])
    const response = await post(
      `${origin}/v1/a/records/missing`,
      new Uint8Array(wireLimits.messageBytes + 1),
      mediaTypes.message,
    )
    expect(await failureOf(response)).toEqual([413, 'MYNAH_REQUEST_TOO_LARGE'])
  })

  test('of any bytes ends in an answer', async () => {
    const { origin } = await startMirror(['a'])
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 64 }),
        fc.constantFrom('missing', 'fetch'),
        async (bytes, path) => {
          const { status } = await post(`${origin}/v1/a/records/${path}`, bytes, mediaTypes.message)
          expect([200, 204, 400]).toContain(status)
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('a body', () => {
  test('that is too long is refused, with its length told or not', async () => {
    const { origin } = await startMirror(['a'])
    const head = [
      'POST /v1/a/records HTTP/1.1',
      `content-type: ${mediaTypes.shard}`,
      `${headers.database}: ${'0'.repeat(32)}`,
    ]
    const told = await exchange(origin, ...head, `content-length: ${wireLimits.requestBytes + 1}`)
    expect([told.status, JSON.parse(told.body).code]).toEqual([413, 'MYNAH_REQUEST_TOO_LARGE'])
    const megabyte = new Uint8Array(1024 * 1024)
    const endless = Readable.toWeb(Readable.from(Array.from({ length: 64 }, () => megabyte)))
    // The connection may be cut before the client has read the answer; what it must never be is accepted.
    const untold = fetch(`${origin}/v1/a/records`, {
      method: 'POST',
      headers: { 'content-type': mediaTypes.shard },
      body: endless as ReadableStream<Uint8Array>,
      duplex: 'half',
    } as RequestInit).then(
      ({ status }) => status,
      () => 'cut',
    )
    expect([413, 'cut']).toContain(await untold)
  })

  test('of another type is refused', async () => {
    const { origin } = await startMirror(['a'])
    for (const type of [
      'text/plain',
      mediaTypes.json,
      mediaTypes.message,
      'application/x-www-form-urlencoded',
      '/',
    ]) {
      const response = await post(`${origin}/v1/a/records`, 'x', type)
      expect([type, ...(await failureOf(response))]).toEqual([type, 415, 'MYNAH_MEDIA_TYPE_UNKNOWN'])
    }
    const put = await fetch(`${origin}/v1/b`, {
      method: 'PUT',
      body: '{}',
      headers: { 'content-type': mediaTypes.json },
    })
    expect(await failureOf(put)).toEqual([415, 'MYNAH_MEDIA_TYPE_UNKNOWN'])
  })

  test('that is not there is refused', async () => {
    const { origin } = await startMirror(['a'])
    for (const path of ['records', 'records/missing', 'records/fetch']) {
      const response = await fetch(`${origin}/v1/a/${path}`, {
        method: 'POST',
        headers: { [headers.database]: '0'.repeat(32) },
      })
      expect(await failureOf(response)).toEqual([400, 'MYNAH_MESSAGE_INVALID'])
    }
  })
})

describe('a request', () => {
  const text = (count: number, unit = 'x') => unit.repeat(count)
  const none = '0'.repeat(32)
  const unanswerable: readonly (readonly [string, string, string, number, string])[] = [
    ['no route', 'GET', '/', 404, 'MYNAH_ROUTE_UNKNOWN'],
    ['no route of a database', 'GET', '/v1/a/unknown', 404, 'MYNAH_ROUTE_UNKNOWN'],
    ['another version', 'GET', '/v2', 404, 'MYNAH_ROUTE_UNKNOWN'],
    ['a change of a part', 'PATCH', '/v1/a', 405, 'MYNAH_METHOD_UNKNOWN'],
    ['a post to a document', 'POST', '/v1/a/docs/x', 405, 'MYNAH_METHOD_UNKNOWN'],
    ['a get of a question', 'GET', '/v1/a/records/fetch', 405, 'MYNAH_METHOD_UNKNOWN'],
    ['a post to health', 'POST', '/health', 405, 'MYNAH_METHOD_UNKNOWN'],
    ['an escape that is none', 'GET', '/v1/a/docs/%zz', 400, 'MYNAH_REQUEST_INVALID'],
    ['bytes that are no text', 'GET', '/v1/a/docs/%ff', 400, 'MYNAH_REQUEST_INVALID'],
    ['an empty id', 'GET', '/v1/a/docs/', 400, 'MYNAH_DOCUMENT_INVALID'],
    ['a reserved id', 'GET', '/v1/a/docs/_x', 400, 'MYNAH_DOCUMENT_INVALID'],
    ['a control character', 'GET', '/v1/a/docs/%00', 400, 'MYNAH_DOCUMENT_INVALID'],
    ['an id that is too long', 'GET', `/v1/a/docs/${text(1_025)}`, 400, 'MYNAH_DOCUMENT_INVALID'],
    ['one in UTF-8', 'GET', `/v1/a/docs/${text(257, '%F0%9F%98%80')}`, 400, 'MYNAH_DOCUMENT_INVALID'],
    ['no position', 'GET', '/v1/a?holds=x', 400, 'MYNAH_MESSAGE_INVALID'],
    [
      'too many positions',
      'GET',
      `/v1/a?holds=${text(16, `${none}.1,`)}${none}.1`,
      400,
      'MYNAH_MESSAGE_INVALID',
    ],
    ['a seq past all', 'GET', `/v1/a/records?since=${none}.${text(17, '9')}`, 400, 'MYNAH_MESSAGE_INVALID'],
    ['two positions', 'GET', '/v1/a/records?since=1&since=2', 400, 'MYNAH_MESSAGE_INVALID'],
    ['a flag of another kind', 'GET', '/v1/a/records?bodies=yes', 400, 'MYNAH_MESSAGE_INVALID'],
    ['no bytes', 'GET', '/v1/a/records?bytes=0', 400, 'MYNAH_MESSAGE_INVALID'],
    ['bytes in another notation', 'GET', '/v1/a/records?bytes=1e9', 400, 'MYNAH_MESSAGE_INVALID'],
    ['too many prefixes', 'GET', `/v1/a/records?${text(101, 'prefix=x&')}`, 400, 'MYNAH_MESSAGE_INVALID'],
    ['a name in capitals', 'PUT', '/v1/A', 400, 'MYNAH_DATABASE_NAME_INVALID'],
    ['a hidden name', 'PUT', '/v1/.hidden', 400, 'MYNAH_DATABASE_NAME_INVALID'],
    ['a name that climbs', 'PUT', '/v1/a%2F..%2Fb', 400, 'MYNAH_DATABASE_NAME_INVALID'],
    ['the folder above', 'PUT', '/v1/%2E%2E', 400, 'MYNAH_DATABASE_NAME_INVALID'],
    ['a name that is too long', 'PUT', `/v1/${text(129)}`, 400, 'MYNAH_DATABASE_NAME_INVALID'],
    ['one that no router takes', 'GET', `/v1/${text(2_000)}`, 414, 'MYNAH_REQUEST_TOO_LARGE'],
    ['too long a path', 'GET', `/v1/a/docs/${text(20_000)}`, 414, 'MYNAH_REQUEST_TOO_LARGE'],
    ['too long a head', 'GET', `/v1 HTTP/1.1\r\nx: ${text(20_000)}\r\ny:`, 431, 'MYNAH_HEADERS_TOO_LARGE'],
    ['a method of another protocol', 'PROPFIND', '/v1/a', 405, 'MYNAH_METHOD_UNKNOWN'],
    ['one with a body', 'QUERY', '/v1/a/docs', 405, 'MYNAH_METHOD_UNKNOWN'],
    ['one of a key', 'MKCOL', '/kv/x', 405, 'MYNAH_METHOD_UNKNOWN'],
    ['one of no route', 'LOCK', '/nowhere', 404, 'MYNAH_ROUTE_UNKNOWN'],
    ['no method', 'NONSENSE', '/v1', 400, 'MYNAH_REQUEST_INVALID'],
  ]

  test('that cannot be served is answered in one shape', async () => {
    const { origin } = await startMirror(['a'])
    for (const [name, method, path, status, code] of unanswerable) {
      const answer = await exchange(origin, `${method} ${path} HTTP/1.1`)
      const failure = JSON.parse(answer.body) as { code: string }
      expect([name, answer.status, failure.code]).toEqual([name, status, code])
      expect(Object.keys(failure)).toEqual([
        'code',
        'message',
        ...(failure.code === 'MYNAH_DOCUMENT_INVALID' ? ['path', 'detail'] : []),
      ])
    }
  })

  test('that names no host is answered so too', async () => {
    const { origin } = await startMirror()
    const connection = new RawConnection(origin)
    connection.send('GET /health HTTP/1.1\r\nconnection: close\r\n\r\n')
    expect(await connection.ended()).toMatch(
      /^HTTP\/1\.1 400 [\s\S]*\r\n\r\n\{"code":"MYNAH_REQUEST_INVALID","message":/,
    )
  })

  test('that dawdles has a time by which it ends', async () => {
    const { server } = await startMirror()
    const { headersTimeout, requestTimeout, timeout, maxConnections } = server.server
    expect(headersTimeout).toBeLessThan(requestTimeout)
    expect([requestTimeout, timeout, maxConnections]).toEqual([60_000, 120_000, 20_000])
  })
})
