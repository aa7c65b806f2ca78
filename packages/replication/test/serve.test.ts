import { type Database, nodeEnv, open, StorageError } from '@mynah/core'
import { decodeRecords, encodeRecords, type FeedOptions, replicaOf } from '@mynah/core/replica'
import type { TransportAnswer } from '@mynah/replication'
import { DatabaseUnknownError } from '@mynah/replication'
import {
  decodeError,
  decodeInfo,
  decodeMissing,
  decodePushAnswer,
  encodeFetch,
  encodeLeaves,
  headers,
  mediaTypes,
  positionText,
  wireLimits,
} from '@mynah/replication/protocol'
import {
  follow,
  liveLines,
  type ServedMirror,
  type ServedRequest,
  serveRequest,
  serveStream,
} from '@mynah/replication/serve'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, rounds } from './manual-env.js'

const base = 'http://mirror.test/v1'
let opened: Map<string, Database>
let mirror: ServedMirror
beforeEach(() => {
  opened = new Map()
  const served = (name: string) => {
    const database = opened.get(name)
    if (database === undefined) throw new DatabaseUnknownError(name)
    return { name, database, replica: replicaOf(database) }
  }
  const databases = {
    names: async () => [...opened.keys()],
    get: async (name: string) => served(name),
    create: async (name: string) => {
      const created = !opened.has(name)
      if (created) opened.set(name, await open(':memory:', { mode: 'mirror' }))
      return { opened: served(name), created }
    },
  }
  mirror = { databases, version: '1.2.3', env: nodeEnv }
})
afterEach(async () => {
  for (const database of opened.values()) await database.close()
})

function ask(method: ServedRequest['method'], path: string, body?: Uint8Array, type?: string) {
  const sent = { 'content-type': type ?? mediaTypes.message, [headers.database]: '0'.repeat(32) }
  return serveRequest(mirror, { method, url: base + path, headers: sent, ...(body && { body }) })
}

const textOf = ({ body }: TransportAnswer) => new TextDecoder().decode(body)
const failureOf = (answer: TransportAnswer) => [answer.status, decodeError(textOf(answer)).code]

test('a whole exchange: make, push, ask, pull and fetch', async () => {
  expect((await ask('GET', '/a')).status).toBe(404)
  expect((await ask('PUT', '/a')).status).toBe(201)
  expect((await ask('PUT', '/a')).status).toBe(200)
  expect(JSON.parse(textOf(await ask('GET', '')))).toEqual({
    name: 'mynah',
    version: '1.2.3',
    protocol: 1,
    databases: ['a'],
  })
  const peer = await open(':memory:')
  const { rev } = await peer.put({ id: 'x', n: 1 })
  const { records } = await replicaOf(peer).feed({ since: 0, bodies: true })
  const shard = await encodeRecords(records, nodeEnv)
  const pushed = decodePushAnswer((await ask('POST', '/a/records', shard, mediaTypes.shard)).body)
  expect(pushed).toMatchObject({ before: 0, taken: 1, exceptions: [] })
  const info = await ask('GET', `/a?holds=${positionText(pushed.position)},${'0'.repeat(32)}.1`)
  expect(decodeInfo(textOf(info))).toMatchObject({ documents: 1, holds: [true, false] })
  const asked = encodeLeaves([
    { id: 'x', rev },
    { id: 'y', rev },
  ])
  expect(decodeMissing((await ask('POST', '/a/records/missing', asked)).body, 2)).toEqual([false, true])
  const pulled = await ask('GET', '/a/records?bodies=1')
  expect(pulled.headers).toMatchObject({
    [headers.position]: positionText(pushed.position),
    [headers.more]: '0',
  })
  const fetched = await ask('POST', '/a/records/fetch', encodeFetch([{ id: 'x' }]))
  for (const { body } of [pulled, fetched]) {
    expect(await decodeRecords(body, nodeEnv)).toMatchObject([{ id: 'x', rev, body: { n: 1 } }])
  }
  const none = await ask('POST', '/a/records/fetch', encodeFetch([{ id: 'y' }]))
  expect([none.status, none.body.length]).toEqual([204, 0])
  await peer.close()
})

