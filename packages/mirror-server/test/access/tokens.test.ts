import { type Database, open } from '@mynah/core'
import { connect, type Replication, replicate } from '@mynah/replication'
import { IdPrefixes } from '@mynah/replication/serve'
import { expect, onTestFinished, test } from 'vitest'
import { LimitedDatabase } from '../../src/access/limited-database.js'
import type { GivenToken } from '../../src/index.js'
import { TokenStore } from '../../src/tokens/token-store.js'
import { failureOf, linesOf, startMirror, temporaryFolder } from '../fixture.js'
import { ManualEnv } from '../manual-env.js'

const root = 'root-token'

async function guarded(
  ...tokens: readonly GivenToken[]
): Promise<(path: string, token?: string, init?: RequestInit) => Promise<Response>> {
  const { origin } = await startMirror(['a'], { token: root, tokens })
  return (path, token = root, init = {}) =>
    fetch(`${origin}/v1${path}`, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } })
}

const json = (value: unknown): RequestInit => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
})

test('a token of prefixes reads and writes within them, and lists leave others out', async () => {
  const ask = await guarded({ token: 'part', prefixes: ['dev42/', 'dev7/'] })
  for (const id of ['dev1/x', 'dev42/x', 'dev7/x', 'dev7/y', 'e'])
    expect((await ask(`/a/docs/${id}`, root, { method: 'PUT', ...json({ n: 1 }) })).status).toBe(201)

  expect((await ask('/a/docs/dev42/x', 'part')).status).toBe(200)
  for (const id of ['dev1/x', 'e', 'dev42', 'dev4', 'none'])
    for (const method of ['GET', 'DELETE', 'HEAD'])
      expect([id, method, (await ask(`/a/docs/${id}`, 'part', { method })).status]).toEqual([id, method, 403])
  const put = await ask('/a/docs/dev1/new', 'part', { method: 'PUT', ...json({ n: 1 }) })
  expect(await failureOf(put)).toEqual([403, 'MYNAH_FORBIDDEN'])
  expect((await ask('/a/docs', 'part', { method: 'POST', ...json({ n: 1 }) })).status).toBe(403)
  const lines = {
    headers: { 'content-type': 'application/x-ndjson' },
    body: '{"id":"dev42/y"}\n{"id":"z"}\n{"id":"dev7/z"}\n',
  }
  const outcomes = (await (await ask('/a/docs', 'part', { method: 'POST', ...lines })).text())
    .trim()
    .split('\n')
  expect(outcomes.map((line) => (JSON.parse(line) as { code?: string }).code)).toEqual([
    undefined,
    'MYNAH_FORBIDDEN',
    undefined,
  ])

  const listed = async (query: string) => {
    const { docs, next } = (await (await ask(`/a/docs?${query}`, 'part')).json()) as {
      docs: { id: string }[]
      next?: string
    }
    return [...docs.map(({ id }) => id), ...(next === undefined ? [] : [`next ${next}`])]
  }
  expect(await listed('')).toEqual(['dev42/x', 'dev42/y', 'dev7/x', 'dev7/y', 'dev7/z'])
  expect(await listed('reverse=true&limit=3')).toEqual(['dev7/z', 'dev7/y', 'dev7/x', 'next dev7/x'])
  expect(await listed('prefix=dev7/y')).toEqual(['dev7/y'])
  expect(await listed('prefix=dev&gt=dev42/x&lt=dev7/y')).toEqual(['dev42/y', 'dev7/x'])
  expect((await ask('/a/docs?prefix=e', 'part')).status).toBe(403)

  const changed = async (query: string) => {
    const text = await (await ask(`/a/changes?${query}`, 'part')).text()
    return text
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: string }).id)
  }
  expect(await changed('')).toEqual(['dev42/x', 'dev7/x', 'dev7/y', 'dev42/y', 'dev7/z'])
  expect(await changed('limit=2')).toEqual(['dev42/x', 'dev7/x'])
  expect(await changed('prefix=dev42/')).toEqual(['dev42/x', 'dev42/y'])

  const info = (await (await ask('/a', 'part')).json()) as Record<string, unknown>
  expect(info).toMatchObject({ name: 'a', prefixes: ['dev42/', 'dev7/'] })
  expect(info).not.toHaveProperty('documents')
})

