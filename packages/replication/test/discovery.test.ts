import type { Database } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import type { ReplicateOptions, Transport, TransportRequest } from '@mynah/replication'
import { decodeInfo, encodeInfo } from '@mynah/replication/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import type { MemoryMirror } from './memory-mirror.js'
import { isLive, isQuiet, known, Rig } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

const at = (host: string) => `${host.includes(':/') ? host : `https://${host}`}/v1/sensors`
const first = at('first.example')

/** A peer that was given some mirrors, of the hosts that answer; keeps what was asked of each origin. */
async function peer(
  hosts: Readonly<Record<string, MemoryMirror>>,
  options: ReplicateOptions & { readonly db?: Database; readonly env?: ManualEnv } = {},
) {
  const asked: { readonly origin: string; readonly request: TransportRequest }[] = []
  const to = (request: TransportRequest): MemoryMirror => {
    const { origin } = new URL(request.url)
    asked.push({ origin, request })
    const mirror = hosts[origin]
    if (mirror === undefined) throw new Error('connection refused')
    return mirror
  }
  const transport: Transport = {
    request: async (request) => to(request).request(request),
    stream: async (request) => to(request).stream(request),
    close: async () => undefined,
  }
  const { db = await rig.database(), env = new ManualEnv() } = options
  const settings = { discovery: 'same-token', mirrors: [first], ...options, transport, env } as const
  const replication = await rig.replicate(db, Object.values(hosts)[0]!, settings)
  const known = () => replication.mirrors().map(({ url }) => url)
  const to_ = (origin: string) => asked.filter((one) => one.origin === origin).map(({ request }) => request)
  return { db, env, replication, known, asked: to_ }
}

async function pair() {
  const [one, other] = [await rig.mirror(), await rig.mirror()]
  one.names = [at('second.example')]
  return { one, other, hosts: { 'https://first.example': one, 'https://second.example': other } }
}

describe('a mirror that another names', () => {
  test('is used when the one that names it is gone, and what is learnt is remembered', async () => {
    const { one, other, hosts } = await pair()
    const folder = await rig.folder()
    const db = await rig.database('peer', folder)
    const before = await peer(hosts, { db })
    await until(() => isLive(before.replication) && before.known().length === 2)
    expect(before.replication.mirrors()[1]).toMatchObject({ url: at('second.example'), namedBy: first })
    await before.replication.close()
    await db.close()
    one.fault = () => 'refuse'
    one.cut()
    const again = await rig.database('peer', folder)
    const after = await peer(hosts, { db: again, mirrors: [] })
    expect(after.known()).toEqual([first, at('second.example')])
    await again.put({ id: 'a' })
    const synced = after.replication.synced()
    await until(() => other.asked.length > 0)
    await synced
    expect(await known(other.database)).toEqual(await known(again))
    // It may not lie elsewhere than where the one that named it may name.
    for (const { within } of after.asked('https://second.example')) expect(within).toEqual(['public'])
    for (const { within } of after.asked('https://first.example')) expect(within).toBeUndefined()
  })

  test('is not used unless the application says so', async () => {
    const { hosts } = await pair()
    const off = await peer(hosts, { discovery: 'off' })
    await until(() => isLive(off.replication) && isQuiet(off.replication))
    await off.env.advance(3_600_000)
    expect(off.known()).toEqual([first])
    expect(off.asked('https://second.example')).toEqual([])
  })

  test('is forgotten when it is named no more, and with the one that named it', async () => {
    const { one, hosts } = await pair()
    const { replication, env, known } = await peer(hosts)
    await until(() => known().length === 2)
    one.names = [at('third.example')]
    const told = one.asked.length
    one.cut()
    while (one.asked.length < told + 3) await env.advance(100)
    // Not sooner than a minute after the last change.
    expect(known()).toEqual([first, at('second.example')])
    await env.advance(60_000)
    await replication.sync()
    one.cut()
    while (known()[1] !== at('third.example')) await env.advance(100)
    expect(known()).toEqual([first, at('third.example')])
    await replication.removeMirror(first)
    expect(known()).toEqual([])
  })

  test('and that the application takes out does not come back, until it gives it', async () => {
    const { one, hosts } = await pair()
    const { db, replication, env, known } = await peer(hosts)
    await until(() => known().length === 2)
    await replication.removeMirror(at('second.example'))
    one.cut()
    await env.advance(600_000)
    await replication.sync()
    expect(known()).toEqual([first])
    await replication.close()
    const again = await peer(hosts, { db })
    await again.replication.sync()
    expect(again.known()).toEqual([first])
    await again.replication.addMirror(at('second.example'))
    expect(again.known()).toEqual([first, at('second.example')])
    expect(again.replication.mirrors()[1]!.namedBy).toBeUndefined()
    expect(replicaOf(db).settings().removed).toBeUndefined()
  })

  test('names nobody itself, and is not made to have a database that it lacks', async () => {
    const { one, other, hosts } = await pair()
    other.names = [at('third.example')]
    other.replace(undefined)
    const { replication, known, asked, env } = await peer(hosts)
    await until(() => known().length === 2)
    one.fault = () => 'refuse'
    one.cut()
    while (asked('https://second.example').length === 0) await env.advance(100)
    await rounds()
    expect(other.asked).not.toContain('PUT ')
    expect(replication.mirrors()[1]!.error).toMatchObject({ code: 'MYNAH_DATABASE_UNKNOWN' })
    expect(known()).toHaveLength(2)
  })
})

