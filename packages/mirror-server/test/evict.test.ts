import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Database, open } from '@mynah/core'
import { replicaOf } from '@mynah/core/replica'
import { type Replication, replicate } from '@mynah/replication'
import { decodeHeld, encodeLeaves, mediaTypes } from '@mynah/replication/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { startMirror, startPeer, temporaryFolder } from './fixture.js'

const DOCS = 100
const ids = Array.from({ length: DOCS }, (_, n) => `d${n}`)

async function replicating(
  location: string,
  url: string,
): Promise<{ readonly database: Database; readonly replication: Replication }> {
  const database = await open(location)
  onTestFinished(() => database.close())
  const replication = await replicate(database, { mirrors: [url], intervalMs: 3_600_000 })
  onTestFinished(() => replication.close())
  return { database, replication }
}

test('a peer drops over HTTP what the mirror has, and reads it again', async () => {
  const { origin, server } = await startMirror(['a'])
  const location = await temporaryFolder()
  const { database, replication } = await replicating(location, `${origin}/v1/a`)
  await database.putMany(ids.map((id, n) => ({ id, n })))
  await replication.synced()
  expect(await database.evict(ids)).toBe(DOCS)
  expect(await database.evict(ids)).toBe(0)
  expect(await database.stats()).toMatchObject({ documents: DOCS, notHeld: DOCS, owed: 0 })
  expect(await database.read('d7')).toMatchObject({ doc: { n: 7 }, current: true, from: 'mirror' })
  expect(replicaOf(database).position().seq).toBe(2 * DOCS + 1)
  await database.close()
  await server.close()
  const again = await open(location)
  onTestFinished(() => again.close())
  expect(await again.stats()).toMatchObject({ documents: DOCS, notHeld: DOCS - 1 })
  await expect(again.evict(['d7'])).rejects.toMatchObject({ code: 'MYNAH_UNCONFIRMED' })
  expect(await again.get('d7', { freshness: 'local' })).toMatchObject({ n: 7 })
})

test('nothing is dropped when the mirror is gone, or came back without its data', async () => {
  const first = await startMirror(['a'])
  const { database, replication } = await replicating(await temporaryFolder(), `${first.origin}/v1/a`)
  await database.putMany(ids.map((id, n) => ({ id, n })))
  await replication.synced()
  await first.server.close()
  await expect(database.evict(ids)).rejects.toMatchObject({ code: 'MYNAH_UNCONFIRMED' })
  replication.pause()
  await rm(join(first.data, 'a'), { recursive: true })
  const port = Number(new URL(first.origin).port)
  const second = await startMirror(['a'], { data: first.data, port })
  replication.resume()
  // Asked before or after it was given all again: never in between.
  const evicted = await database.evict(ids).catch(() => 0)
  await replication.synced()
  const info = (await (await fetch(`${second.origin}/v1/a`)).json()) as { documents: number }
  expect(info.documents).toBe(DOCS)
  expect((await database.stats()).notHeld).toBe(evicted)
  expect((await database.getMany(ids)).map((doc) => doc?.n)).toEqual(ids.map((_, n) => n))
})

test('the answer names the database and its mode, and what it holds', async () => {
  const { origin } = await startMirror(['a'])
  const { database, replica } = await startPeer([{ id: 'a' }, { id: 'b' }])
  const url = `${origin}/v1/a`
  const replication = await replicate(database, { mirrors: [url] })
  onTestFinished(() => replication.close())
  await replication.synced()
  const { records } = await replica.feed({ since: 0, bodies: false })
  const asked = [...records, { id: 'a', rev: '1-x' }]
  const response = await fetch(`${url}/records/held`, {
    method: 'POST',
    headers: { 'content-type': mediaTypes.message },
    body: encodeLeaves(asked),
  })
  const info = (await (await fetch(url)).json()) as { id: string }
  const answer = decodeHeld(new Uint8Array(await response.arrayBuffer()), asked.length)
  expect(answer).toEqual({ id: info.id, mode: 'mirror', held: [true, true, false] })
})
