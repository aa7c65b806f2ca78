import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { open } from '@mynah/core'
import { replicate } from '@mynah/replication'
import { expect, onTestFinished, test } from 'vitest'
import { startMirror } from './fixture.js'

/** Accepts, and never answers. */
async function deaf(): Promise<string> {
  const server = createServer((socket) => socket.on('error', () => {}))
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/a`
}

test('a mirror that accepts and never answers keeps reads from no other, known or added meanwhile', async () => {
  const { origin } = await startMirror(['a'])
  const ids = Array.from({ length: 30 }, (_, n) => `d${n}`)
  await fetch(`${origin}/v1/a/docs`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: ids.map((id) => JSON.stringify({ id })).join('\n'),
  })
  const db = await open(':memory:')
  onTestFinished(() => db.close())
  const replication = await replicate(db, { mirrors: [await deaf()] })
  onTestFinished(() => replication.close())
  const options = { freshness: 'mirror', waitMs: 10_000 } as const
  const begunMs = performance.now()
  const read = db.read('d1', options)
  await new Promise((resolve) => setImmediate(resolve))
  await replication.addMirror(`${origin}/v1/a`)
  expect(await read).toMatchObject({ doc: { id: 'd1' }, current: true, from: 'mirror' })
  expect((await db.getMany(ids, options)).map((doc) => doc?.id)).toEqual(ids)
  expect(performance.now() - begunMs).toBeLessThan(8_000)
})
