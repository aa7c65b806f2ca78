import { nodeEnv, open } from '@mynah/core'
import { encodeRecords, replicaOf } from '@mynah/core/replica'
import {
  decodeInfo,
  decodeMissing,
  decodePushAnswer,
  encodeFetch,
  encodeLeaves,
  headers,
  mediaTypes,
  parsePosition,
  positionText,
} from '@mynah/replication/protocol'
import { describe, expect, test } from 'vitest'
import { failureOf, linesOf, postRecords, push, recordsOf, startMirror, startPeer } from './fixture.js'

const message = (path: string, body: Uint8Array) =>
  fetch(path, { method: 'POST', headers: { 'content-type': mediaTypes.message }, body })

describe('databases', () => {
  test('are made once, listed, and told about', async () => {
    const { origin } = await startMirror()
    expect((await fetch(`${origin}/v1/sensors`)).status).toBe(404)
    const made = await fetch(`${origin}/v1/sensors`, { method: 'PUT' })
    expect(made.status).toBe(201)
    const info = decodeInfo(await made.text())
    expect(info).toMatchObject({ name: 'sensors', mode: 'mirror', protocol: 1, documents: 0 })
    expect((await fetch(`${origin}/v1/sensors`, { method: 'PUT' })).status).toBe(200)
    expect(decodeInfo(await (await fetch(`${origin}/v1/sensors`)).text()).id).toBe(info.id)
    const root = await fetch(`${origin}/v1`)
    expect(await root.json()).toMatchObject({ name: 'mynah', protocol: 1, databases: ['sensors'] })
  })

  test('are not made by asking', async () => {
    const { origin } = await startMirror()
    expect(await failureOf(await fetch(`${origin}/v1/none`))).toEqual([404, 'MYNAH_DATABASE_UNKNOWN'])
    expect(await failureOf(await fetch(`${origin}/v1/none/records`))).toEqual([404, 'MYNAH_DATABASE_UNKNOWN'])
    expect(await (await fetch(`${origin}/v1`)).json()).toMatchObject({ databases: [] })
  })

  test('say which positions they hold, in order', async () => {
    const { origin } = await startMirror(['a'])
    const { replica } = await startPeer([{ id: 'x' }])
    const { position } = await push(`${origin}/v1/a`, replica)
    const foreign = `${'0'.repeat(32)}.1`
    const late = positionText({ ...position, seq: position.seq + 1 })
    const holds = [foreign, positionText(position), late].join(',')
    const info = decodeInfo(await (await fetch(`${origin}/v1/a?holds=${holds}`)).text())
    expect(info.holds).toEqual([false, true, false])
    expect(info.documents).toBe(1)
  })
})

describe('a push', () => {
  test('is taken, and once more changes nothing', async () => {
    const { origin } = await startMirror(['a'])
    const { replica } = await startPeer(Array.from({ length: 50 }, (_, n) => ({ id: `d${n}`, n })))
    const first = await push(`${origin}/v1/a`, replica)
    expect(first).toMatchObject({ taken: 50, exceptions: [] })
    expect(first.position.seq - first.before).toBe(50)
    const second = await push(`${origin}/v1/a`, replica)
    expect(second).toMatchObject({ taken: 0, exceptions: [], position: first.position })
  })

  test('tells which records cannot be attached, and takes them whole', async () => {
    const { origin } = await startMirror(['a'])
    const { database, replica } = await startPeer([{ id: 'x', n: 1 }])
    await database.put({ id: 'x', n: 2 }, { overwrite: true })
    const { seq } = replica.position()
    await database.put({ id: 'x', n: 3 }, { overwrite: true })
    const short = await replica.feed({ since: seq, bodies: true })
    const detached = await postRecords(`${origin}/v1/a`, await encodeRecords(short.records, nodeEnv))
    expect(decodePushAnswer(new Uint8Array(await detached.arrayBuffer()))).toMatchObject({
      taken: 0,
      exceptions: [{ index: 0, code: 'MYNAH_DETACHED' }],
    })
    const whole = await replica.feed({ since: seq, bodies: true, whole: true })
    const taken = await postRecords(`${origin}/v1/a`, await encodeRecords(whole.records, nodeEnv), {
      query: '?whole=1',
    })
    expect(decodePushAnswer(new Uint8Array(await taken.arrayBuffer()))).toMatchObject({
      taken: 1,
      exceptions: [],
    })
  })

  test('may not bring stubs', async () => {
    const { origin } = await startMirror(['a'])
    const { replica } = await startPeer([{ id: 'x' }])
    const stubs = await replica.feed({ since: 0, bodies: false })
    const answer = await postRecords(`${origin}/v1/a`, await encodeRecords(stubs.records, nodeEnv))
    expect(decodePushAnswer(new Uint8Array(await answer.arrayBuffer()))).toMatchObject({
      taken: 0,
      exceptions: [{ index: 0 }],
    })
  })
})

