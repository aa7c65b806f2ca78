import { createHash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { type Database, open } from '@mynah/core'
import {
  connect,
  httpTransport,
  type ReplicateOptions,
  type Replication,
  replicate,
} from '@mynah/replication'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BadProxy } from './bad-proxy.js'
import { startMirror } from './fixture.js'
import { ManualEnv } from './manual-env.js'

/**
 * Lets a little time pass, again and again, until the condition holds; gives how much. What is on its way takes real
 * time, so each step waits a little, and virtual time does not run away from it.
 */
async function until(condition: () => boolean, envs: readonly ManualEnv[], stepMs = 50): Promise<number> {
  let passedMs = 0
  while (!condition()) {
    await setTimeout(2)
    for (const env of envs) env.advance(stepMs)
    passedMs += stepMs
  }
  return passedMs
}

const isLive = (replication: Replication) => replication.mirrors()[0]?.state === 'live'
const isQuiet = (replication: Replication) => {
  const { state, ahead, behind } = replication.status()
  return state === 'idle' && ahead === 0 && behind === 0
}

async function idsAt(origin: string): Promise<readonly string[]> {
  const documents = await connect(`${origin}/v1/a`)
  try {
    return await idsOf(documents)
  } finally {
    await documents.close()
  }
}

async function idsOf(db: Pick<Database, 'list'>): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const { id } of db.list()) ids.push(id)
  return ids
}

/** Documents that do not compress. */
function noise(count: number, bytes: number) {
  const block = (n: number) => createHash('sha256').update(`${n}`).digest('hex')
  return Array.from({ length: count }, (_, n) => ({
    id: `n${String(n).padStart(4, '0')}`,
    text: Array.from({ length: bytes / 64 }, (_, part) => block(n * 10_000 + part)).join(''),
  }))
}

/** A peer and a mirror, and what is bad between them. Time is the test's, but for the transport's own. */
async function behindProxy(options: ReplicateOptions = {}) {
  const [env, heart] = [new ManualEnv(), new ManualEnv()]
  const mirror = await startMirror(['a'], { env: heart })
  const proxy = await BadProxy.before(mirror.origin)
  const db = await open(':memory:')
  onTestFinished(() => db.close())
  const errors: string[] = []
  const begin = async () => {
    const transport = httpTransport(options.live === false ? { headersTimeoutMs: 900 } : { keepAliveMs: 100 })
    const mirrors = [`${proxy.origin}/v1/a`]
    const replication = await replicate(db, { mirrors, transport, env, ...options })
    onTestFinished(() => replication.close())
    replication.on('error', ({ error }) => errors.push((error as { code?: string }).code ?? error.message))
    return replication
  }
  return { env, heart, envs: [env, heart], mirror, proxy, db, errors, begin }
}

