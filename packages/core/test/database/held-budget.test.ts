import { afterEach, beforeEach, expect, test } from 'vitest'
import { MemoryDisk } from '../../src/compliance.js'
import { type Database, type Env, nodeEnv, open, UnreachableError } from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'
import { MirrorSource, tellAll } from './mirror-source.js'

let disk: MemoryDisk
let mirror: Database
let peer: Database
let source: MirrorSource
/** What waits for a time to pass. */
let timers: Set<() => void>

const env: Env = {
  ...nodeEnv,
  setTimer(callback) {
    timers.add(callback)
    return { cancel: () => timers.delete(callback) }
  },
}

async function openPeer(heldBytes: number): Promise<Database> {
  const db = await open('peer', {
    storage: disk.storage(),
    level: (at) => disk.level(at),
    env,
    heldBytes,
    shardBytes: 4_000,
  })
  replicaOf(db).useSource(source)
  return db
}

async function reopen(heldBytes: number): Promise<void> {
  await peer.close()
  peer = await openPeer(heldBytes)
}

/** Lets all timers fire, again and again, until the condition holds. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    for (const fire of [...timers]) {
      timers.delete(fire)
      fire()
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const within = (bytes: number) => until(async () => ((await peer.stats()).heldBytes ?? Number.NaN) <= bytes)
const over = (why: string | undefined) => until(async () => (await peer.stats()).heldOver === why)

async function put(from: number, to: number): Promise<void> {
  const docs = Array.from({ length: to - from }, (_, n) => ({ id: `d${from + n}`, text: 'x'.repeat(100) }))
  await peer.putMany(docs)
}

const push = () => tellAll(peer, mirror, { bodies: true })

async function heldIds(): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of peer.list()) ids.push(id)
  return ids
}

beforeEach(async () => {
  timers = new Set()
  disk = new MemoryDisk()
  mirror = await open(':memory:', { mode: 'mirror' })
  source = new MirrorSource(mirror)
  peer = await openPeer(50_000)
})
afterEach(() => Promise.all([peer.close(), mirror.close()]))

test('what was written first goes first, until a little more than needed is free', async () => {
  await put(0, 200)
  await push()
  await until(async () => (await peer.stats()).heldBytes !== undefined)
  const one = (await peer.stats()).heldBytes! / 200
  expect(one).toBeGreaterThan(100)
  await put(200, 600)
  await push()
  await within(50_000)
  const { heldBytes, documents, root } = await peer.stats()
  expect(heldBytes).toBeGreaterThan(40_000)
  const held = await heldIds()
  expect(held).toContain('d599')
  expect(held).not.toContain('d0')
  expect(Math.abs(held.length * one - heldBytes!)).toBeLessThan(2_000)
  expect(documents).toBe(600)
  expect(root).toEqual((await mirror.stats()).root)
  await over(undefined)
})

test('what is read is spared, and what is fetched counts anew', async () => {
  await put(0, 200)
  await push()
  for (let n = 0; n < 20; n++) await peer.get(`d${n}`)
  await put(200, 500)
  await push()
  await within(50_000)
  const held = await heldIds()
  expect(held).toEqual(expect.arrayContaining(['d0', 'd7', 'd19', 'd499']))
  expect(held).not.toContain('d20')
  for (let n = 20; n < 420; n++) await peer.get(`d${n}`)
  await within(50_000)
  expect((await peer.stats()).heldOver).toBeUndefined()
})

test('pins and what no mirror has stay, and the stats say why', async () => {
  await put(0, 600)
  await peer.pin(Array.from({ length: 400 }, (_, n) => `d${n}`))
  await over('kept')
  expect((await heldIds()).length).toBe(600)
  await push()
  await until(async () => (await heldIds()).length === 400)
  await over('kept')
  await peer.unpin(Array.from({ length: 400 }, (_, n) => `d${n}`))
  source.meanwhile = () => Promise.reject(new UnreachableError('d0'))
  await over('unreachable')
  expect((await heldIds()).length).toBe(400)
  source.meanwhile = async () => undefined
  await within(50_000)
  await over(undefined)
})

test('after a restart what is held is counted anew, sealed or not', async () => {
  await put(0, 300)
  await push()
  await until(async () => (await peer.stats()).heldBytes !== undefined)
  const { heldBytes } = await peer.stats()
  await peer.seal()
  await reopen(1_000_000)
  await until(async () => (await peer.stats()).heldBytes !== undefined)
  expect((await peer.stats()).heldBytes).toBe(heldBytes)
  await put(300, 310)
  await peer.delete('d0')
  await reopen(8_000)
  await push()
  await within(8_000)
  expect(await heldIds()).toContain('d309')
  await peer.evict(await heldIds())
  expect((await peer.stats()).heldBytes).toBe(0)
})

test('without a budget nothing is counted; one that is none is refused; where all is to be held it says so', async () => {
  expect((await mirror.stats()).heldBytes).toBeUndefined()
  await expect(open(':memory:', { heldBytes: -1 })).rejects.toThrow(RangeError)
  const all = await open(':memory:', { heldBytes: 10, env, mode: 'mirror' })
  await all.put({ id: 'a', text: 'x'.repeat(100) })
  await until(async () => (await all.stats()).heldOver === 'kept')
  await all.close()
})