test('what is no id is not reached by a token of prefixes, whatever it is', async () => {
  const ask = await guarded({ token: 'part', prefixes: ['dev42/'] })
  for (const id of [5, null, true, ['dev42/x'], { a: 1 }, { $date: '2026-01-01T00:00:00.000Z' }]) {
    const one = await ask('/a/docs', 'part', { method: 'POST', ...json({ id }) })
    expect(await failureOf(one)).toEqual([403, 'MYNAH_FORBIDDEN'])
  }
  const body = '{"id":5}\n{"id":"dev42/y"}\n'
  const lines = { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body }
  const outcomes = (await (await ask('/a/docs', 'part', lines)).text()).trim().split('\n')
  expect(outcomes.map((line) => (JSON.parse(line) as { ok: boolean }).ok)).toEqual([false, true])
})

test('a write of a key that is refused makes no database for it', async () => {
  const { origin } = await startMirror([], { token: root, tokens: [{ token: 'part', prefixes: ['dev42/'] }] })
  const put = (key: string, token: string, more: Record<string, string> = {}) =>
    fetch(`${origin}/kv/${key}`, { method: 'PUT', headers: { authorization: `Bearer ${token}`, ...more } })
  expect((await put('other', 'part')).status).toBe(403)
  expect((await put('other', root, { 'if-match': '*' })).status).toBe(412)
  const names = async () => {
    const answer = await fetch(`${origin}/v1`, { headers: { authorization: `Bearer ${root}` } })
    return ((await answer.json()) as { databases: string[] }).databases
  }
  expect(await names()).toEqual([])
  expect((await put('dev42/x', 'part')).status).toBe(201)
  expect(await names()).toEqual(['kv'])
})

test('what is of the whole database is refused to a token of prefixes', async () => {
  const database = await open(':memory:')
  onTestFinished(() => database.close())
  const limited = new LimitedDatabase(database, new IdPrefixes(['a/']))
  for (const refused of [limited.count(), limited.stats(), limited.verify(), limited.compact()])
    await expect(refused).rejects.toMatchObject({ code: 'MYNAH_FORBIDDEN' })
  expect(() => limited.history('b')).toThrow(/does not reach/)
  expect(() => limited.list({ prefix: 'b/' })).toThrow(/does not reach/)
  expect(() => limited.changes({ prefix: 'b/' })).toThrow(/does not reach/)
})

test('a list of the databases has those that the token is for', async () => {
  const ask = await guarded({ token: 'sites', databases: ['site-*', '*b*b'] })
  const made = ['site-1', 'site-', 'sit', 'xsite-1', 'bb', 'abcb', 'b', 'bba']
  for (const name of made) expect((await ask(`/${name}`, root, { method: 'PUT' })).status).toBe(201)
  const { databases } = (await (await ask('', 'sites')).json()) as { databases: string[] }
  expect(databases).toEqual(['abcb', 'bb', 'site-', 'site-1'])
  expect((await ask('/other', 'sites', { method: 'PUT' })).status).toBe(403)
  expect((await ask('/site-2', 'sites', { method: 'PUT' })).status).toBe(201)
})

test('what a revoked token has open is cut, and what is good goes on', async () => {
  const data = await temporaryFolder()
  const store = new TokenStore(data)
  const terms = {
    databases: ['*'],
    can: ['read', 'sync', 'write', 'admin'],
    prefixes: [],
    goodForMs: undefined,
  } as const
  const [gone, kept] = [await store.create(terms, 0), await store.create(terms, 0)]
  const env = new ManualEnv()
  const { origin } = await startMirror([], { data, env })
  const ask = (path: string, { text }: { text: string }, init: RequestInit = {}) =>
    fetch(`${origin}/v1/a${path}`, { ...init, headers: { ...init.headers, authorization: `Bearer ${text}` } })
  expect((await ask('', kept, { method: 'PUT' })).status).toBe(201)
  // The answer of a feed begins with its first change.
  expect((await ask('/docs/x', kept, { method: 'PUT', ...json({}) })).status).toBe(201)
  const feeds = ['/records/live', '/changes?live=true']
  const cut = await Promise.all(feeds.map(async (feed) => await ask(feed, gone)))
  const going = linesOf(await ask('/records/live', kept))
  await going.next()
  await store.revoke(gone.id)
  const ended = Promise.all(cut.map((answer) => answer.text().catch(() => 'cut')))
  env.advance(2_000)
  expect(await ended).toEqual(['cut', 'cut'])
  expect((await ask('', gone)).status).toBe(401)
  expect((await ask('', kept)).status).toBe(200)
  env.advance(15_000)
  expect((await going.next()).value).toBe('')
})

