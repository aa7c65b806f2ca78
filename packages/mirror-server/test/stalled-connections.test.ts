import { connect } from 'node:net'
import { mediaTypes } from '@mynah/replication/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { serverLimits } from '../src/limits.js'
import { linesOf, startMirror } from './fixture.js'
import { ManualEnv } from './manual-env.js'
import { RawConnection } from './raw-http.js'

const length = 1_000_000
const head = [
  'POST /v1/a/docs HTTP/1.1',
  'host: x',
  'content-type: application/json',
  `content-length: ${length}`,
  'expect: 100-continue',
].join('\r\n')

/** Begins to send a body of a million bytes. */
async function begun(origin: string): Promise<RawConnection> {
  const connection = new RawConnection(origin)
  connection.send(`${head}\r\n\r\n`)
  await connection.until(/100 Continue/)
  return connection
}

/** Lets a time pass in steps, each with something said to the server before. */
async function pass(env: ManualEnv, origin: string, ms: number, each: () => void = () => {}): Promise<void> {
  for (let passed = 0; passed < ms; passed += serverLimits.stalledLookMs) {
    each()
    // What was sent before on other connections is there when this is answered.
    expect((await fetch(`${origin}/health`)).status).toBe(200)
    env.advance(serverLimits.stalledLookMs)
  }
}

test('who sends nothing of a body, or a byte now and then, is dropped; who sends slowly is not', async () => {
  const env = new ManualEnv()
  const { origin } = await startMirror(['a'], { env })
  const silent = await begun(origin)
  const dripping = await begun(origin)
  const slow = await begun(origin)
  slow.send('{"text":"')
  await pass(env, origin, serverLimits.stalledMs + 2 * serverLimits.stalledLookMs, () => {
    dripping.send(' ')
    slow.send('x'.repeat(serverLimits.stalledBytes / 2))
  })
  for (const dropped of [silent, dripping]) expect(await dropped.ended()).not.toMatch(/HTTP\/1.1 [2345]/)
  const sent = 9 + 6 * (serverLimits.stalledBytes / 2)
  slow.send(`${'x'.repeat(length - sent - 2)}"}`)
  expect(await slow.until(/HTTP\/1.1 201 Created/)).toMatch(/201 Created/)
})

test('who does not take an answer is dropped; a quiet feed and work that takes long are not', async () => {
  const env = new ManualEnv()
  const { origin } = await startMirror(['a'], { env })
  const type = { 'content-type': 'application/json' }
  const text = 'x'.repeat(7_000_000)
  for (const id of ['one', 'two'])
    await fetch(`${origin}/v1/a/docs/${id}`, { method: 'PUT', headers: type, body: JSON.stringify({ text }) })
  const stuck = connect(Number(new URL(origin).port), '127.0.0.1').pause()
  onTestFinished(() => void stuck.destroy())
  const dropped = new Promise((resolve) => stuck.once('close', resolve))
  stuck.on('error', () => {})
  stuck.write('GET /v1/a/docs/one HTTP/1.1\r\nhost: x\r\n\r\n')
  const feed = await fetch(`${origin}/v1/a/records/live`)
  expect(feed.headers.get('content-type')).toBe(mediaTypes.lines)
  const lines = linesOf(feed)
  await lines.next()
  // It is being answered when others are.
  await new Promise((resolve) => stuck.once('readable', resolve))
  await pass(env, origin, serverLimits.stalledMs + 2 * serverLimits.stalledLookMs)
  stuck.resume()
  await dropped
  expect(stuck.bytesRead).toBeLessThan(7_000_000)
  expect((await lines.next()).done).toBe(false)
})