async function putAt(origin: string, id: string, doc: object = {}): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${origin}/v1/a/docs/${id}`, {
    method: 'PUT',
    headers,
    body: JSON.stringify(doc),
  })
  expect(answer.status).toBe(201)
}

describe('a captive portal', () => {
  const page = '<html>Log in</html>'
  const head = (status: string, more = '') =>
    `HTTP/1.1 ${status}\r\n${more}content-type: text/html\r\ncontent-length: ${page.length}\r\nconnection: close\r\n\r\n${page}`
  const portals = {
    '200 with a page': head('200 OK'),
    '302 to its page': head('302 Found', 'location: http://127.0.0.1:1/login\r\n'),
    '307 to its page': head('307 Temporary Redirect', 'location: http://127.0.0.1:1/login\r\n'),
    '511': head('511 Network Authentication Required'),
    '404': head('404 Not Found'),
    '204 and nothing': 'HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n',
    'JSON of its own': 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
    'what is no HTTP': 'SSH-2.0-OpenSSH_9\r\n',
  }
  test.each(Object.entries(portals))('%s: is no mirror, before and in a session', async (_, answer) => {
    const { envs, mirror, proxy, db, errors, begin } = await behindProxy()
    await putAt(mirror.origin, 'there')
    await db.put({ id: 'here' })
    proxy.portal = answer
    const replication = await begin()
    await until(() => errors.length === 1, envs)
    proxy.portal = undefined
    await until(() => isLive(replication) && isQuiet(replication), envs)
    proxy.portal = answer
    proxy.cutAll()
    await db.put({ id: 'meanwhile' })
    await until(() => errors.length === 2, envs)
    expect(isQuiet(replication)).toBe(false)
    proxy.portal = undefined
    await until(() => isLive(replication) && isQuiet(replication), envs)
    expect(await idsAt(mirror.origin)).toEqual(['here', 'meanwhile', 'there'])
    expect((await db.stats()).documents).toBe(3)
    expect(new Set(errors).size).toBeLessThanOrEqual(2)
  })
})

describe('half-open connections', () => {
  test('that swallow a live stream are given up after 45 s of silence, and nothing is lost', async () => {
    const { env, envs, heart, mirror, proxy, db, begin, errors } = await behindProxy()
    const replication = await begin()
    await until(() => isLive(replication), envs)
    proxy.swallowAll()
    await putAt(mirror.origin, 'there')
    await db.put({ id: 'here' })
    const begunMs = env.now()
    await until(() => errors.length > 0, envs, 250)
    expect(env.now() - begunMs).toBeGreaterThanOrEqual(45_000)
    await until(() => isLive(replication) && isQuiet(replication), envs, 10)
    expect(env.now() - begunMs).toBeLessThan(60_000)
    expect(await idsAt(mirror.origin)).toEqual(['here', 'there'])
    expect((await db.stats()).documents).toBe(2)
    expect(heart.timers).toBeGreaterThan(0)
  })

  test('that swallow a request are given up by the transport', async () => {
    const { envs, mirror, proxy, db, begin } = await behindProxy({ live: false, intervalMs: 1_000 })
    const replication = await begin()
    await until(() => isLive(replication), envs)
    // The connection is kept for the next poll.
    proxy.swallowAll()
    await db.put({ id: 'here' })
    await until(() => proxy.connections > 1 && isQuiet(replication), envs)
    expect(await idsAt(mirror.origin)).toEqual(['here'])
  })
})

describe('connections that are cut', () => {
  test('each after 60 kB: a copy of 600 kB comes to its end, and what arrived is not sent again', async () => {
    const { envs, mirror, proxy, db, begin } = await behindProxy({ hold: 'all' })
    const writer = await open(':memory:')
    onTestFinished(() => writer.close())
    for (const outcome of await writer.putMany(noise(150, 4_096))) expect(outcome.ok).toBe(true)
    const source = await replicate(writer, { mirrors: [`${mirror.origin}/v1/a`] })
    await source.sync()
    await source.close()
    proxy.bytesMax = 60_000
    const replication = await begin()
    await until(() => isLive(replication) && isQuiet(replication), envs)
    expect((await db.stats()).notHeld).toBe(0)
    expect(await idsOf(db)).toEqual(await idsOf(writer))
    // Hex: half of it is noise, 300 kB.
    expect(proxy.bytes).toBeLessThan(1_200_000)
  })

  test('each after 60 kB: a push of 600 kB comes to its end', async () => {
    const { envs, mirror, proxy, db, begin } = await behindProxy()
    for (const outcome of await db.putMany(noise(150, 4_096))) expect(outcome.ok).toBe(true)
    proxy.bytesMax = 60_000
    const replication = await begin()
    await until(() => isLive(replication) && isQuiet(replication), envs)
    expect(await idsAt(mirror.origin)).toEqual(await idsOf(db))
    expect(proxy.bytes).toBeLessThan(1_200_000)
  })

  test('by a proxy that lets none live for longer than a minute: nobody notices', async () => {
    const { env, envs, mirror, proxy, db, errors, begin } = await behindProxy()
    const replication = await begin()
    await until(() => isLive(replication), envs)
    const states = new Set<string>()
    replication.on('status', ({ state }) => states.add(state))
    let cuts = 0
    for (let minute = 0; minute < 10; minute++) {
      const endMs = env.now() + 60_000
      await until(() => env.now() >= endMs, envs, 5_000)
      const before = proxy.connections
      proxy.cutAll()
      await until(() => proxy.connections > before, envs)
      cuts += 1
      await putAt(mirror.origin, `there ${minute}`.replace(' ', '-'))
      await until(() => isQuiet(replication) && replication.status().behind === 0, envs)
    }
    await db.put({ id: 'here' })
    await until(() => isQuiet(replication), envs)
    expect(cuts).toBe(10)
    expect(errors).toEqual([])
    expect(states.has('offline')).toBe(false)
    await until(() => replication.status().ahead === 0, envs)
    expect((await idsAt(mirror.origin)).length).toBe(11)
  })
})

test('an idle live peer costs less than 1 kB a minute, with all that HTTP adds', async () => {
  const { env, envs, proxy, begin } = await behindProxy()
  const replication = await begin()
  await until(() => isLive(replication) && isQuiet(replication), envs)
  // What follows the beginning is over.
  await until(() => env.now() >= 60_000, envs, 1_000)
  const [bytes, beganMs] = [proxy.bytes, env.now()]
  await until(() => env.now() >= beganMs + 3_600_000, envs, 5_000)
  expect(isLive(replication)).toBe(true)
  const perMinute = (proxy.bytes - bytes) / 60
  expect(perMinute).toBeGreaterThan(10)
  expect(perMinute).toBeLessThan(1_000)
})
