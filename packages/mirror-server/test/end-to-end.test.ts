import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Database, open } from '@mynah/core'
import { type Replication, replicate } from '@mynah/replication'
import { expect, onTestFinished, test } from 'vitest'
import { ready, run } from './child.js'
import { startMirror, temporaryFolder } from './fixture.js'

interface Peer {
  readonly database: Database
  readonly replication: Replication
}

/** A peer on disk that replicates with the mirrors. An hour between polls: what arrives sooner was told live. */
async function replicatingPeer(url: string, options: { readonly hold?: 'all' } = {}): Promise<Peer> {
  const database = await open(await temporaryFolder())
  onTestFinished(() => database.close())
  const replication = await replicate(database, { mirrors: [url], intervalMs: 3_600_000, ...options })
  onTestFinished(() => replication.close())
  return { database, replication }
}

const portOf = (origin: string) => Number(new URL(origin).port)

/** The first change of the document, as it comes. */
async function changeOf(database: Database, id: string): Promise<void> {
  for await (const change of database.changes({ live: true })) if (change.id === id) return
}

test('documents flow both ways; what a peer does not hold it fetches when asked', async () => {
  const { origin } = await startMirror(['a'])
  const url = `${origin}/v1/a`
  const one = await replicatingPeer(url)
  const two = await replicatingPeer(url)
  await one.database.putMany(Array.from({ length: 300 }, (_, n) => ({ id: `one/${n}`, n })))
  await two.database.putMany(Array.from({ length: 300 }, (_, n) => ({ id: `two/${n}`, n })))
  await Promise.all([one.replication.synced(), two.replication.synced()])
  await Promise.all([one.replication.sync(), two.replication.sync()])
  expect(await one.database.count()).toBe(600)
  expect(await two.database.count()).toBe(600)
  expect(await two.database.read('one/7')).toMatchObject({ doc: { n: 7 }, from: 'mirror', current: true })
  expect(await two.database.read('one/7')).toMatchObject({ doc: { n: 7 }, from: 'local', current: true })
  expect(await one.database.read('two/9')).toMatchObject({ doc: { n: 9 }, from: 'mirror', current: true })
})

test('a peer that holds all needs nobody to read', async () => {
  const { origin, server } = await startMirror(['a'])
  const one = await replicatingPeer(`${origin}/v1/a`)
  const two = await replicatingPeer(`${origin}/v1/a`, { hold: 'all' })
  await one.database.put({ id: 'x', n: 1 })
  await one.replication.synced()
  await two.replication.sync()
  await server.close()
  expect(await two.database.get('x')).toMatchObject({ n: 1 })
})

test('a change reaches a connected peer at once', async () => {
  const { origin } = await startMirror(['a'])
  const one = await replicatingPeer(`${origin}/v1/a`)
  const two = await replicatingPeer(`${origin}/v1/a`)
  await Promise.all([one.replication.sync(), two.replication.sync()])
  for (let n = 0; n < 20; n++) {
    const seen = changeOf(two.database, `x${n}`)
    const begun = performance.now()
    await one.database.put({ id: `x${n}` })
    await seen
    expect(performance.now() - begun).toBeLessThan(2_000)
  }
})

test('edits of the same documents on both sides end in the same winner and the same conflicts', async () => {
  const { origin } = await startMirror(['a'])
  const one = await replicatingPeer(`${origin}/v1/a`)
  const two = await replicatingPeer(`${origin}/v1/a`)
  const ids = Array.from({ length: 50 }, (_, n) => `d${n}`)
  await one.database.putMany(ids.map((id) => ({ id, by: 'one' })))
  await two.database.putMany(ids.map((id) => ({ id, by: 'two' })))
  await Promise.all([one.replication.synced(), two.replication.synced()])
  await Promise.all([one.replication.sync(), two.replication.sync()])
  for (const id of ids) {
    const [first, second] = await Promise.all([one.database.read(id), two.database.read(id)])
    expect(first.doc?.rev).toBe(second.doc?.rev)
    expect(first.conflicts).toHaveLength(1)
    expect(first.conflicts).toEqual(second.conflicts)
    const mirrored = (await (await fetch(`${origin}/v1/a/docs/${id}`)).json()) as { rev: string }
    expect(mirrored.rev).toBe(first.doc?.rev)
  }
})

test('a mirror that went away and came back is caught up with', async () => {
  const first = await startMirror(['a'])
  const one = await replicatingPeer(`${first.origin}/v1/a`)
  const two = await replicatingPeer(`${first.origin}/v1/a`)
  await one.database.put({ id: 'before' })
  await one.replication.synced()
  await first.server.close()
  await one.database.put({ id: 'meanwhile' })
  expect(await one.database.get('meanwhile')).toBeDefined()
  const arrived = changeOf(two.database, 'meanwhile')
  await startMirror([], { data: first.data, port: portOf(first.origin) })
  await one.replication.synced()
  await arrived
})

test('a mirror whose database was lost gets everything again, and its peers lose nothing', async () => {
  const first = await startMirror(['a'])
  const one = await replicatingPeer(`${first.origin}/v1/a`)
  const two = await replicatingPeer(`${first.origin}/v1/a`, { hold: 'all' })
  await one.database.putMany(Array.from({ length: 100 }, (_, n) => ({ id: `one/${n}`, n })))
  await two.database.putMany(Array.from({ length: 100 }, (_, n) => ({ id: `two/${n}`, n })))
  await Promise.all([one.replication.synced(), two.replication.synced()])
  await Promise.all([one.replication.sync(), two.replication.sync()])
  await first.server.close()
  await rm(join(first.data, 'a'), { recursive: true })
  const second = await startMirror(['a'], { data: first.data, port: portOf(first.origin) })
  await one.database.put({ id: 'after' })
  await Promise.all([one.replication.synced(), two.replication.synced()])
  await Promise.all([one.replication.sync(), two.replication.sync()])
  const info = (await (await fetch(`${second.origin}/v1/a`)).json()) as { documents: number }
  expect(info.documents).toBe(201)
  expect(await two.database.get('after')).toBeDefined()
  expect(await one.database.get('two/5')).toMatchObject({ n: 5 })
})

test('a mirror that is killed again and again loses nothing, and nothing is there twice', async () => {
  const data = await temporaryFolder()
  let mirror = run(['serve', '--data', data, '--port', '0', '--create', 'a'])
  const { origin } = await ready(mirror)
  const one = await replicatingPeer(`${origin}/v1/a`)
  const two = await replicatingPeer(`${origin}/v1/a`, { hold: 'all' })
  const ids: string[] = []
  for (let kill = 0; kill < 4; kill++) {
    for (let n = 0; n < 50; n++) {
      const { id } = await (n % 2 === 0 ? one : two).database.put({ kill, n })
      ids.push(id)
    }
    mirror.kill('SIGKILL')
    await once(mirror, 'close')
    mirror = run(['serve', '--data', data, '--port', String(portOf(origin))])
    await ready(mirror)
  }
  // Asked for rather than waited for: the peers may be resting after so many failures.
  await Promise.all([one.replication.sync(), two.replication.sync()])
  await Promise.all([one.replication.sync(), two.replication.sync()])
  const info = (await (await fetch(`${origin}/v1/a`)).json()) as { documents: number }
  expect(info.documents).toBe(ids.length)
  expect(await two.database.count()).toBe(ids.length)
  for (const id of ids) {
    const { doc, conflicts } = await two.database.read(id, { freshness: 'local' })
    expect([id, doc?.id, conflicts.length]).toEqual([id, id, 0])
  }
})
