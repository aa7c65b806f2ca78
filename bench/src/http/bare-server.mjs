/** What HTTP itself costs here: fastify's routes that answer given bytes, and that make a body durable, several at once. */
import { open } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const fastify = createRequire(new URL('../../../packages/mirror-server/package.json', import.meta.url))(
  'fastify',
)

const [folder, port] = process.argv.slice(2)
const answer = JSON.stringify({
  id: 'reading/000001',
  rev: '1-0123456789abcdef0123456789abcdef',
  device: 'pump-17',
  at: '2026-11-21T08:00:00.000Z',
  temperature: 21.375,
  humidity: 48.5,
  pressure: 1013.25,
  state: 'running',
  counters: { starts: 182, hours: 9120 },
})
const file = await open(join(folder, 'log'), 'a')
let waiting = []
let writing = false

/** Bodies that come while others are written go together, with one fdatasync. */
async function flush() {
  writing = true
  while (waiting.length > 0) {
    const group = waiting
    waiting = []
    await file.appendFile(Buffer.concat(group.map(({ body }) => body)))
    await file.datasync()
    for (const { resolve } of group) resolve()
    await new Promise((resolve) => setImmediate(resolve))
  }
  writing = false
}

const server = fastify()
server.removeAllContentTypeParsers()
server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
  done(null, body),
)
server.get('/health', async () => ({ ok: true }))
server.get('/v1/:db/docs/*', async (_request, reply) =>
  reply.type('application/json').header('etag', '"1-0123456789abcdef0123456789abcdef"').send(answer),
)
server.put('/v1/:db/docs/*', async (request, reply) => {
  await new Promise((resolve) => {
    waiting.push({ body: request.body, resolve })
    if (!writing) flush()
  })
  return reply
    .code(201)
    .type('application/json')
    .send('{"id":"reading/000001","rev":"1-0123456789abcdef0123456789abcdef"}')
})
await server.listen({ port: Number(port), host: '127.0.0.1' })
