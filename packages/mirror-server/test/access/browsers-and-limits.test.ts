import { expect, test } from 'vitest'
import { serverLimits } from '../../src/limits.js'
import { failureOf, startMirror } from '../fixture.js'
import { RawConnection } from '../raw-http.js'

const token = 'root-token'
const authorization = `Bearer ${token}`

test('an answer tells browsers to make nothing of it but data', async () => {
  const { origin } = await startMirror(['a'], { token })
  for (const [path, headers] of [
    ['/v1', { authorization }],
    ['/v1', {}],
    ['/nothing', {}],
    ['/v1/a/records/live', { authorization }],
  ] as const) {
    const answer = await fetch(origin + path, { headers })
    await answer.body?.cancel()
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'referrer-policy': 'no-referrer',
    })
    expect(answer.headers.has('strict-transport-security')).toBe(false)
  }
})

test('pages of the origins that are listed may ask, and no others', async () => {
  const { origin } = await startMirror(['a'], { token, cors: ['https://app.example'] })
  const ask = (from: string, init: RequestInit = {}) =>
    fetch(`${origin}/v1/a`, { ...init, headers: { ...init.headers, origin: from } })
  const preflight = {
    method: 'OPTIONS',
    headers: { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'authorization' },
  }
  const allowed = await ask('https://app.example', preflight)
  expect(allowed.status).toBe(204)
  expect(Object.fromEntries(allowed.headers)).toMatchObject({
    'access-control-allow-origin': 'https://app.example',
    'access-control-allow-headers': 'authorization',
    'access-control-allow-methods': expect.stringContaining('PUT'),
  })
  const answered = await ask('https://app.example', { headers: { authorization } })
  expect(answered.headers.get('access-control-allow-origin')).toBe('https://app.example')
  expect(answered.headers.get('access-control-expose-headers')).toContain('etag')
  // A refusal too, so that the page learns why.
  expect((await ask('https://app.example')).headers.get('access-control-allow-origin')).toBe(
    'https://app.example',
  )
  for (const other of ['https://evil.example', 'https://app.example.evil', 'null', 'http://app.example']) {
    expect((await ask(other, preflight)).headers.get('access-control-allow-origin')).not.toBe(other)
    expect(
      (await ask(other, { headers: { authorization } })).headers.get('access-control-allow-origin'),
    ).not.toBe(other)
  }
})

test('without a list no page may ask', async () => {
  const { origin } = await startMirror(['a'], { token })
  const answer = await fetch(`${origin}/v1/a`, { headers: { authorization, origin: 'https://app.example' } })
  expect(answer.headers.has('access-control-allow-origin')).toBe(false)
})

test('a mirror without a token answers to no page of others, whatever name it gave this machine', async () => {
  const { origin } = await startMirror(['a'], { cors: ['https://app.example'] })
  const { host, port } = new URL(origin)
  const write = async (own: string, from?: string) => {
    const lines = ['POST /kv/page HTTP/1.1', 'content-type: text/plain', 'content-length: 0', `host: ${own}`]
    const connection = new RawConnection(origin)
    const all = [...lines, ...(from === undefined ? [] : [`origin: ${from}`]), 'connection: close']
    connection.send(`${all.join('\r\n')}\r\n\r\n`)
    return Number((await connection.ended()).slice(9, 12))
  }
  for (const [own, from] of [
    [host, 'https://evil.example'],
    [host, 'null'],
    [host, `http://127.0.0.1:${Number(port) + 1}`],
    [`evil.example:${port}`, undefined],
    [`evil.example:${port}`, `http://evil.example:${port}`],
    [`127.0.0.1.evil.example:${port}`, undefined],
    ['evil.example.', undefined],
  ] as const)
    expect([own, from, await write(own, from)]).toEqual([own, from, 403])
  expect(((await (await fetch(`${origin}/kv`)).json()) as { keys: unknown }).keys).toEqual([])
  for (const [own, from] of [
    [host, undefined],
    [host, `http://${host}`],
    [host, 'https://app.example'],
    [`localhost:${port}`, undefined],
    [`[::1]:${port}`, undefined],
    ['mirror.localhost', 'http://mirror.localhost'],
  ] as const)
    expect([own, from, (await write(own, from)) < 300]).toEqual([own, from, true])
})

test('who tries many tokens is told to come again, and hinders nobody who has one', async () => {
  const { origin } = await startMirror(['a'], { token, trustProxy: ['127.0.0.1'] })
  const ask = (bearer: string, from: string) =>
    fetch(`${origin}/v1/a`, { headers: { authorization: `Bearer ${bearer}`, 'x-forwarded-for': from } })
  const statuses = new Set<number>()
  for (let n = 0; n < serverLimits.wrongTokensPerMinute; n++)
    statuses.add((await ask(`wrong-${n}`, '203.0.113.1')).status)
  expect([...statuses]).toEqual([401])
  const refused = await ask('wrong', '203.0.113.1')
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await failureOf(refused)).toEqual([429, 'MYNAH_RATE_LIMITED'])
  expect((await ask(token, '203.0.113.1')).status).toBe(200)
  expect((await ask('wrong', '203.0.113.2')).status).toBe(401)
})

test('the word of a proxy that is not known is not believed', async () => {
  const { origin } = await startMirror(['a'], { token })
  const ask = (n: number) =>
    fetch(`${origin}/v1/a`, {
      headers: { authorization: 'Bearer wrong', 'x-forwarded-for': `203.0.113.${n}` },
    })
  for (let n = 0; n < serverLimits.wrongTokensPerMinute; n++) expect((await ask(n)).status).toBe(401)
  expect((await ask(99)).status).toBe(429)
})

test('one address may make so many requests a minute', async () => {
  const { origin } = await startMirror([], { rateLimit: 5, trustProxy: ['loopback'] })
  const ask = (path: string, from: string) =>
    fetch(origin + path, { headers: { 'x-forwarded-for': from } }).then(({ status }) => status)
  for (let n = 0; n < 5; n++) expect(await ask('/v1', '203.0.113.1')).toBe(200)
  expect(await ask('/v1', '203.0.113.1')).toBe(429)
  expect(await ask('/v1', '203.0.113.2')).toBe(200)
  expect(await ask('/health', '203.0.113.1')).toBe(200)
  for (let n = 1; n <= 5; n++) expect(await ask('/v1', `2001:db8:0:1::${n}`)).toBe(200)
  expect(await ask('/v1', '2001:db8:0:1::6')).toBe(429)
  expect(await ask('/v1', '2001:db8:0:2::1')).toBe(200)
})
