import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { open } from '@mynah/core'
import { replicate } from '@mynah/replication'
import { expect, onTestFinished, test } from 'vitest'
import { startMirror } from './fixture.js'
import { ManualEnv } from './manual-env.js'

const rounds = async (count = 100) => {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve))
}

/** A way to a server through which every byte of TCP's payload is counted, headers of HTTP too. */
async function counted(port: number): Promise<{ readonly origin: string; bytes: number }> {
  const way = { origin: '', bytes: 0 }
  const server = createServer((here) => {
    const there = connect(port, '127.0.0.1')
    const count = (chunk: Uint8Array) => {
      way.bytes += chunk.length
    }
    here.on('data', count)
    there.on('data', count)
    here.pipe(there).pipe(here)
    for (const end of [here, there]) {
      end.on('error', () => undefined)
      onTestFinished(() => void end.destroy())
    }
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  way.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return way
}

test.each([
  ['a logger that only pushes', [], 1_000],
  ['a peer of a part where nothing changes', ['mine/'], 1_000],
])('%s: at most 1 kB in a minute in which 1,000 others write', async (_, prefixes, most) => {
  const [here, there] = [new ManualEnv(), new ManualEnv()]
  const { origin, server } = await startMirror(['a'], { env: there })
  const way = await counted((server.server.address() as AddressInfo).port)
  const database = await open(':memory:')
  onTestFinished(() => database.close())
  const mirrors = [`${way.origin}/v1/a`]
  const replication = await replicate(database, { mirrors, scope: { prefixes }, env: here })
  onTestFinished(() => replication.close())
  await database.put({ id: 'mine/1' })
  await replication.synced()
  while (replication.mirrors()[0]!.state !== 'live') await rounds(1)
  await rounds()
  const before = way.bytes
  for (let second = 0; second < 60; second++) {
    const lines = Array.from({ length: 17 }, (_, n) =>
      JSON.stringify({ id: `other-${second}-${n}`, value: n }),
    )
    const written = await fetch(`${origin}/v1/a/docs`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: lines.join('\n'),
    })
    expect(written.status).toBe(200)
    await written.text()
    there.advance(1_000)
    await rounds(10)
    here.advance(1_000)
    await rounds(10)
  }
  const bytes = way.bytes - before
  expect(bytes).toBeGreaterThan(0)
  expect(bytes).toBeLessThanOrEqual(most)
  expect(replication.mirrors()[0]!.state).toBe('live')
  expect(await database.count()).toBe(1)
  await database.put({ id: 'mine/2' })
  await replication.synced()
})