test('what cannot be served is answered by its code, and makes nothing', async () => {
  const body = new Uint8Array(3)
  const huge = new Uint8Array(wireLimits.messageBytes + 1)
  await ask('PUT', '/a')
  const cases: readonly (readonly [Promise<TransportAnswer>, number, string])[] = [
    [ask('GET', '/b/records'), 404, 'MYNAH_DATABASE_UNKNOWN'],
    [ask('PUT', '/b?holds=x'), 400, 'MYNAH_MESSAGE_INVALID'],
    [ask('GET', '/a/nothing'), 404, 'MYNAH_ROUTE_UNKNOWN'],
    [ask('GET', '/%E0%A4%A'), 400, 'MYNAH_REQUEST_INVALID'],
    [ask('PUT', ''), 405, 'MYNAH_METHOD_UNKNOWN'],
    [ask('PUT', '/a/records'), 405, 'MYNAH_METHOD_UNKNOWN'],
    [ask('GET', '/a/records?since=x'), 400, 'MYNAH_MESSAGE_INVALID'],
    [ask('GET', '/a/records?bodies=0&bodies=1'), 400, 'MYNAH_MESSAGE_INVALID'],
    [ask('GET', `/a/records?since=${'0'.repeat(32)}.1`), 410, 'MYNAH_CURSOR_LOST'],
    [ask('POST', '/a/records', body, mediaTypes.shard), 400, 'MYNAH_MESSAGE_INVALID'],
    [ask('POST', '/a/records'), 400, 'MYNAH_MESSAGE_INVALID'],
    [ask('POST', '/a/records', body, 'text/plain'), 415, 'MYNAH_MEDIA_TYPE_UNKNOWN'],
    [ask('GET', '/a', body), 415, 'MYNAH_MEDIA_TYPE_UNKNOWN'],
    [ask('POST', '/a/records/missing', huge), 413, 'MYNAH_REQUEST_TOO_LARGE'],
  ]
  for (const [answer, status, code] of cases) expect(failureOf(await answer)).toEqual([status, code])
  expect([...opened.keys()]).toEqual(['a'])
})

test('a fault of this side tells its code and no file of this machine', async () => {
  const failing = (error: Error): ServedMirror => ({
    ...mirror,
    databases: { ...mirror.databases, get: () => Promise.reject(error) },
  })
  const request = { method: 'GET', url: `${base}/a`, headers: {} } as const
  const disk = await serveRequest(failing(new StorageError('/secret/file', 'read')), request)
  expect(failureOf(disk)).toEqual([503, 'MYNAH_STORAGE'])
  expect(textOf(disk)).not.toContain('secret')
  const bug = await serveRequest(failing(new TypeError('secret')), request)
  expect(failureOf(bug)).toEqual([500, 'MYNAH_INTERNAL'])
  expect(textOf(bug)).not.toContain('secret')
})