describe('a token', () => {
  test('goes to no origin that it was not given for, nor does anything else', async () => {
    const { one, hosts } = await pair()
    one.names = [at('second.example'), at('https://first.example:8443'), at('https://first.example/other')]
    const { known, asked, env, replication } = await peer(hosts, {
      mirrors: [{ url: first, token: 'secret' }],
    })
    await until(() => isLive(replication) && known().length === 2)
    // The same origin, so the token was given for it.
    expect(known()).toEqual([first, at('https://first.example/other')])
    one.cut()
    await env.advance(3_600_000)
    expect(asked('https://second.example')).toEqual([])
    expect(asked('https://first.example:8443')).toEqual([])
  })

  test('goes where it was given for another mirror of that origin', async () => {
    const { one, other, hosts } = await pair()
    const elsewhere = at('https://second.example/elsewhere')
    const mirrors = [
      { url: first, token: 'secret' },
      { url: elsewhere, token: 'other' },
    ]
    const { replication, known, env } = await peer(hosts, { mirrors })
    await until(() => isLive(replication))
    await rounds()
    expect(known()).toEqual([first, elsewhere])
    await replication.addMirror(elsewhere, { token: 'secret' })
    expect(known()).toEqual([first, elsewhere, at('second.example')])
    one.fault = () => 'refuse'
    one.cut()
    const sent: (string | undefined)[] = []
    other.fault = (_, request) => {
      if (request.url.startsWith(at('second.example'))) sent.push(request.headers.authorization)
      return request.url.startsWith(elsewhere) ? 'refuse' : undefined
    }
    while (sent.length === 0) await env.advance(100)
    expect(new Set(sent)).toEqual(new Set(['Bearer secret']))
    // No longer given for it.
    await replication.addMirror(elsewhere, { token: 'another' })
    expect(known()).toEqual([first, elsewhere])
  })
})

describe('what a stranger names', () => {
  const refused: readonly string[] = [
    ...[
      'http://second.example',
      'https://10.0.0.1',
      'https://192.168.0.1',
      'https://127.0.0.1',
      'https://localhost',
    ],
    ...[
      'https://[::1]',
      'https://[::ffff:127.0.0.1]',
      'https://[::ffff:a9fe:a9fe]',
      'https://[fd00::1]',
      'https://0x7f.1',
    ],
    ...[
      'https://169.254.169.254',
      'https://100.64.0.1',
      'https://0.0.0.0',
      'https://2130706433',
      'https://[fe80::1]',
    ],
    ...[
      'https://user:password@second.example',
      'ftp://second.example',
      'file://',
      'javascript:alert(1)//',
      '',
    ],
  ].map(at)
  const odd = [
    '',
    'x',
    'https://second.example/v1/other',
    `${at('second.example')}?a=b`,
    `${at('a.example')}#x`,
  ]

  test.each([...refused, ...odd])('%s: is refused', async (address) => {
    const { one, hosts } = await pair()
    one.names = [address, at('third.example')]
    const { known } = await peer(hosts)
    await until(() => known().length > 1)
    expect(known()).toEqual([first, at('third.example')])
  })

  test('a mirror at an address of its own kind may name', async () => {
    const { one } = await pair()
    const given = at('http://192.168.0.1')
    one.names = [
      'http://10.1.1.1',
      'http://127.0.0.1',
      'http://8.8.8.8',
      'https://8.8.4.4',
      'http://nas.local',
    ].map(at)
    const { known } = await peer({ 'http://192.168.0.1': one }, { mirrors: [given] })
    await until(() => known().length > 1)
    expect(known()).toEqual([given, ...['http://10.1.1.1', 'https://8.8.4.4', 'http://nas.local'].map(at)])
  })

  test('ten thousand of them, others each time, cost next to nothing', async () => {
    const { one } = await pair()
    let asked = 0
    one.fault = (path) => {
      if (path === 'GET ') {
        const many = Array.from({ length: 10_000 }, (_, n) => at(`m${n + 10_000 * asked}.example`))
        one.names = many
        asked += 1
      }
      return undefined
    }
    const env = new ManualEnv()
    const db = await rig.database()
    const replica = replicaOf(db)
    let written = 0
    const { setSettings } = replica
    replica.setSettings = (settings) => {
      written += 1
      return setSettings.call(replica, settings)
    }
    const strangers = new Set<string>()
    const transport: Transport = {
      request: async (request) => {
        if (request.url.startsWith(first)) return one.request(request)
        strangers.add(request.url)
        throw new Error('connection refused')
      },
      stream: (request) => one.stream(request),
      close: async () => undefined,
    }
    const options = { env, transport, discovery: 'same-token', mirrors: [first] } as const
    const replication = await rig.replicate(db, one, options)
    await until(() => isLive(replication))
    for (let minute = 0; minute < 60; minute++) {
      for (let quarter = 0; quarter < 4; quarter++) {
        one.beat()
        await rounds(3)
        await env.advance(15_000)
      }
      await replication.sync()
    }
    expect(asked).toBeGreaterThan(10)
    expect(replication.mirrors().length).toBeLessThanOrEqual(9)
    expect(written).toBeLessThanOrEqual(62)
    expect(strangers.size).toBeLessThan(300)
    expect(isLive(replication)).toBe(true)
  })

  test('in an answer of ten thousand, only the first are read', async () => {
    const info = decodeInfo(
      encodeInfo({
        ...{ name: 'sensors', id: '0'.repeat(32), mode: 'mirror', protocol: 1, documents: 0 },
        position: { incarnation: '0'.repeat(32), seq: 0 },
        limits: { requestBytes: 1, batchRecords: 1 },
        mirrors: Array.from({ length: 10_000 }, (_, n) => at(`m${n}.example`)),
      }),
    )
    expect(info.mirrors).toHaveLength(16)
  })
})