describe('a pull', () => {
  test('gives pages until there is no more, and then nothing', async () => {
    const { origin } = await startMirror(['a'])
    const { replica } = await startPeer(
      Array.from({ length: 40 }, (_, n) => ({ id: `d${n}`, text: 'x'.repeat(500) })),
    )
    const { position } = await push(`${origin}/v1/a`, replica)
    const ids: string[] = []
    let since = ''
    let pages = 0
    for (let more = true; more; pages++) {
      const response = await fetch(`${origin}/v1/a/records?bodies=1&bytes=4000${since}`)
      for (const record of await recordsOf(response)) {
        expect(record.kind).toBe('revision')
        ids.push(record.id)
      }
      since = `&since=${response.headers.get(headers.position)}`
      more = response.headers.get(headers.more) === '1'
    }
    expect(pages).toBeGreaterThan(2)
    expect(ids.sort()).toEqual(Array.from({ length: 40 }, (_, n) => `d${n}`).sort())
    const end = await fetch(`${origin}/v1/a/records?${since.slice(1)}`)
    expect([end.status, end.headers.get(headers.more)]).toEqual([204, '0'])
    expect(parsePosition(end.headers.get(headers.position) ?? '')).toEqual(position)
  })

  test('gives stubs unless asked for bodies, and only what has one of the prefixes', async () => {
    const { origin } = await startMirror(['a'])
    const { replica } = await startPeer([{ id: 'a/1' }, { id: 'b/1' }, { id: 'ü/1' }])
    await push(`${origin}/v1/a`, replica)
    const response = await fetch(`${origin}/v1/a/records?prefix=a/&prefix=%C3%BC`)
    const records = await recordsOf(response)
    expect(records.map(({ kind, id }) => [kind, id]).sort()).toEqual([
      ['stub', 'a/1'],
      ['stub', 'ü/1'],
    ])
  })

  test('from another history is gone', async () => {
    const { origin } = await startMirror(['a'])
    const response = await fetch(`${origin}/v1/a/records?since=${'0'.repeat(32)}.1`)
    expect(await failureOf(response)).toEqual([410, 'MYNAH_CURSOR_LOST'])
  })
})

describe('leaves', () => {
  test('are asked for by name: what is missing, and what is in them', async () => {
    const { origin } = await startMirror(['a'])
    const { database, replica } = await startPeer([{ id: 'x', n: 1 }])
    await push(`${origin}/v1/a`, replica)
    const x = (await database.get('x'))!
    const y = await database.put({ id: 'y' })
    const asked = [x, y].map(({ id, rev }) => ({ id, rev }))
    const missing = await message(`${origin}/v1/a/records/missing`, encodeLeaves(asked))
    expect(decodeMissing(new Uint8Array(await missing.arrayBuffer()), 2)).toEqual([false, true])
    const fetched = await message(`${origin}/v1/a/records/fetch`, encodeFetch([...asked, { id: 'x' }]))
    expect((await recordsOf(fetched)).map(({ id, rev, body }) => [id, rev, body])).toEqual([
      ['x', x.rev, { n: 1 }],
      ['x', x.rev, { n: 1 }],
    ])
    const none = await message(`${origin}/v1/a/records/fetch?whole=1`, encodeFetch([{ id: 'y' }]))
    expect(none.status).toBe(204)
  })

  test('that do not fit into one answer are left out', async () => {
    const { origin } = await startMirror(['a'])
    const text = 'x'.repeat(3_000_000)
    const { replica } = await startPeer(Array.from({ length: 4 }, (_, n) => ({ id: `d${n}`, n, text })))
    await push(`${origin}/v1/a`, replica)
    const items = Array.from({ length: 4 }, (_, n) => ({ id: `d${n}` }))
    const records = await recordsOf(await message(`${origin}/v1/a/records/fetch`, encodeFetch(items)))
    expect(records.map(({ id }) => id)).toEqual(['d0', 'd1'])
  })
})

describe('the live stream', () => {
  test('tells the position at once and after each commit', async () => {
    const { origin } = await startMirror(['a'])
    const lines = linesOf(await fetch(`${origin}/v1/a/records/live`))
    const next = async () => {
      const { value } = await lines.next()
      return parsePosition((JSON.parse(value!) as { position: string }).position)
    }
    const first = await next()
    const { replica } = await startPeer([{ id: 'x' }])
    const { position } = await push(`${origin}/v1/a`, replica)
    expect(position.seq).toBeGreaterThan(first!.seq)
    expect(await next()).toEqual(position)
    await lines.return(undefined)
  })

  test('ends with the server', async () => {
    const { origin, server } = await startMirror(['a'])
    const lines = linesOf(await fetch(`${origin}/v1/a/records/live`))
    await lines.next()
    const closed = server.close()
    expect((await lines.next()).done).toBe(true)
    await closed
  })
})

test('health is answered, and says nothing else', async () => {
  const { origin } = await startMirror()
  expect(await (await fetch(`${origin}/health`)).json()).toEqual({ ok: true })
})

test('what was pushed is there after a restart, under the same id', async () => {
  const { origin, server, data } = await startMirror(['a'])
  const { replica } = await startPeer([{ id: 'x', n: 1 }])
  const { position } = await push(`${origin}/v1/a`, replica)
  const before = decodeInfo(await (await fetch(`${origin}/v1/a`)).text())
  await server.close()
  const again = await startMirror([], { data })
  const after = decodeInfo(await (await fetch(`${again.origin}/v1/a?holds=${positionText(position)}`)).text())
  expect(after).toMatchObject({ id: before.id, documents: 1, holds: [true] })
  await again.server.close()
  const database = await open(`${data}/a`)
  expect(await database.get('x')).toMatchObject({ n: 1 })
  expect(replicaOf(database).mode).toBe('mirror')
  await database.close()
})