describe('the live stream', () => {
  const next = async (lines: AsyncIterator<Uint8Array>) => {
    const { value, done } = await lines.next()
    return done === true ? undefined : new TextDecoder().decode(value)
  }
  const at = (seq: number) => ({ incarnation: 'ab'.repeat(16), seq })
  const source = () => {
    const listeners = new Set<(position: ReturnType<typeof at>) => void>()
    return {
      listeners,
      position: () => at(1),
      onCommit: (listener: (position: ReturnType<typeof at>) => void) => {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
      feed: () => Promise.reject(new Error('nobody asks for it')),
    }
  }

  test('tells a slow reader only the newest, beats when quiet, and leaves nothing behind', async () => {
    const env = new ManualEnv()
    const replica = source()
    const over = new AbortController()
    const lines = liveLines(replica, { env, signal: over.signal })
    expect(await next(lines)).toContain('.1"')
    for (let seq = 2; seq < 100; seq++) for (const tell of replica.listeners) tell(at(seq))
    expect(await next(lines)).toContain('.99"')
    const quiet = next(lines)
    await rounds(2)
    await env.advance(wireLimits.heartbeatMs)
    expect(await quiet).toBe('\n')
    const last = next(lines)
    await rounds(2)
    over.abort()
    expect(await last).toBeUndefined()
    expect([env.timers, replica.listeners.size]).toEqual([0, 0])
  })

  test('tells only of ids that are followed, and where the history is another', async () => {
    const db = await open(':memory:', { mode: 'mirror' })
    const real = replicaOf(db)
    let incarnation: string | undefined
    const replica = {
      onCommit: real.onCommit.bind(real),
      feed: real.feed.bind(real),
      position: () => ({ ...real.position(), ...(incarnation && { incarnation }) }),
    }
    const env = new ManualEnv()
    const told: Record<string, number[]> = { a: [], none: [] }
    const stops = [
      follow(replica, { env, prefixes: ['a/'], tell: ({ seq }) => void told.a!.push(seq) }),
      follow(replica, { env, prefixes: [], tell: ({ seq }) => void told.none!.push(seq) }),
    ]
    const put = async (id: string) => {
      await db.put({ id })
      await rounds()
      await env.advance(1_000)
      await rounds()
    }
    for (const id of ['b/1', 'a/1', 'b/2', 'a', 'a/2']) await put(id)
    expect(told).toEqual({ a: [0, 2, 5], none: [0] })
    for (let n = 0; n < 20; n++) await db.put({ id: `a/many-${n}` })
    await rounds()
    await env.advance(1_000)
    await rounds()
    expect(told.a!.at(-1)).toBe(25)
    expect(told.a!.length).toBeLessThan(6)
    incarnation = 'cd'.repeat(16)
    await put('b/3')
    expect([told.a!.at(-1), told.none!.at(-1)]).toEqual([26, 26])
    for (const { stop } of stops) stop()
    expect(env.timers).toBe(0)
    await db.close()
  })

  test('says no sign of life while something that was committed is not looked at', async () => {
    const db = await open(':memory:', { mode: 'mirror' })
    const env = new ManualEnv()
    const over = new AbortController()
    const lines = liveLines(replicaOf(db), { env, prefixes: ['a/'], signal: over.signal })
    expect(await next(lines)).toContain('.0"')
    const told = next(lines)
    await rounds()
    // A look at what is not followed, right before the heartbeat; in its rest comes what is.
    await env.advance(wireLimits.heartbeatMs - 1)
    await db.put({ id: 'b/1' })
    await rounds()
    await db.put({ id: 'a/1' })
    await env.advance(1)
    expect(await told).toContain('.2"')
    const quiet = next(lines)
    await rounds()
    await env.advance(wireLimits.heartbeatMs - 1)
    await db.put({ id: 'b/2' })
    await env.advance(1)
    expect(await quiet).toBe('\n')
    over.abort()
    await lines.return()
    await db.close()
  })

  test('goes on after a look that failed', async () => {
    const db = await open(':memory:', { mode: 'mirror' })
    const real = replicaOf(db)
    let fails = true
    const replica = {
      onCommit: real.onCommit.bind(real),
      position: real.position.bind(real),
      feed: (options: FeedOptions) =>
        fails ? Promise.reject(new Error('the disk fails')) : real.feed(options),
    }
    const env = new ManualEnv()
    const told: number[] = []
    const { stop } = follow(replica, { env, prefixes: ['a/'], tell: ({ seq }) => void told.push(seq) })
    for (const id of ['b/1', 'b/2', 'a/1', 'b/3', 'a/2']) {
      await db.put({ id })
      await rounds()
      await env.advance(1_000)
      await rounds()
      fails = false
    }
    expect(told).toEqual([0, 1, 3, 5])
    stop()
    await db.close()
  })

  test('of a database that is not there is an answer that ends', async () => {
    const { signal } = new AbortController()
    const request = { method: 'GET', url: `${base}/a/records/live`, headers: {} } as const
    const none = await serveStream(mirror, request, signal)
    expect(none.status).toBe(404)
    const chunks = []
    for await (const chunk of none.body) chunks.push(chunk)
    expect(chunks).toHaveLength(1)
    await ask('PUT', '/a')
    expect(await serveStream(mirror, request, signal)).toMatchObject({ status: 200 })
    expect(await serveStream(mirror, { ...request, url: `${base}/a` }, signal)).toMatchObject({ status: 404 })
    expect(await serveStream(mirror, { ...request, method: 'PUT' }, signal)).toMatchObject({ status: 405 })
  })
})
