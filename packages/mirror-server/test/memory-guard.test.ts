import fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { MemoryGuard, memoryUse } from '../src/bounds/memory-guard.js'
import { answerFailure } from '../src/http/failures.js'
import { serverLimits } from '../src/limits.js'
import { needs } from '../src/routes/scope.js'
import { startMirror } from './fixture.js'
import { ManualEnv } from './manual-env.js'

test('while memory is short requests are told to come again, and then are answered', async () => {
  const env = new ManualEnv()
  let use = { used: 1, usedMax: 10, heap: 1, heapMax: 5 }
  const server = fastify()
  onTestFinished(() => server.close())
  server.setErrorHandler(answerFailure)
  new MemoryGuard(env, () => use).guard(server)
  server.get('/x', needs('read'), async () => 'x')
  server.get('/open', needs('open'), async () => 'x')
  const ask = async (short: typeof use) => {
    use = short
    env.advance(serverLimits.memoryLookMs)
    return (await server.inject('/x')).statusCode
  }
  expect((await server.inject('/x')).statusCode).toBe(200)
  expect(await ask({ ...use, used: 11 })).toBe(503)
  const refused = await server.inject('/x')
  expect(refused.headers['retry-after']).toBe('1')
  expect(refused.json()).toMatchObject({ code: 'MYNAH_BUSY' })
  expect((await server.inject('/open')).statusCode).toBe(200)
  expect(await ask({ ...use, used: 10, heap: 6 })).toBe(503)
  expect(await ask({ ...use, used: 10, heap: 5 })).toBe(200)
})

test('a mirror refuses by what its process really uses', async () => {
  const { used, usedMax, heap, heapMax } = memoryUse()
  expect(used).toBeGreaterThanOrEqual(heap)
  expect(usedMax).toBeGreaterThan(used)
  expect(heapMax).toBeGreaterThan(heap)
  const { origin } = await startMirror([], { memoryBytes: 1 })
  expect((await fetch(`${origin}/v1`)).status).toBe(503)
  expect((await fetch(`${origin}/health`)).status).toBe(200)
})
