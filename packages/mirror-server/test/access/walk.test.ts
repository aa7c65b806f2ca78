import { Agent, request as send } from 'node:http'
import { nodeEnv } from '@mynah/core'
import { decodeRecords } from '@mynah/core/replica'
import { mediaTypes } from '@mynah/replication/protocol'
import fastify, { type FastifyInstance } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { guard } from '../../src/access/guard.js'
import { type GivenToken, mirror } from '../../src/index.js'
import { needs } from '../../src/routes/scope.js'
import { rights } from '../../src/tokens/grant.js'
import { TokenBook } from '../../src/tokens/token-book.js'
import { TokenStore } from '../../src/tokens/token-store.js'
import { temporaryFolder } from '../fixture.js'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const ID = 'other/hidden-id'
const TEXT = 'hidden-text'

/** Ways to write a path that some server, proxy or check somewhere takes for another, or for the same. */
const spellings: Readonly<Record<string, (path: string, origin: string) => string>> = {
  plain: (path) => path,
  'double slashes': (path) => path.replaceAll('/', '//'),
  'one letter encoded': (path) =>
    path.replace(/[a-z](?=[^/]*$)/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
  'all letters encoded': (path) =>
    path.replace(/[a-z0-9]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
  'slashes encoded': (path) => path.replace(/(?!^)\//g, '%2f'),
  'upper case': (path) => path.toUpperCase(),
  'slash at the end': (path) => `${path}/`,
  parameters: (path) => path.replace(/(?!^)\//g, ';x=1/'),
  'overlong UTF-8': (path) => path.replace('s', '%c1%b3').replace(/(?!^)\//g, '%c0%af'),
  'absolute form': (path, origin) => `${origin}${path}`,
  'absolute form of another': (path) => `http://elsewhere.example${path}`,
  'up from its own': (path) => path.replace('/v1/secret', '/v1/own/../secret'),
  'up, encoded': (path) => path.replace('/v1/secret', '/v1/own/%2e%2e/secret'),
  'up within the id': (path) => path.replace('/v1/secret', '/v1/own/docs/../../secret'),
  backslashes: (path) => path.replace(/(?!^)\//g, '\\'),
  'a null': (path) => `${path}%00`,
  'a name with an end': (path) => path.replace('secret', 'secret%20'),
  'other in the query': (path) => `${path}?db=own&prefix=dev42/&access_token=x`,
  'fragment of its own': (path) => `${path}#/v1/own`,
}

interface Walked {
  readonly server: FastifyInstance
  readonly origin: string
  /** Each method of each route, with `secret` for the database and an id for the rest. */
  readonly targets: readonly (readonly [method: string, path: string])[]
  readonly data: string
}

/** A mirror with a database `secret`, and one `own`; everything it answers to is known from its router. */
async function walked(tokens: readonly GivenToken[]): Promise<Walked> {
  const data = await temporaryFolder()
  const server = fastify({ routerOptions: { maxParamLength: 1_024 } })
  onTestFinished(() => server.close())
  const paths = new Set<string>()
  server.addHook('onRoute', ({ url }) => void paths.add(url))
  await server.register(mirror, { data, tokens: [{ token: 'root-token' }, ...tokens] })
  const origin = await server.listen({ port: 0, host: '127.0.0.1' })
  const headers = { authorization: 'Bearer root-token' }
  const put = async (path: string, doc?: object) => {
    const type = doc && { 'content-type': 'application/json' }
    const body = doc && { body: JSON.stringify(doc) }
    const answer = await fetch(origin + path, { method: 'PUT', headers: { ...headers, ...type }, ...body })
    expect(answer.status).toBe(201)
  }
  for (const name of ['secret', 'own']) await put(`/v1/${name}`)
  await put(`/v1/secret/docs/${ID}`, { text: TEXT })
  await put('/v1/secret/docs/dev42/1', { text: 'shown' })
  // The page that shows the description is files of a package.
  const targets = [...paths].flatMap((path) => {
    if (path.startsWith('/openapi/')) return []
    const concrete = path.replace(':db', 'secret').replace('*', ID)
    return METHODS.map((method) => [method, concrete] as const)
  })
  expect(targets.length).toBeGreaterThan(80)
  return { server, origin, targets, data }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: Uint8Array
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 })

/** As it is spelled: no client in between that mends it. */
function ask(origin: string, method: string, path: string, token?: string): Promise<Answer> {
  const { hostname, port } = new URL(origin)
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return new Promise((resolve, reject) => {
    const sent = send({ agent, hostname, port, method, path, headers }, (answer) => {
      const chunks: Buffer[] = []
      const done = () =>
        resolve({
          status: answer.statusCode!,
          type: answer.headers['content-type'] ?? '',
          body: Buffer.concat(chunks),
        })
      answer.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        // The live stream, however it was spelled, has told enough.
        if (/^{"position":"[^"]*"}\n/.test(chunk.toString())) answer.destroy()
      })
      answer.on('close', done)
      answer.on('error', done)
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Asks for every target in every spelling, and gives what is not in order. */
async function faults(
  { origin, targets }: Walked,
  token: string | undefined,
  isFault: (answer: Answer, method: string, path: string) => Promise<boolean> | boolean,
): Promise<string[]> {
  const found: string[] = []
  const asked = targets.flatMap(([method, path]) => {
    const spelled = new Map(Object.entries(spellings).map(([name, spell]) => [spell(path, origin), name]))
    return [...spelled].map(([spelling, name]) => ({ method, path, name, spelled: spelling }))
  })
  await Promise.all(
    asked.map(async ({ method, path, name, spelled }) => {
      const answer = await ask(origin, method, spelled, token)
      if (await isFault(answer, method, path)) found.push(`${name}: ${method} ${spelled} ${answer.status}`)
    }),
  )
  return found
}

/** Whether it tells of what is to be hidden: in its bytes, or in the records of a shard. */
async function tells({ type, body, status }: Answer): Promise<boolean> {
  // What refuses a path may repeat it.
  if (status >= 400 || body.length === 0) return false
  const text = new TextDecoder().decode(body)
  if (text.includes(TEXT) || text.includes('hidden-id')) return true
  if (type !== mediaTypes.shard) return false
  return (await decodeRecords(new Uint8Array(body), nodeEnv)).some(({ id }) => id === ID)
}

async function stateOf({ origin }: Walked): Promise<unknown> {
  const headers = { authorization: 'Bearer root-token' }
  const info = (await (await fetch(`${origin}/v1/secret`, { headers })).json()) as { position: string }
  const doc = await (await fetch(`${origin}/v1/secret/docs/${ID}`, { headers })).text()
  return [info.position, doc]
}

/** What needs no token: a route that is added here tells all the world what it tells. */
const isOpen = (path: string) => ['/health', '/ready', '/openapi.json', '/openapi'].includes(path)
/** Says which methods a path has, and nothing of what is there. */
const saysMethods = ({ status, body }: Answer, method: string) =>
  method === 'OPTIONS' && status === 204 && body.length === 0

test('without a token nothing is answered or changed, by no method, however a path is spelled', async () => {
  const mirrored = await walked([])
  const before = await stateOf(mirrored)
  const refused = [400, 401, 404, 405]
  expect(
    await faults(
      mirrored,
      undefined,
      ({ status }, _method, path) => !isOpen(path) && !refused.includes(status),
    ),
  ).toEqual([])
  expect(await stateOf(mirrored)).toEqual(before)
  // The walk finds what is there: with the token.
  const opened: string[] = []
  const reads = mirrored.targets.filter(([method]) => method === 'GET')
  await faults({ ...mirrored, targets: reads }, 'root-token', (answer, method, path) => {
    if (answer.status === 200) opened.push(`${method} ${path}`)
    return false
  })
  expect(opened.length).toBeGreaterThan(30)
}, 120_000)

test('a token of another database gets nothing of this one, and does not learn that it is there', async () => {
  const mirrored = await walked([{ token: 'own-token', databases: ['own', 'sec', 'secret-*', '*secret2'] }])
  const before = await stateOf(mirrored)
  expect(
    await faults(mirrored, 'own-token', async (answer, method, path) => {
      if (isOpen(path) || saysMethods(answer, method)) return false
      if (await tells(answer)) return true
      const text = new TextDecoder().decode(answer.body)
      if (path === '/v1' || path === '/metrics') return answer.status < 400 && text.includes('secret')
      return answer.status < 400
    }),
  ).toEqual([])
  expect(await stateOf(mirrored)).toEqual(before)
  // The same of a database that is not there.
  for (const [method, path] of mirrored.targets) {
    if (!path.includes('secret')) continue
    const there = await ask(mirrored.origin, method, path, 'own-token')
    const absent = await ask(mirrored.origin, method, path.replace('secret', 'absent'), 'own-token')
    const told = ({ status, body }: Answer) => [method, path, status, new TextDecoder().decode(body)]
    expect(told(there)).toEqual(told(absent))
  }
}, 120_000)

test('a token of a prefix gets nothing of other documents, and changes none', async () => {
  const mirrored = await walked([{ token: 'part-token', prefixes: ['dev42/', 'x'] }])
  const before = await stateOf(mirrored)
  expect(
    await faults(mirrored, 'part-token', async (answer, method, path) => {
      if (await tells(answer)) return true
      if (saysMethods(answer, method)) return false
      if (path === '/v1/secret' && method !== 'GET' && method !== 'HEAD') return answer.status < 400
      return path.endsWith(ID) && answer.status < 400
    }),
  ).toEqual([])
  expect(await stateOf(mirrored)).toEqual(before)
}, 120_000)

test('each route needs the right that the table in docs/operations.md says', async () => {
  const tokens = rights.map((right) => ({
    token: `all-but-${right}`,
    can: rights.filter((one) => one !== right),
  }))
  const mirrored = await walked(tokens)
  const needed: Record<string, string> = {}
  for (const [method, path] of mirrored.targets) {
    for (const right of rights) {
      const { status } = await ask(mirrored.origin, method, path, `all-but-${right}`)
      if (status === 403) needed[`${method} ${path}`] = `${needed[`${method} ${path}`] ?? ''}${right}`
    }
  }
  expect(needed).toMatchObject({
    'PUT /v1/secret': 'admin',
    [`GET /v1/secret/docs/${ID}`]: 'read',
    [`HEAD /v1/secret/docs/${ID}`]: 'read',
    [`PUT /v1/secret/docs/${ID}`]: 'write',
    [`DELETE /v1/secret/docs/${ID}`]: 'write',
    'GET /v1/secret/docs': 'read',
    'POST /v1/secret/docs': 'write',
    'GET /v1/secret/changes': 'read',
    'GET /v1/secret/records': 'sync',
    'POST /v1/secret/records': 'sync',
    'GET /v1/secret/records/live': 'sync',
    'POST /v1/secret/records/missing': 'sync',
    'POST /v1/secret/records/held': 'sync',
    'POST /v1/secret/records/fetch': 'sync',
    'POST /v1/secret/ranges': 'sync',
    'GET /v1/secret/owed': 'sync',
    'DELETE /v1/secret': 'admin',
    'GET /v1/secret/stats': 'admin',
    'POST /v1/secret/verify': 'admin',
    'POST /v1/secret/compact': 'admin',
    'GET /v1/secret/conflicts': 'read',
    [`GET /v1/secret/history/${ID}`]: 'read',
    'GET /kv': 'read',
    [`GET /kv/${ID}`]: 'read',
    [`PUT /kv/${ID}`]: 'write',
    [`POST /kv/${ID}`]: 'write',
    [`DELETE /kv/${ID}`]: 'write',
  })
  for (const path of ['GET /v1', 'GET /v1/secret', 'GET /health']) expect(needed[path]).toBeUndefined()
})

test('a route that does not say who may ask for it keeps the server from starting', async () => {
  const server = fastify()
  onTestFinished(() => server.close())
  const store = new TokenStore(await temporaryFolder())
  await server.register(async (scope) => {
    await guard(scope, new TokenBook({ store, given: [], env: nodeEnv, onFault: () => {} }))
    scope.get('/told', needs('read'), async () => 'x')
    scope.get('/untold', async () => 'x')
  })
  await expect(server.ready()).rejects.toThrow('/untold does not say who may ask for it')
})

test('a token that was revoked or has run out is none', async () => {
  const data = await temporaryFolder()
  const store = new TokenStore(data)
  const terms = { databases: ['*'], can: rights, prefixes: [] }
  const past = await store.create({ ...terms, goodForMs: 1 }, 0)
  const revoked = await store.create({ ...terms, goodForMs: undefined }, Date.now())
  await store.revoke(revoked.id)
  const server = fastify()
  onTestFinished(() => server.close())
  await server.register(mirror, { data })
  for (const { text } of [past, revoked]) {
    const answer = await server.inject({ url: '/v1', headers: { authorization: `Bearer ${text}` } })
    expect(answer.statusCode).toBe(401)
  }
})
