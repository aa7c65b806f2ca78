import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { type Database, open } from '@mynah/core'
import {
  httpTransport,
  type ReplicateOptions,
  type Replication,
  replicate,
  type Transport,
  type TransportRequest,
} from '@mynah/replication'
import { expect, onTestFinished, test } from 'vitest'
import { type Running, startMirror } from './fixture.js'

/** A mirror with so many documents, and what it is asked, as `METHOD path`. */
async function mirrorWith(documents: number, bytes = 0) {
  const mirror = await startMirror(['a'])
  const url = `${mirror.origin}/v1/a`
  const text = (n: number) =>
    Array.from({ length: bytes / 64 }, (_, part) => createHash('sha256').update(`${n}.${part}`).digest('hex'))
  const writer = await open(':memory:')
  await writer.putMany(
    Array.from({ length: documents }, (_, n) => ({ id: `d${n}`, n, text: text(n).join('') })),
  )
  const replication = await replicate(writer, { mirrors: [url], scope: { prefixes: [] } })
  await replication.synced()
  await writer.close()
  const asked: string[] = []
  mirror.server.server.on('request', ({ method, url: path }) =>
    asked.push(`${method} ${path?.replace(/\?.*$/, '').replace('/v1/a', '')}`),
  )
  return { ...mirror, url, asked, fetches: () => asked.filter((one) => one === 'POST /records/fetch').length }
}

async function peerOf(url: string, options: ReplicateOptions = {}) {
  const db = await open(':memory:')
  onTestFinished(() => db.close())
  const replication = await replicate(db, { mirrors: [url], ...options })
  onTestFinished(() => replication.close())
  return { db, replication }
}

/** A peer that knows all and holds nothing. */
async function knowingPeer(url: string, options: ReplicateOptions = {}) {
  const peer = await peerOf(url, options)
  await peer.replication.sync()
  return peer
}

