import { connect } from 'node:net'
import { nodeEnv } from '@mynah/core'
import { decodeError } from '@mynah/replication/protocol'
import fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { Access } from '../src/access/access.js'
import { guard } from '../src/access/guard.js'
import { ByteBudget } from '../src/bounds/byte-budget.js'
import { Gate } from '../src/bounds/gate.js'
import { Databases } from '../src/databases/databases.js'
import { answerFailure } from '../src/http/failures.js'
import { LiveStreams } from '../src/http/live-streams.js'
import { changesRoutes } from '../src/routes/changes.js'
import { collectionRoutes } from '../src/routes/collection.js'
import { documentRoutes } from '../src/routes/documents.js'
import { TokenBook } from '../src/tokens/token-book.js'
import { TokenStore } from '../src/tokens/token-store.js'
import { temporaryFolder } from './fixture.js'

const DOCUMENT_BYTES = 4_000_000

/** The routes for documents, with a budget in which one client has room for two of three large documents. */
async function smallServer(): Promise<{ readonly origin: string; readonly budget: ByteBudget }> {
  const folder = await temporaryFolder()
  const databases = new Databases(folder, nodeEnv)
  onTestFinished(() => databases.close())
  const { opened } = await databases.create('a')
  await opened.database.put({ id: 'big', text: 'x'.repeat(DOCUMENT_BYTES) })
  const budget = new ByteBudget(5 * DOCUMENT_BYTES)
  const shared = {
    databases: new Access(databases),
    env: nodeEnv,
    budget,
    shardGate: new Gate(1),
    liveStreams: new LiveStreams(),
  }
  const server = fastify()
  onTestFinished(() => server.close())
  server.removeAllContentTypeParsers()
  server.setErrorHandler(answerFailure)
  const store = new TokenStore(folder)
  await guard(server, new TokenBook({ store, given: [], env: nodeEnv, onFault: () => {} }))
  for (const routes of [documentRoutes, collectionRoutes, changesRoutes])
    await server.register(routes, { ...shared, prefix: '/v1' })
  return { origin: await server.listen({ port: 0, host: '127.0.0.1' }), budget }
}

test('who asks for large documents and does not take them gets no memory without bound', async () => {
  for (const path of ['docs/big', 'docs/big?details=true', 'docs', 'changes?documents=true&live=true']) {
    const { origin, budget } = await smallServer()
    const slow = [1, 2].map(() => {
      const connection = connect(Number(new URL(origin).port), '127.0.0.1').pause()
      onTestFinished(() => void connection.destroy())
      connection.write(`GET /v1/a/${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
      return connection
    })
    await expect.poll(() => budget.held, { timeout: 10_000 }).toBeGreaterThan(2 * DOCUMENT_BYTES)
    const text = await (await fetch(`${origin}/v1/a/${path}`)).text()
    expect([path, decodeError(text.trimEnd()).code]).toEqual([path, 'MYNAH_BUSY'])
    for (const connection of slow) connection.destroy()
    await expect.poll(() => budget.held, { timeout: 10_000 }).toBe(0)
    expect((await fetch(`${origin}/v1/a/docs/big`)).status).toBe(200)
  }
}, 30_000)
