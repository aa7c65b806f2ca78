import { request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { documentMsgpack, parseDocumentMsgpack } from '@mynah/replication/protocol'
import { describe, expect, test } from 'vitest'
import { failureOf, linesOf, push, startMirror, startPeer } from './fixture.js'
import { RawConnection } from './raw-http.js'

const json = { 'content-type': 'application/json' }
const msgpack = { 'content-type': 'application/msgpack', accept: 'application/msgpack' }

async function unpacked(response: Response): Promise<unknown> {
  expect(response.headers.get('content-type')).toBe('application/msgpack')
  return parseDocumentMsgpack(new Uint8Array(await response.arrayBuffer()))
}

describe('msgpack', () => {
  test('carries documents both ways, with values as themselves', async () => {
    const { origin } = await startMirror(['a'])
    const doc = {
      at: new Date(5),
      raw: new Uint8Array([1, 255]),
      big: 2n ** 70n,
      small: 5n,
      $x: 1.5,
      __proto__: null,
    }
    const url = `${origin}/v1/a/docs/x`
    const made = await fetch(url, {
      method: 'PUT',
      headers: msgpack,
      body: documentMsgpack({ ...doc }) as Uint8Array<ArrayBuffer>,
    })
    const { rev } = (await unpacked(made)) as { rev: string }
    expect([made.status, made.headers.get('etag')]).toEqual([201, `"${rev}"`])
    const read = await fetch(url, {
      headers: { accept: 'application/msgpack;q=0.9, application/json;q=0.8' },
    })
    expect(read.headers.get('vary')).toBe('accept')
    expect(await unpacked(read)).toEqual({ id: 'x', rev, ...doc })
    expect(((await (await fetch(url)).json()) as { big: unknown }).big).toEqual({
      $bigint: String(2n ** 70n),
    })
    await fetch(`${origin}/v1/a/docs`, {
      method: 'POST',
      headers: msgpack,
      body: documentMsgpack({ id: 'y', n: 1 }) as Uint8Array<ArrayBuffer>,
    })
    const page = await fetch(`${origin}/v1/a/docs?limit=1`, { headers: msgpack })
    expect(await unpacked(page)).toEqual({ docs: [{ id: 'x', rev, ...doc }], next: 'x' })
    const rest = (await unpacked(await fetch(`${origin}/v1/a/docs?gt=x`, { headers: msgpack }))) as {
      docs: unknown[]
    }
    expect(rest).toMatchObject({ docs: [{ id: 'y', n: 1 }] })
    const bad = await fetch(url, { method: 'PUT', headers: msgpack, body: '{"n":1}' })
    expect(await failureOf(bad)).toEqual([400, 'MYNAH_MESSAGE_INVALID'])
  })

  test('or JSON is chosen by what is wanted most, and what is not to be had is refused', async () => {
    const { origin } = await startMirror(['a'])
    const url = `${origin}/v1/a/docs/x`
    await fetch(url, { method: 'PUT', headers: json, body: '{}' })
    const chosen: readonly (readonly [string, string])[] = [
      ['*/*', 'application/json'],
      ['text/html, */*;q=0.1', 'application/json'],
      ['application/*', 'application/json'],
      ['application/json;q=0, */*', 'application/msgpack'],
      ['application/json;q=0.5, application/msgpack', 'application/msgpack'],
      ['APPLICATION/MSGPACK', 'application/msgpack'],
    ]
    for (const [accept, type] of chosen) {
      const found = (await fetch(url, { headers: { accept } })).headers.get('content-type')!
      expect([accept, found.split(';')[0]]).toEqual([accept, type])
    }
    for (const [path, accept] of [
      ['docs/x', 'text/html'],
      ['docs/x', 'application/json;q=0'],
      ['docs', 'image/*'],
      ['changes', 'application/json'],
      ['conflicts', 'application/msgpack'],
    ])
      expect(
        await failureOf(await fetch(`${origin}/v1/a/${path}`, { headers: { accept: accept! } })),
      ).toEqual([406, 'MYNAH_NOT_ACCEPTABLE'])
  })
})

describe('methods', () => {
  test('that a path has are told, and every GET has a HEAD with the same headers', async () => {
    const { origin } = await startMirror(['a'])
    await fetch(`${origin}/v1/a/docs/x`, { method: 'PUT', headers: json, body: '{"n":1}' })
    await fetch(`${origin}/kv/x`, { method: 'PUT', body: 'value' })
    const paths: readonly (readonly [string, string])[] = [
      ['/v1', 'GET, HEAD, OPTIONS'],
      ['/v1/a', 'GET, HEAD, PUT, DELETE, OPTIONS'],
      ['/v1/a/docs', 'GET, HEAD, POST, OPTIONS'],
      ['/v1/a/docs/x', 'GET, HEAD, PUT, DELETE, OPTIONS'],
      ['/v1/a/changes', 'GET, HEAD, OPTIONS'],
      ['/v1/a/conflicts', 'GET, HEAD, OPTIONS'],
      ['/v1/a/history/x', 'GET, HEAD, OPTIONS'],
      ['/v1/a/stats', 'GET, HEAD, OPTIONS'],
      ['/v1/a/verify', 'POST, OPTIONS'],
      ['/v1/a/compact', 'POST, OPTIONS'],
      ['/v1/a/records', 'GET, HEAD, POST, OPTIONS'],
      ['/v1/a/records/missing', 'POST, OPTIONS'],
      ['/kv', 'GET, HEAD, OPTIONS'],
      ['/kv/x', 'GET, HEAD, PUT, POST, DELETE, OPTIONS'],
      ['/health', 'GET, HEAD, OPTIONS'],
      ['/ready', 'GET, HEAD, OPTIONS'],
    ]
    for (const [path, allow] of paths) {
      const options = await fetch(origin + path, { method: 'OPTIONS' })
      expect([path, options.status, options.headers.get('allow')]).toEqual([path, 204, allow])
      const patch = await fetch(origin + path, { method: 'PATCH' })
      expect([path, ...(await failureOf(patch)), patch.headers.get('allow')]).toEqual([
        path,
        405,
        'MYNAH_METHOD_UNKNOWN',
        allow,
      ])
      if (!allow.startsWith('GET')) continue
      const [got, head] = [await fetch(origin + path), await fetch(origin + path, { method: 'HEAD' })]
      expect([path, head.status, await head.text()]).toEqual([path, got.status, ''])
      const told = (response: Response) => ['content-type', 'etag'].map((name) => response.headers.get(name))
      expect([path, ...told(head)]).toEqual([path, ...told(got)])
    }
    const live = await fetch(`${origin}/v1/a/changes?live=true`, { method: 'HEAD' })
    expect([live.status, live.headers.get('content-type')]).toEqual([200, 'application/x-ndjson'])
    expect((await fetch(`${origin}/v1/a/records/live`, { method: 'HEAD' })).status).toBe(200)
  })
})

describe('conditions', () => {
  test('that do not hold are refused, and nothing is done', async () => {
    const { origin } = await startMirror(['a'])
    const url = `${origin}/v1/a/docs/x`
    const once = { ...json, 'if-none-match': '*' }
    const both = await Promise.all(
      [1, 2].map(() => fetch(url, { method: 'PUT', headers: once, body: '{"n":1}' })),
    )
    expect(both.map(({ status }) => status).sort()).toEqual([201, 412])
    const refused = (await both.find(({ status }) => status === 412)!.json()) as { code: string; rev: string }
    expect(refused).toMatchObject({ code: 'MYNAH_PRECONDITION_FAILED', rev: expect.stringMatching(/^1-/) })
    expect((await fetch(url, { headers: { 'if-match': '"1-no"' } })).status).toBe(412)
    expect((await fetch(url, { headers: { 'if-match': `"${refused.rev}"` } })).status).toBe(200)
    // A proxy that compresses makes a tag a weak one.
    const weak = { ...json, 'if-match': `W/"${refused.rev}"` }
    expect((await fetch(url, { method: 'PUT', headers: weak, body: '{"n":2}' })).status).toBe(200)
  })

  test('may be lists of revs, and any rev', async () => {
    const { origin } = await startMirror(['a'])
    const url = `${origin}/v1/a/docs/x`
    let n = 0
    const send = async (method: string, headers: Record<string, string>) => {
      n += 1
      const body = method === 'PUT' ? { body: `{"n":${n}}` } : {}
      const answer = await fetch(url, { method, headers: { ...json, ...headers }, ...body })
      const { rev, code } = (await answer.json()) as { rev?: string; code?: string }
      return { told: [answer.status, code], rev: `"${rev}"` }
    }
    const failed = [412, 'MYNAH_PRECONDITION_FAILED']
    const stale = '"1-00000000000000000000000000000000"'
    for (const method of ['PUT', 'DELETE']) {
      expect((await send(method, { 'if-match': '*' })).told).toEqual(failed)
      expect((await send(method, { 'if-match': stale })).told).toEqual([409, 'MYNAH_CONFLICT'])
    }
    const { rev } = await send('PUT', {})
    for (const method of ['PUT', 'DELETE']) {
      expect((await send(method, { 'if-none-match': `${stale}, ${rev}` })).told).toEqual(failed)
      expect((await send(method, { 'if-match': stale })).told).toEqual([409, 'MYNAH_CONFLICT'])
      expect((await send(method, { 'if-match': 'rev' })).told).toEqual([400, 'MYNAH_MESSAGE_INVALID'])
    }
    expect((await send('PUT', { 'if-match': `${stale} , ${rev}` })).told).toEqual([200, undefined])
    expect((await send('PUT', { 'if-match': '*' })).told).toEqual([200, undefined])
    expect((await send('PUT', { 'if-none-match': rev })).told).toEqual([200, undefined])
    expect((await send('DELETE', { 'if-match': '*' })).told).toEqual([200, undefined])
    expect((await fetch(url)).status).toBe(410)
    expect((await send('PUT', { 'if-none-match': '*' })).told[0]).toBe(200)
  })
})

describe('compression', () => {
  test('is for who takes it, of what is long and not live, and leaves tags alone', async () => {
    const { origin } = await startMirror(['a'])
    const text = 'the same again and '.repeat(500)
    await fetch(`${origin}/v1/a/docs/x`, { method: 'PUT', headers: json, body: JSON.stringify({ text }) })
    await fetch(`${origin}/v1/a/docs/y`, { method: 'PUT', headers: json, body: '{}' })
    const ask = async (path: string, encoding: string) => {
      const connection = new RawConnection(origin)
      connection.send(
        `GET ${path} HTTP/1.1\r\nhost: x\r\naccept-encoding: ${encoding}\r\nconnection: close\r\n\r\n`,
      )
      const answer = Buffer.from(await connection.ended(), 'latin1')
      const end = answer.indexOf('\r\n\r\n')
      return { head: answer.subarray(0, end).toString().toLowerCase(), body: answer.subarray(end + 4) }
    }
    const plain = await ask('/v1/a/docs/x', 'identity')
    expect(plain.head).not.toContain('content-encoding')
    for (const encoding of ['gzip', 'br, gzip;q=0.5', '*']) {
      const { head, body } = await ask('/v1/a/docs/x', encoding)
      expect(head).toContain('content-encoding: gzip')
      expect(head).toContain('vary: accept, accept-encoding')
      expect(/etag: .*/.exec(head)?.[0]).toBe(/etag: .*/.exec(plain.head)?.[0])
      expect(gunzipSync(body).equals(plain.body)).toBe(true)
    }
    for (const encoding of ['gzip;q=0, *', 'br', ''])
      expect((await ask('/v1/a/docs/x', encoding)).head).not.toContain('content-encoding')
    expect((await ask('/v1/a/docs/y', 'gzip')).head).not.toContain('content-encoding')
    const lines = await fetch(`${origin}/v1/a/changes?documents=true`)
    expect([
      lines.headers.get('content-encoding'),
      (await lines.text()).trimEnd().split('\n').length,
    ]).toEqual(['gzip', 2])
    const live = await fetch(`${origin}/v1/a/changes?documents=true&live=true`)
    expect([live.headers.get('content-encoding'), live.headers.get('cache-control')]).toEqual([
      null,
      'no-store, no-transform',
    ])
    for await (const line of linesOf(live)) if (line.includes('"y"')) break
  })

  test('of a body is refused, so that nothing swells', async () => {
    const { origin } = await startMirror(['a'])
    for (const [method, path] of [
      ['PUT', 'docs/x'],
      ['POST', 'docs'],
      ['POST', 'records'],
    ]) {
      const headers = { 'content-encoding': 'gzip', ...json }
      const answer = await fetch(`${origin}/v1/a/${path}`, { method: method!, headers, body: '{}' })
      expect([...(await failureOf(answer)), answer.headers.get('accept-encoding')]).toEqual([
        415,
        'MYNAH_MEDIA_TYPE_UNKNOWN',
        'identity',
      ])
    }
  })
})

describe('ids', () => {
  test('of dots, doubled slashes and prototypes are ids like others, as they stand in the path', async () => {
    const { origin } = await startMirror(['a'])
    for (const [path, id] of [
      ['.', '.'],
      ['..', '..'],
      ['%2e%2e', '..'],
      ['../../../b', '../../../b'],
      ['a//b', 'a//b'],
      ['a/', 'a/'],
      ['//', '//'],
      ['__proto__'.slice(1), '_proto__'],
      ['constructor', 'constructor'],
      ['x/__proto__', 'x/__proto__'],
      ['%25', '%'],
      ['%252F', '%2F'],
      ['a%3Fb%23c', 'a?b#c'],
    ] as const) {
      const written = await asWritten(origin, 'PUT', `/v1/a/docs/${path}?overwrite=true`, '{}')
      if (id.startsWith('_')) expect(written.status).toBe(400)
      else expect([path, written.json.id]).toEqual([path, id])
      const read = await asWritten(origin, 'GET', `/v1/a/docs/${path}`)
      if (!id.startsWith('_')) expect([path, read.status, read.json.id]).toEqual([path, 200, id])
    }
  })
})

describe('a database', () => {
  test('is made by a PUT, and gone after a DELETE, with all who follow it', async () => {
    const { origin } = await startMirror()
    const url = `${origin}/v1/a`
    expect(await failureOf(await fetch(url, { method: 'DELETE' }))).toEqual([404, 'MYNAH_DATABASE_UNKNOWN'])
    expect(await failureOf(await fetch(`${url}/docs/x`))).toEqual([404, 'MYNAH_DATABASE_UNKNOWN'])
    const made = await fetch(url, { method: 'PUT' })
    expect([made.status, made.headers.get('location')]).toEqual([201, '/v1/a'])
    const { id } = (await made.json()) as { id: string }
    expect((await fetch(url, { method: 'PUT' })).status).toBe(200)
    await fetch(`${url}/docs/x`, { method: 'PUT', headers: json, body: '{}' })
    const live = await Promise.all([
      fetch(`${url}/changes?live=true&since=now`),
      fetch(`${url}/records/live`),
    ])
    const ends = live.map((response) => response.text())
    const drops = await Promise.all([1, 2].map(() => fetch(url, { method: 'DELETE' })))
    expect(drops.map(({ status }) => status).sort()).toEqual([204, 404])
    await Promise.all(ends)
    expect((await fetch(`${url}/docs/x`)).status).toBe(404)
    expect(((await (await fetch(`${origin}/v1`)).json()) as { databases: unknown }).databases).toEqual([])
    const anew = await fetch(url, { method: 'PUT' })
    expect([anew.status, ((await anew.json()) as { id: string }).id === id]).toEqual([201, false])
    expect((await fetch(`${url}/docs/x`)).status).toBe(404)
  })
})

describe('what a database tells of itself', () => {
  test('is its conflicts, the history of a document, and how much it holds', async () => {
    const { origin } = await startMirror(['a'])
    const url = `${origin}/v1/a`
    const [one, two] = [
      await startPeer([{ id: 'x', n: 1 }, { id: 'y' }]),
      await startPeer([{ id: 'x', n: 2 }]),
    ]
    await push(url, one.replica)
    await push(url, two.replica)
    const lines = async (path: string) =>
      (await (await fetch(url + path)).text())
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    const conflicts = await lines('/conflicts')
    expect(conflicts).toMatchObject([{ id: 'x', missing: [] }])
    expect(conflicts[0].leaves.map(({ n }: { n: number }) => n).sort()).toEqual([1, 2])
    await fetch(`${url}/docs/y?overwrite=true`, { method: 'PUT', headers: json, body: '{"n":2}' })
    const history = await lines('/history/y?documents=true')
    expect(history).toMatchObject([{ deleted: false, doc: { n: 2 } }, { doc: { id: 'y' } }])
    expect(history[0].at.$date).toMatch(/^20/)
    expect(await lines('/history/y?limit=1')).toHaveLength(1)
    expect(await failureOf(await fetch(`${url}/history/z`))).toEqual([404, 'MYNAH_DOCUMENT_UNKNOWN'])
    const stats = (await (await fetch(`${url}/stats`)).json()) as Record<string, unknown>
    expect(stats).toMatchObject({ documents: 2, conflicts: 1, mode: 'mirror' })
  })

  test('is verified and compacted as one listens, one at a time', async () => {
    const { origin } = await startMirror(['a'])
    const docs = Array.from({ length: 2_000 }, (_, n) =>
      JSON.stringify({ id: `d${n}`, text: 'x'.repeat(200) }),
    )
    const headers = { 'content-type': 'application/x-ndjson' }
    for (const _ of [1, 2])
      await fetch(`${origin}/v1/a/docs?overwrite=true`, { method: 'POST', headers, body: docs.join('\n') })
    const post = (path: string) => fetch(`${origin}/v1/a/${path}`, { method: 'POST' })
    const answers = await Promise.all([post('compact'), post('compact')])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 503])
    const last = async (response: Response) =>
      JSON.parse((await response.text()).trimEnd().split('\n').at(-1)!)
    expect(await last(answers.find(({ status }) => status === 200)!)).toMatchObject({
      report: { segmentsRewritten: expect.any(Number) },
    })
    expect(await last(await post('verify'))).toMatchObject({ report: { ok: true, findings: [] } })
    expect((await post('verify?repair=perhaps')).status).toBe(400)
    const gone = new AbortController()
    const cut = await fetch(`${origin}/v1/a/verify`, { method: 'POST', signal: gone.signal })
    gone.abort()
    await expect(cut.text()).rejects.toThrow()
    const again = async () => {
      const answer = await post('verify')
      return [answer.status, await answer.text()][0]
    }
    await expect.poll(again).toBe(200)
  })
})

/** A request whose path nobody tidies up. */
async function asWritten(
  origin: string,
  method: string,
  path: string,
  body = '',
): Promise<{ readonly status: number; readonly json: { readonly id?: string } }> {
  const { hostname, port } = new URL(origin)
  const headers = body === '' ? {} : json
  return await new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers, agent: false }, async (answer) => {
      const text = (await answer.setEncoding('utf8').toArray()).join('')
      resolve({ status: answer.statusCode!, json: JSON.parse(text) })
    })
    sent.on('error', reject).end(body)
  })
}
