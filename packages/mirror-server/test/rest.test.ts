import { describe, expect, test } from 'vitest'
import { failureOf, linesOf, startMirror } from './fixture.js'

const json = { 'content-type': 'application/json' }

function put(url: string, doc: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method: 'PUT', headers: { ...json, ...headers }, body: JSON.stringify(doc) })
}

describe('a document', () => {
  test('is put, changed by its tag, and deleted', async () => {
    const { origin } = await startMirror(['a'])
    const url = `${origin}/v1/a/docs/x/y`
    const made = await put(url, { n: 1 })
    const first = (await made.json()) as { id: string; rev: string }
    expect([made.status, first.id, made.headers.get('etag')]).toEqual([201, 'x/y', `"${first.rev}"`])
    expect(made.headers.get('location')).toBe('/v1/a/docs/x%2Fy')
    expect((await fetch(new URL(made.headers.get('location')!, origin))).status).toBe(200)

    expect(await failureOf(await put(url, { n: 2 }))).toEqual([409, 'MYNAH_CONFLICT'])
    const tagged = { 'if-match': `"${first.rev}"` }
    const edits = await Promise.all([put(url, { n: 2 }, tagged), put(url, { n: 2 }, tagged)])
    expect(edits.map(({ status }) => status).sort()).toEqual([200, 409])
    const conflict = (await edits.find(({ status }) => status === 409)!.json()) as { rev: string }
    expect(conflict.rev).toMatch(/^2-/)

    expect((await put(url, { n: 3, rev: conflict.rev })).status).toBe(200)
    expect((await put(`${url}?overwrite=true`, { n: 4 })).status).toBe(200)
    const stale = await fetch(url, { method: 'DELETE', headers: tagged })
    expect(await failureOf(stale)).toEqual([409, 'MYNAH_CONFLICT'])
    const gone = await fetch(url, { method: 'DELETE' })
    expect([gone.status, ((await gone.json()) as { rev: string }).rev.slice(0, 2)]).toEqual([200, '5-'])
    expect((await fetch(url)).status).toBe(410)
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(404)
    expect((await put(url, { n: 5 })).status).toBe(200)
  })

  test('of a database that is called as the routes are is where its location says', async () => {
    const { origin } = await startMirror(['docs'])
    const made = await put(`${origin}/v1/docs/docs/x`, {})
    expect(made.headers.get('location')).toBe('/v1/docs/docs/x')
    const one = await fetch(`${origin}/v1/docs/%64ocs`, { method: 'POST', headers: json, body: '{"id":"y"}' })
    expect(one.headers.get('location')).toBe('/v1/docs/docs/y')
  })

  test('that cannot be is refused, and nothing changes', async () => {
    const { origin } = await startMirror(['a'])
    const url = `${origin}/v1/a/docs/x`
    const send = (body: string | Uint8Array<ArrayBuffer>, headers = json) =>
      fetch(url, { method: 'PUT', headers, body })
    for (const body of [
      '',
      '[]',
      '"text"',
      '{',
      '{"n":{"$date":"never"}}',
      '{"n":{"$bytes":"?"}}',
      '{"n":{"$bigint":"1.5"}}',
      `{"n":{"$bigint":"${'9'.repeat(100_000)}"}}`,
      '{"$x":1}',
      '{"n":{"$date":"2026-01-01T00:00:00Z","more":1}}',
      '['.repeat(1_000_000),
      `{"n":${'['.repeat(200)}${']'.repeat(200)}}`,
      '{"$date":"2026-01-01T00:00:00Z"}',
    ])
      expect([body.slice(0, 30), (await send(body)).status]).toEqual([body.slice(0, 30), 400])
    expect((await send(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]))).status).toBe(400)
    expect(await failureOf(await send('{"id":"other"}'))).toEqual([400, 'MYNAH_DOCUMENT_INVALID'])
    expect((await send('{}', { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await put(url, {}, { 'if-match': 'rev' })).status).toBe(400)
    expect((await put(url, {}, { 'if-none-match': '1-x' })).status).toBe(400)
    expect((await put(`${url}?overwrite=perhaps`, {})).status).toBe(400)
    expect((await put(`${origin}/v1/a/docs/_x`, {})).status).toBe(400)
    expect((await put(`${origin}/v1/none/docs/x`, {})).status).toBe(404)
    expect((await fetch(url, { method: 'POST', headers: json, body: '{}' })).status).toBe(405)
    expect((await fetch(url)).status).toBe(404)
    const proto = await send('{"__proto__":{"polluted":true},"constructor":1}')
    expect(proto.status).toBe(201)
    expect(await (await fetch(url)).text()).toMatch(/"__proto__":\{"polluted":true\},"constructor":1/)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })
})

