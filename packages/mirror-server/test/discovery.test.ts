import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { open } from '@mynah/core'
import { httpTransport, type Lookup, type ReplicateOptions, replicate } from '@mynah/replication'
import { decodeInfo } from '@mynah/replication/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { startMirror } from './fixture.js'

const WAIT = { timeout: 15_000 }

/** Names lead where the test says; `looked` are those that were looked up. */
function names(addresses: Readonly<Record<string, string>>) {
  const looked: string[] = []
  const lookup: Lookup = (hostname, _options, callback) => {
    looked.push(hostname)
    const address = addresses[hostname]
    if (address === undefined) callback(new Error(`${hostname} is not found`), [])
    else callback(null, [{ address, family: 4 }])
  }
  return { lookup, looked }
}

/** Something that listens, and is no mirror; how many came. */
async function stranger() {
  let connections = 0
  const server = createServer((_, response) => response.writeHead(200).end('{}'))
  server.on('connection', () => {
    connections += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { port: (server.address() as AddressInfo).port, connections: () => connections }
}

async function startPeer(options: ReplicateOptions) {
  const db = await open(':memory:')
  onTestFinished(() => db.close())
  const replication = await replicate(db, { discovery: 'same-token', ...options })
  onTestFinished(() => replication.close())
  return { db, replication, known: () => replication.mirrors().map(({ url }) => url) }
}

test('a mirror names those that it follows, and with --advertise those that it is told', async () => {
  const mirrorOf = [{ url: 'http://127.0.0.1:1', token: 'secret' }, { url: 'http://127.0.0.1:2/v1/other' }]
  const { origin } = await startMirror(['a'], { mirrorOf })
  const told = async (at: string) => decodeInfo(await (await fetch(`${at}/v1/a`)).text()).mirrors
  expect(await told(origin)).toEqual(['http://127.0.0.1:1/v1/a'])
  const advertise = ['https://m.example/base', 'https://n.example/v1/b', 'https://n.example/v1/a']
  const other = await startMirror(['a'], { mirrorOf, advertise })
  expect(await told(other.origin)).toEqual(['https://m.example/base/v1/a', 'https://n.example/v1/a'])
  await expect(startMirror([], { advertise: ['https://user:secret@m.example'] })).rejects.toThrow(
    /^((?!secret).)*m\.example$/,
  )
})

test('a peer that knows one mirror goes on with the other when that is gone', async () => {
  const second = await startMirror(['a'])
  const first = await startMirror(['a'], { mirrorOf: [{ url: second.origin }] })
  const url = `${first.origin}/v1/a`
  const { db, replication, known } = await startPeer({ mirrors: [url] })
  await db.put({ id: 'early' })
  await replication.synced()
  await expect.poll(known, WAIT).toEqual([url, `${second.origin}/v1/a`])
  await first.server.close()
  await db.put({ id: 'late' })
  await replication.synced()
  expect((await fetch(`${second.origin}/v1/a/docs/late`)).status).toBe(200)
})

test('a name that leads to this machine is of no use to a mirror with a name', async () => {
  const victim = await stranger()
  const advertise = [`http://inner.example:${victim.port}`, `http://127.0.0.1:${victim.port}`]
  // It has no token, and is asked by a name: a mirror that all pages may ask, too.
  const { origin } = await startMirror(['a'], { advertise, cors: ['*'] })
  const { port } = new URL(origin)
  const { lookup, looked } = names({ 'outer.example': '127.0.0.1', 'inner.example': '127.0.0.1' })
  const url = `http://outer.example:${port}/v1/a`
  const { db, replication, known } = await startPeer({ mirrors: [url], transport: httpTransport({ lookup }) })
  await db.put({ id: 'x' })
  await replication.synced()
  await expect.poll(known, WAIT).toEqual([url, `http://inner.example:${victim.port}/v1/a`])
  // Two are wanted, so the other is tried.
  const waiting = replication.synced({ mirrors: 2 })
  waiting.catch(() => {})
  const state = () => replication.mirrors()[1]!
  await expect.poll(() => state().error?.message, WAIT).toMatch(/may not name/)
  expect(looked).toContain('inner.example')
  expect(victim.connections()).toBe(0)
})

test('a name that leads elsewhere later is of no use then', async () => {
  const victim = await stranger()
  const addresses: Record<string, string> = { 'other.example': '127.0.0.1' }
  const { lookup } = names(addresses)
  const transport = httpTransport({ lookup })
  onTestFinished(() => transport.close())
  const ask = () =>
    transport.request({
      method: 'GET',
      url: `http://other.example:${victim.port}/v1/a`,
      // A connection that stays open was looked up before.
      headers: { connection: 'close' },
      answerBytesMax: 1_000,
      signal: new AbortController().signal,
      within: ['loopback'],
    })
  expect((await ask()).status).toBe(200)
  for (const address of ['10.0.0.1', '169.254.169.254', '::ffff:10.0.0.1', '8.8.8.8', '0.0.0.0']) {
    addresses['other.example'] = address
    await expect(ask()).rejects.toThrow('may not name')
  }
  addresses['other.example'] = '127.0.0.1'
  expect((await ask()).status).toBe(200)
  expect(victim.connections()).toBe(2)
})

test('an address is held against the rule also where nothing is looked up, and where another stands first', async () => {
  const victim = await stranger()
  const both: Lookup = (_hostname, _options, callback) =>
    callback(null, [
      { address: '10.0.0.1', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ])
  const transport = httpTransport({ lookup: both })
  onTestFinished(() => transport.close())
  const ask = (host: string, within: readonly ['loopback' | 'public']) => {
    const { signal } = new AbortController()
    const url = `http://${host}:${victim.port}/v1/a`
    return transport.request({ method: 'GET', url, headers: {}, answerBytesMax: 1_000, signal, within })
  }
  await expect(ask('127.0.0.1', ['public'])).rejects.toThrow('may not name')
  await expect(ask('[::ffff:127.0.0.1]', ['public'])).rejects.toThrow('may not name')
  expect((await ask('127.0.0.1', ['loopback'])).status).toBe(200)
  expect((await ask('other.example', ['loopback'])).status).toBe(200)
})

test('a token is sent to no other port', async () => {
  const victim = await stranger()
  const { origin } = await startMirror(['a'], {
    token: 'secret',
    advertise: [`http://127.0.0.1:${victim.port}`],
  })
  const url = `${origin}/v1/a`
  const { db, replication, known } = await startPeer({ mirrors: [{ url, token: 'secret' }] })
  await db.put({ id: 'x' })
  await replication.synced()
  await expect(replication.synced({ mirrors: 2 })).rejects.toMatchObject({ code: 'MYNAH_MIRRORS_TOO_FEW' })
  expect(known()).toEqual([url])
  expect(victim.connections()).toBe(0)
})
