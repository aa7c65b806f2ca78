import { join } from 'node:path'
import { open } from '@mynah/core'
import { httpTransport, replicate, type Transport } from '@mynah/replication'
import { expect, onTestFinished, test } from 'vitest'
import { startMirror, temporaryFolder } from './fixture.js'

/** A network that breaks off every other answer of shards. */
function cutting(): { readonly transport: Transport; readonly asked: string[] } {
  const http = httpTransport()
  const asked: string[] = []
  const request: Transport['request'] = async (one) => {
    const { pathname, searchParams } = new URL(one.url)
    if (!pathname.endsWith('/shards')) return http.request(one)
    asked.push(searchParams.get('after') ?? 'start')
    const answer = await http.request(one)
    if (asked.length % 2 === 0) throw new Error('connection reset')
    return answer
  }
  return { transport: { ...http, request }, asked }
}

test('a mirror is copied over HTTP and cuts, while both sides write; and only by who may have all of it', async () => {
  const data = await temporaryFolder()
  const before = await open(join(data, 'a'), { mode: 'mirror', shardBytes: 4_096 })
  for (let from = 0; from < 30_000; from += 1_000)
    await before.putMany(Array.from({ length: 1_000 }, (_, n) => ({ id: `d${from + n}`, n: from + n })))
  await before.seal()
  await before.close()
  const { origin, server } = await startMirror([], { data })
  const answer = await fetch(`${origin}/v1/a/shards?bytes=1`)
  expect(answer.headers.get('content-type')).toBe('application/vnd.mynah.shards')
  expect(answer.headers.get('mynah-more')).toBe('1')
  const lost = await fetch(`${origin}/v1/a/shards?after=${'1'.repeat(32)}.7`)
  expect([lost.status, await lost.json()]).toMatchObject([410, { code: 'MYNAH_CURSOR_LOST' }])

  const copy = await open(await temporaryFolder(), { mode: 'mirror' })
  onTestFinished(() => copy.close())
  const { transport, asked } = cutting()
  const replication = await replicate(copy, { mirrors: [`${origin}/v1/a`], transport })
  onTestFinished(() => replication.close())
  for (let n = 0; n < 20; n++) {
    await copy.put({ id: `own${n}` })
    await fetch(`${origin}/v1/a/docs/theirs${n}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ n }),
    })
  }
  for (;;) {
    const synced = await replication.sync().then(
      () => true,
      () => false,
    )
    if (synced) break
    replication.pause()
    replication.resume()
  }
  expect(await copy.count()).toBe(30_040)
  expect(await copy.get('d29999')).toMatchObject({ n: 29_999 })
  expect(await copy.stats()).toMatchObject({ notHeld: 0 })
  expect(await copy.verify()).toMatchObject({ ok: true })
  const page = await fetch(`${origin}/v1/a/docs/own19`)
  expect(page.status).toBe(200)
  // What was taken is not asked for again.
  const progress = [...new Set(asked)]
  expect(progress.length).toBeGreaterThan(3)
  expect(asked.filter((one) => one === 'start').length).toBeLessThan(4)
  await server.close()
}, 60_000)