describe('a collection', () => {
  test('takes one document, or lines of them with an outcome each', async () => {
    const { origin } = await startMirror(['a'])
    const url = `${origin}/v1/a/docs`
    const one = await fetch(url, { method: 'POST', headers: json, body: '{"n":1}' })
    const { id } = (await one.json()) as { id: string }
    expect([one.status, one.headers.get('location')]).toEqual([201, `/v1/a/docs/${id}`])
    const lines = ['{"id":"b","n":1}', '', 'no json', '{"id":"_c"}', '{"id":"b","n":2}', '{"id":"d"}'].join(
      '\n',
    )
    const many = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: lines,
    })
    const outcomes = (await many.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(outcomes.map(({ ok, code }) => code ?? ok)).toEqual([
      true,
      'MYNAH_MESSAGE_INVALID',
      'MYNAH_DOCUMENT_INVALID',
      'MYNAH_CONFLICT',
      true,
    ])
    const tooMany = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: '{}\n'.repeat(10_001),
    })
    expect(await failureOf(tooMany)).toEqual([413, 'MYNAH_REQUEST_TOO_LARGE'])
  })

  test('is read page by page', async () => {
    const { origin } = await startMirror(['a'])
    const url = `${origin}/v1/a/docs`
    const ids = Array.from({ length: 25 }, (_, n) => `d/${String(n).padStart(2, '0')}`)
    await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: ids.map((id) => JSON.stringify({ id })).join('\n'),
    })
    const found: string[] = []
    for (let next: string | undefined = ''; next !== undefined; ) {
      const page = await fetch(`${url}?limit=10&prefix=d/${next && `&gt=${encodeURIComponent(next)}`}`)
      const body = (await page.json()) as { docs: { id: string }[]; next?: string }
      found.push(...body.docs.map(({ id }) => id))
      next = body.next
    }
    expect(found).toEqual(ids)
    for (const query of ['limit=0', 'limit=x', 'reverse=2', 'missing=all', 'prefix=a&prefix=b'])
      expect([query, (await fetch(`${url}?${query}`)).status]).toEqual([query, 400])
  })
})

describe('changes', () => {
  test('come as server-sent events too, and go on after the last one that was seen', async () => {
    const { origin } = await startMirror(['a'])
    await put(`${origin}/v1/a/docs/x`, { n: 1 })
    await put(`${origin}/v1/a/docs/y`, { n: 2 })
    const url = `${origin}/v1/a/changes`
    const events = await fetch(`${url}?documents=true`, { headers: { accept: 'text/event-stream' } })
    expect(events.headers.get('content-type')).toMatch(/^text\/event-stream/)
    const blocks = (await events.text()).trimEnd().split('\n\n')
    expect(blocks).toHaveLength(2)
    const [cursorLine, data] = blocks[0]!.split('\n')
    expect(JSON.parse(data!.slice('data: '.length))).toMatchObject({ id: 'x', doc: { n: 1 } })
    const rest = await fetch(url, {
      headers: { accept: 'text/event-stream', 'last-event-id': cursorLine!.slice('id: '.length) },
    })
    expect((await rest.text()).match(/"id":"[xy]"/g)).toEqual(['"id":"y"'])
    expect(await failureOf(await fetch(`${url}?since=none`))).toEqual([410, 'MYNAH_CURSOR_LOST'])
  })

  test('that are live come as they are made, and end with the mirror', async () => {
    const { origin, server } = await startMirror(['a'])
    const response = await fetch(`${origin}/v1/a/changes?live=1&since=now`)
    const seen: string[] = []
    const reading = (async () => {
      for await (const line of linesOf(response))
        if (line !== '') seen.push((JSON.parse(line) as { id: string }).id)
    })()
    for (const id of ['x', 'y']) {
      await put(`${origin}/v1/a/docs/${id}`, {})
      await expect.poll(() => seen.at(-1)).toBe(id)
    }
    await server.close()
    await reading
    expect(seen).toEqual(['x', 'y'])
  })
})
