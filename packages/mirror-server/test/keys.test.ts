import { describe, expect, test } from 'vitest'
import { failureOf, startMirror } from './fixture.js'

interface Stamp {
  readonly ok: boolean
  readonly versionstamp: string
}

const send = async (url: string, method: string, value?: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, { method, headers, ...(value !== undefined && { body: value }) })
  return { response, stamp: (await response.clone().json()) as Stamp }
}

describe('a key', () => {
  test('keeps raw bytes with their content type, until it is deleted', async () => {
    const { origin } = await startMirror()
    const url = `${origin}/kv/conf/x y/ü`
    expect(await failureOf(await fetch(url))).toEqual([404, 'MYNAH_KEY_UNKNOWN'])
    expect(await failureOf(await fetch(url, { method: 'DELETE' }))).toEqual([404, 'MYNAH_KEY_UNKNOWN'])
    // Reading made nothing.
    expect(await (await fetch(`${origin}/v1`)).json()).toMatchObject({ databases: [] })
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
    const made = await fetch(url, {
      method: 'PUT',
      body: bytes,
      headers: { 'content-type': 'image/x-any; v=1' },
    })
    expect([made.status, made.headers.get('location')]).toEqual([
      201,
      `/kv/${encodeURIComponent('conf/x y/ü')}`,
    ])
    const read = await fetch(url)
    expect(new Uint8Array(await read.arrayBuffer())).toEqual(bytes)
    expect(read.headers.get('content-type')).toBe('image/x-any; v=1')
    expect(read.headers.get('etag')).toBe(made.headers.get('etag'))
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '256', ''])
    const since = { headers: { 'if-none-match': read.headers.get('etag')! } }
    expect((await fetch(url, since)).status).toBe(304)
    const gone = await send(url, 'DELETE')
    expect([gone.response.status, gone.stamp.ok]).toEqual([200, true])
    for (const method of ['GET', 'DELETE'])
      expect(await failureOf(await fetch(url, { method }))).toEqual([404, 'MYNAH_KEY_UNKNOWN'])
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(404)
    expect((await fetch(url, { method: 'PUT' })).status).toBe(201)
    const empty = await fetch(url)
    expect([empty.headers.get('content-type'), await empty.text()]).toEqual(['application/octet-stream', ''])
  })

  test('tells a stamp that grows with each write, of whatever key and value, also of writes at once', async () => {
    const { origin } = await startMirror()
    const stamps: string[] = []
    for (const key of ['a', 'a', 'b', 'a'])
      stamps.push((await send(`${origin}/kv/${key}`, 'POST', 'same')).stamp.versionstamp)
    stamps.push((await send(`${origin}/kv/a`, 'DELETE')).stamp.versionstamp)
    stamps.push((await send(`${origin}/kv/a`, 'PUT', 'same')).stamp.versionstamp)
    expect(stamps).toEqual([...new Set(stamps)].sort())
    const urls = Array.from({ length: 30 }, (_, n) => `${origin}/kv/k${n % 10}`)
    const many = await Promise.all(urls.map((url) => send(url, 'POST', 'x')))
    expect(new Set(many.map(({ stamp }) => stamp.versionstamp)).size).toBe(30)
    for (const { stamp } of many)
      expect(stamp.versionstamp > stamps.at(-1)! && /^[0-9a-f]{20}$/.test(stamp.versionstamp)).toBe(true)
  })

  test('is written under conditions, of which of several writers one meets them', async () => {
    const { origin } = await startMirror()
    const url = `${origin}/kv/lock`
    const race = await Promise.all([1, 2, 3].map((n) => send(url, 'PUT', `${n}`, { 'if-none-match': '*' })))
    expect(race.map(({ response }) => response.status).sort()).toEqual([201, 412, 412])
    const etag = (await fetch(url)).headers.get('etag')!
    const edits = await Promise.all([1, 2].map((n) => send(url, 'PUT', `${n}`, { 'if-match': etag })))
    expect(edits.map(({ response }) => response.status).sort()).toEqual([200, 412])
    expect((await send(url, 'DELETE', undefined, { 'if-match': etag })).response.status).toBe(412)
    expect((await send(`${origin}/kv/none`, 'PUT', 'x', { 'if-match': '*' })).response.status).toBe(412)
    expect((await send(url, 'DELETE', undefined, { 'if-match': '*' })).response.status).toBe(200)
  })

  test('is listed by prefix, page by page', async () => {
    const { origin } = await startMirror()
    const list = async (query = '') =>
      (await (await fetch(`${origin}/kv${query}`)).json()) as { keys: { key: string }[]; next?: string }
    expect(await list()).toEqual({ keys: [] })
    for (const key of ['b/2', 'a/1', 'b/1', 'c'])
      await send(`${origin}/kv/${key}`, 'PUT', key, { 'content-type': 'text/plain' })
    expect((await list()).keys.map(({ key }) => key)).toEqual(['a/1', 'b/1', 'b/2', 'c'])
    const first = await list('?prefix=b/&limit=1')
    expect(first).toEqual({
      keys: [{ key: 'b/1', type: 'text/plain', bytes: 3, rev: expect.any(String) }],
      next: 'b/1',
    })
    expect((await list(`?prefix=b/&gt=${first.next}`)).keys.map(({ key }) => key)).toEqual(['b/2'])
    expect((await fetch(`${origin}/kv?limit=0`)).status).toBe(400)
  })

  test('that cannot be is refused, as is a value that is too long', async () => {
    const { origin } = await startMirror()
    for (const key of ['', '_x', '%00', 'x'.repeat(1_025), '%ff'])
      expect([
        key.slice(0, 5),
        (await fetch(`${origin}/kv/${key}`, { method: 'PUT', body: 'x' })).status,
      ]).toEqual([key.slice(0, 5), 400])
    const long = await fetch(`${origin}/kv/x`, { method: 'PUT', body: new Uint8Array(8 * 1024 * 1024) })
    expect(await failureOf(long)).toEqual([413, 'MYNAH_REQUEST_TOO_LARGE'])
    const most = await fetch(`${origin}/kv/x`, {
      method: 'PUT',
      body: new Uint8Array(8 * 1024 * 1024 - 4_096),
    })
    expect(most.status).toBe(201)
    const typed = await fetch(`${origin}/kv/y`, {
      method: 'PUT',
      body: 'x',
      headers: { 'content-type': `a/${'b'.repeat(300)}` },
    })
    expect(typed.status).toBe(400)
  })

  test('runs nothing in a browser as if it were the mirror', async () => {
    const { origin } = await startMirror()
    await send(`${origin}/kv/page`, 'PUT', '<script>alert(1)</script>', { 'content-type': 'text/html' })
    const { headers } = await fetch(`${origin}/kv/page`)
    expect([headers.get('x-content-type-options'), headers.get('content-security-policy')]).toEqual([
      'nosniff',
      "sandbox; default-src 'none'",
    ])
  })

  test('needs the token', async () => {
    const { origin } = await startMirror([], { token: 'secret' })
    for (const [method, path] of [
      ['GET', '/kv'],
      ['GET', '/kv/x'],
      ['PUT', '/kv/x'],
      ['POST', '/kv/x'],
      ['DELETE', '/kv/x'],
    ])
      expect(await failureOf(await fetch(origin + path, { method: method! }))).toEqual([
        401,
        'MYNAH_TOKEN_INVALID',
      ])
  })
})

describe('the mirror', () => {
  test('is ready when its databases open', async () => {
    const { origin } = await startMirror(['a'])
    expect((await fetch(`${origin}/ready`)).status).toBe(200)
  })
})