/** In a mirror's place: accepts connections and never answers. */
async function silentServer(port = 0): Promise<string> {
  const sockets = new Set<{ destroy(): void }>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.resume()
  })
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(port, '127.0.0.1', resolve),
  )
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/v1/a`
}

/** The same at the mirror's own address: it went silent. */
async function fallsSilent({ server, origin }: Running): Promise<void> {
  await server.close()
  await silentServer(Number(new URL(origin).port))
}

async function tookMs(run: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await run()
  return performance.now() - begun
}

async function offline(db: Database, replication: Replication): Promise<void> {
  await expect.poll(() => replication.status().state).toBe('offline')
  await expect.poll(() => db.read('d0', { freshness: 'mirror' })).toMatchObject({ from: 'local' })
}

test('many who read one missing document share one fetch', async () => {
  const { url, fetches } = await mirrorWith(3)
  const { db } = await knowingPeer(url)
  const docs = await Promise.all(Array.from({ length: 500 }, () => db.get('d1')))
  expect(docs.every((doc) => doc?.n === 1)).toBe(true)
  expect(fetches()).toBe(1)
})

test('getMany of a thousand missing documents is a few requests, and none the second time', async () => {
  const { url, fetches } = await mirrorWith(1_000)
  const { db } = await knowingPeer(url)
  const ids = Array.from({ length: 1_000 }, (_, n) => `d${n}`)
  expect((await db.getMany(ids)).map((doc) => doc?.n)).toEqual(ids.map((_, n) => n))
  const once = fetches()
  expect(once).toBeLessThanOrEqual(4)
  expect(await db.getMany(ids)).toHaveLength(1_000)
  expect(fetches()).toBe(once)
})

test('a read overtakes a copy that is under way', async () => {
  const { url, fetches } = await mirrorWith(300, 1_024)
  const http = httpTransport()
  const waiting: string[] = []
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  // All background work hangs at the mirror.
  const isCopy = ({ url: asked }: TransportRequest) => /\/(shards|records|ranges)(\?|$)/.test(asked)
  const transport: Transport = {
    request: async (request) => {
      const answer = await http.request(request)
      if (isCopy(request)) {
        waiting.push(request.url)
        await released
      }
      return answer
    },
    stream: (request) => http.stream(request),
    close: () => http.close(),
  }
  const { db, replication } = await peerOf(url, { hold: 'all', transport })
  await expect.poll(() => waiting.length).toBeGreaterThan(0)
  const read = await db.read('d299', { waitMs: 10_000 })
  expect(read).toMatchObject({ doc: { n: 299 }, current: true, from: 'mirror' })
  expect(fetches()).toBe(1)
  expect(replication.status().state).toBe('active')
  release()
  await replication.sync()
  expect(await db.count()).toBe(300)
})

test('before the first complete exchange: nothing is current but what the mirror said just now', async () => {
  const { url } = await mirrorWith(2)
  const db = await open(':memory:')
  onTestFinished(() => db.close())
  await db.put({ id: 'd0', mine: true })
  const silent = await silentServer()
  const replication = await replicate(db, { mirrors: [silent] })
  onTestFinished(() => replication.close())
  const held = await db.read('d0', { waitMs: 50 })
  expect(held).toMatchObject({ doc: { mine: true }, current: false, from: 'local', asOf: undefined })
  await expect(db.read('d0', { waitMs: 50, strict: true })).rejects.toMatchObject({ code: 'MYNAH_STALE' })
  await expect(db.read('d1', { waitMs: 50 })).rejects.toMatchObject({ code: 'MYNAH_UNREACHABLE' })
  expect(await db.read('d1', { freshness: 'local' })).toMatchObject({ current: false, asOf: undefined })
  await replication.removeMirror(silent)
  await replication.addMirror(url)
  const said = await db.read('d1', { freshness: 'mirror', waitMs: 10_000 })
  expect(said).toMatchObject({ doc: { n: 1 }, current: true, from: 'mirror', asOf: expect.any(Date) })
})

test('outside the scope: the mirror is asked each time, and without it nothing is current', async () => {
  const { url, server, asked } = await mirrorWith(2)
  const { db, replication } = await knowingPeer(url, { scope: { prefixes: ['other/'] } })
  for (let n = 0; n < 2; n++) {
    const before = asked.length
    expect(await db.read('d0')).toMatchObject({ doc: { n: 0 }, current: true, from: 'mirror' })
    expect(asked.length - before).toBeGreaterThanOrEqual(1)
  }
  const absent = await db.read('other/none')
  expect(absent).toMatchObject({ current: true, from: 'local' })
  expect(absent.doc).toBeUndefined()
  await server.close()
  await offline(db, replication)
  expect(await db.read('d0')).toMatchObject({ doc: { n: 0 }, current: false, from: 'local' })
  await expect(db.get('d0', { strict: true })).rejects.toMatchObject({ code: 'MYNAH_STALE' })
})

test('offline: what is held is current as of the last contact, asked afresh it is not', async () => {
  const mirror = await mirrorWith(2)
  const { db, replication } = await knowingPeer(mirror.url)
  await db.get('d0')
  await mirror.server.close()
  await offline(db, replication)
  const begun = Date.now()
  const held = await db.read('d0', { strict: true })
  expect(held).toMatchObject({ doc: { n: 0 }, current: true, from: 'local' })
  expect(held.asOf!.getTime()).toBeLessThanOrEqual(begun)
  expect(await db.read('d0', { freshness: 'mirror' })).toMatchObject({
    doc: { n: 0 },
    current: false,
    from: 'local',
  })
  await expect(db.read('d0', { freshness: 'mirror', strict: true })).rejects.toMatchObject({
    code: 'MYNAH_STALE',
  })
  await expect(db.get('d1')).rejects.toMatchObject({ code: 'MYNAH_UNREACHABLE' })
  const local = await db.read('d1', { freshness: 'local' })
  expect(local).toMatchObject({ current: false, from: 'local' })
  await expect(db.read('d1', { freshness: 'local', strict: true })).rejects.toMatchObject({
    code: 'MYNAH_STALE',
  })
})

test('a mirror that accepts and never answers costs a read its waitMs', async () => {
  const mirror = await mirrorWith(2)
  const { db } = await knowingPeer(mirror.url)
  await db.get('d0')
  await fallsSilent(mirror)
  for (const waitMs of [100, 700]) {
    let read: unknown
    const ms = await tookMs(async () => {
      read = await db.read('d0', { freshness: 'mirror', waitMs })
    })
    expect(read).toMatchObject({ doc: { n: 0 }, current: false, from: 'local' })
    expect(ms).toBeLessThan(waitMs + 1_000)
  }
  const many = await tookMs(() => expect(db.getMany(['d0', 'd1'], { waitMs: 300 })).rejects.toThrow())
  expect(many).toBeLessThan(1_500)
})

test.each(['local', 'index', 'mirror'] as const)('%s: an aborted signal ends a read', async (freshness) => {
  const { db } = await peerOf(await silentServer())
  const reason = new Error('no more')
  await expect(db.read('d', { freshness, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  if (freshness === 'local') return
  const abort = new AbortController()
  const options = { freshness, signal: abort.signal, waitMs: 600_000 }
  const reads = [db.read('d', options), db.get('d', options), db.getMany(['d', 'e'], options)]
  const ended = Promise.all(reads.map((read) => expect(read).rejects.toBe(reason)))
  abort.abort(reason)
  await ended
})