interface Peer {
  readonly database: Database
  readonly replication: Replication
}

async function peer(url: string, token: string, prefixes?: readonly string[]): Promise<Peer> {
  const database = await open(':memory:')
  onTestFinished(() => database.close())
  const replication = await replicate(database, {
    mirrors: [{ url, token }],
    ...(prefixes && { scope: { prefixes } }),
  })
  onTestFinished(() => replication.close())
  return { database, replication }
}

test('a peer with a token of a prefix pushes and pulls within it; what is elsewhere waits in its inbox', async () => {
  const { origin } = await startMirror(['a'], {
    token: root,
    tokens: [{ token: 'part', can: ['sync'], prefixes: ['dev42/'] }],
  })
  const url = `${origin}/v1/a`
  const all = await peer(url, root)
  await all.database.putMany([
    { id: 'dev42/there', n: 1 },
    { id: 'dev1/there', n: 2 },
  ])
  await all.replication.synced()

  const part = await peer(url, 'part', ['dev42/'])
  await part.database.putMany([
    { id: 'dev42/here', n: 3 },
    { id: 'dev1/here', n: 4 },
  ])
  await part.replication.sync()
  const refused: unknown[] = []
  for await (const { id, code } of part.replication.rejected()) refused.push([id, code])
  expect(refused).toEqual([['dev1/here', 'MYNAH_FORBIDDEN']])
  expect(await part.database.get('dev42/there')).toMatchObject({ n: 1 })
  expect(await part.database.count()).toBe(3)
  await all.replication.sync()
  expect(await all.database.get('dev42/here')).toMatchObject({ n: 3 })
  expect(await all.database.get('dev1/here')).toBeUndefined()
})

test('a peer that is told no scope covers what its token reaches, and no more', async () => {
  const { origin } = await startMirror(['a'], {
    token: root,
    tokens: [{ token: 'part', can: ['sync'], prefixes: ['dev42/', 'dev7/'] }],
  })
  const url = `${origin}/v1/a`
  const all = await peer(url, root)
  await all.database.putMany(['dev42/x', 'dev7/x', 'dev1/x', 'e'].map((id) => ({ id })))
  await all.replication.synced()
  const part = await peer(url, 'part')
  await part.replication.sync()
  expect(await part.database.count()).toBe(2)
  expect(await part.database.read('dev42/x')).toMatchObject({ current: true })
  // What it may not ask about it does not call absent, and goes on.
  await expect(part.database.read('dev1/x')).rejects.toMatchObject({ code: 'MYNAH_UNREACHABLE' })
  expect(await part.database.read('dev7/x')).toMatchObject({ current: true })
})

test('a peer whose token is refused says so, tries again now and then, and goes on with another', async () => {
  const { origin } = await startMirror(['a'], { token: root })
  const url = `${origin}/v1/a`
  const { database, replication } = await peer(url, 'wrong')
  const failed = new Promise<Error>((resolve) => void replication.on('error', ({ error }) => resolve(error)))
  await database.put({ id: 'x' })
  expect(await failed).toMatchObject({
    code: 'MYNAH_MIRROR_REFUSED',
    answerCode: 'MYNAH_TOKEN_INVALID',
    retryable: false,
  })
  expect(replication.status().state).toBe('error')
  expect(replication.mirrors()).toMatchObject([
    { state: 'backing-off', error: { code: 'MYNAH_MIRROR_REFUSED' } },
  ])
  await replication.addMirror(url, { token: root })
  await replication.synced()
  const direct = await connect(url, { token: root })
  onTestFinished(() => direct.close())
  expect(await direct.get('x')).toBeDefined()
})

test('a peer whose right to the database is lacking is told which', async () => {
  const { origin } = await startMirror(['a'], {
    token: root,
    tokens: [
      { token: 'other', databases: ['b'] },
      { token: 'reads', can: ['read'] },
    ],
  })
  for (const token of ['other', 'reads']) {
    const { replication } = await peer(`${origin}/v1/a`, token)
    await expect(replication.sync()).rejects.toMatchObject({
      code: 'MYNAH_MIRROR_REFUSED',
      answerCode: 'MYNAH_FORBIDDEN',
    })
  }
})
