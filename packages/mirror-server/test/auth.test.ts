import { routes } from '@mynah/replication/protocol'
import fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { createMirror, mirror } from '../src/index.js'
import { failureOf, startMirror, temporaryFolder } from './fixture.js'
import { exchange } from './raw-http.js'

const token = 'a-long-and-secret-token'

const spellings = [
  '/v1',
  '/v1/',
  '/%761',
  '/v1/a',
  '/v1/%61',
  '/v1/a/records',
  '/v1/a/%72ecords',
  '/v1/a/records/live',
  '/v1/a/docs/x',
  '/v1/a/nothing/here',
  '/v1/a/docs/%2E%2E/x',
]

test('without the token nothing but /health is answered, however a path is spelled', async () => {
  const { origin } = await startMirror(['a'], { token })
  for (const path of spellings) {
    for (const target of [path, `${origin}${path}`]) {
      for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'HEAD']) {
        const { status } = await exchange(origin, `${method} ${target} HTTP/1.1`)
        expect([method, target, status]).toEqual([method, target, 401])
      }
    }
  }
  expect((await fetch(`${origin}${routes.health}`)).status).toBe(200)
})

test('only the very token opens', async () => {
  const { origin } = await startMirror(['a'], { token })
  const ask = (authorization: string) => fetch(`${origin}/v1/a`, { headers: { authorization } })
  expect((await ask(`Bearer ${token}`)).status).toBe(200)
  expect((await ask(`bearer ${token}`)).status).toBe(200)
  for (const wrong of [
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
    'Bearer',
    token,
    `Basic ${btoa(`x:${token}`)}`,
  ]) {
    const refused = await ask(wrong)
    expect(refused.headers.get('www-authenticate')).toBe('Bearer')
    expect(await failureOf(refused)).toEqual([401, 'MYNAH_TOKEN_INVALID'])
  }
})

test('an empty token is a mistake, not an open door', async () => {
  await expect(createMirror({ data: await temporaryFolder(), token: '' })).rejects.toThrow(TypeError)
})

test('inside another server it guards its own routes and changes none of the others', async () => {
  const host = fastify()
  onTestFinished(() => host.close())
  host.get('/mine', async () => ({ mine: true }))
  host.post('/mine', async (request) => request.body)
  await host.register(mirror, { data: await temporaryFolder(), token, prefix: '/mynah' })
  expect((await host.inject('/mine')).json()).toEqual({ mine: true })
  const json = await host.inject({ method: 'POST', url: '/mine', payload: { kept: 1 } })
  expect(json.json()).toEqual({ kept: 1 })
  expect((await host.inject('/nothing')).json()).toHaveProperty('error', 'Not Found')
  expect((await host.inject('/mynah/v1')).statusCode).toBe(401)
  const opened = await host.inject({ url: '/mynah/v1', headers: { authorization: `Bearer ${token}` } })
  expect(opened.json()).toMatchObject({ databases: [] })
})
