import type { Database } from '@mynah/core'
import { type LogRecord, replicaOf } from '@mynah/core/replica'
import type { Replication } from '@mynah/replication'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ManualEnv, rounds, until } from './manual-env.js'
import { MemoryMirror } from './memory-mirror.js'
import { count, inboxOf, isLive, isQuiet, known, Rig, recover } from './rig.js'

let rig: Rig
beforeEach(() => {
  rig = new Rig()
})
afterEach(() => rig[Symbol.asyncDispose]())

/** What the mirror has of the document: its leaves, those without a body marked. */
async function leavesAt(mirror: MemoryMirror | Database, id: string): Promise<readonly string[]> {
  const replica = mirror instanceof MemoryMirror ? mirror.replica : replicaOf(mirror)
  const told = ({ rev, kind, deleted }: LogRecord) =>
    `${rev}${deleted ? ' deleted' : ''}${kind === 'stub' ? ' not held' : ''}`
  return (await replica.leaves(id)).map(told)
}

/** Writes A on the peer, has B made of it at the mirror, and pulls that as a stub. */
async function superseded(
  db: Database,
  mirror: MemoryMirror,
  replication: Replication,
  id = 'doc',
): Promise<{ readonly a: string; readonly b: string }> {
  const { rev: a } = await db.put({ id, v: 'A' })
  await replication.synced()
  const { rev: b } = await mirror.database.put({ id, rev: a, v: 'B' })
  await pulled(db, replication, id, b)
  return { a, b }
}

async function pulled(db: Database, replication: Replication, id: string, rev: string): Promise<void> {
  await replication.sync()
  expect(await leavesAt(db, id)).toContainEqual(expect.stringMatching(`^${rev}.* not held$`))
}

async function again(env: ManualEnv, replication: Replication, mirror: MemoryMirror, now: Database) {
  mirror.replace(now)
  await until(() => !isLive(replication))
  mirror.asked.length = 0
  await recover(env, replication, () => isLive(replication) && isQuiet(replication))
  await replication.synced()
}

test('a mirror that lost all gets what its peer holds under a leaf that nobody holds', async () => {
  const [db, mirror, env] = [await rig.database(), await rig.mirror(), new ManualEnv()]
  const replication = await rig.replicate(db, mirror, { env })
  const { a, b } = await superseded(db, mirror, replication)
  await again(env, replication, mirror, await rig.database('mirror'))
  expect(await leavesAt(mirror, 'doc')).toEqual([a])
  expect(await mirror.database.get('doc')).toEqual({ id: 'doc', rev: a, v: 'A' })
  expect(await leavesAt(db, 'doc')).toEqual([`${b} not held`])
  expect(await inboxOf(replication)).toEqual([])
})

test('synced waits for it', async () => {
  const [db, mirror, env] = [await rig.database(), await rig.mirror(), new ManualEnv()]
  const first = await rig.replicate(db, mirror, { env })
  const { a } = await superseded(db, mirror, first)
  await first.close()
  const other = await rig.mirror()
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  other.delay = (asked) => (asked === 'POST /records' ? gate : undefined)
  mirror.replace(await rig.database('mirror'))
  mirror.fault = () => 'refuse'
  await first.close()
  const second = await rig.replicate(db, other, { env, mirrors: ['http://mirror.test/v1/other'] })
  await second.removeMirror('http://mirror.test/v1/sensors')
  let done = false
  const synced = second.synced().then(() => {
    done = true
  })
  await until(() => count(other, 'POST /records') === 1)
  await rounds()
  expect(done).toBe(false)
  open()
  await synced
  expect(await leavesAt(other, 'doc')).toEqual([a])
})

test('a mirror restored from before it gets it, one that still has it is not sent it', async () => {
  const [db, env, folder] = [await rig.database(), new ManualEnv(), await rig.folder()]
  const mirror = await MemoryMirror.with(await rig.database('mirror', folder))
  const replication = await rig.replicate(db, mirror, { env })
  const { rev: first } = await db.put({ id: 'early', v: 'A' })
  await replication.synced()
  const stop = async () => {
    replication.pause()
    await until(() => mirror.streams === 0)
    await mirror.database.close()
    const copy = await rig.copy(folder)
    mirror.replace(await rig.database('mirror', folder))
    replication.resume()
    return copy
  }
  const copy = await stop()
  const late = await superseded(db, mirror, replication, 'late')
  const { rev: next } = await mirror.database.put({ id: 'early', rev: first, v: 'B' })
  await pulled(db, replication, 'early', next)
  let sent = 0
  mirror.fault = (asked) => {
    if (asked === 'POST /records') sent += 1
    return undefined
  }
  await again(env, replication, mirror, await rig.database('mirror', copy))
  expect(await leavesAt(mirror, 'late')).toEqual([late.a])
  expect(await leavesAt(mirror, 'early')).toEqual([first])
  expect(sent).toBe(1)
  expect((await mirror.database.stats()).documents).toBe(2)
})

test('another mirror with a valid checkpoint from before is asked too', async () => {
  const db = await rig.database()
  const [one, two] = [await rig.mirror(), await rig.mirror()]
  await db.put({ id: 'before' })
  const at = { mirrors: ['http://mirror.test/v1/sensors'], live: false } as const
  const early = await rig.replicate(db, two, at)
  await early.sync()
  await early.close()
  const replication = await rig.replicate(db, one, at)
  const { a } = await superseded(db, one, replication)
  await replication.close()
  const late = await rig.replicate(db, two, at)
  await late.sync()
  await late.synced()
  expect(await leavesAt(two, 'doc')).toEqual([a])
})

test('a deletion that is known only by its rev is told to a mirror that lost it', async () => {
  const [db, writer, env, folder] = [
    await rig.database(),
    await rig.database(),
    new ManualEnv(),
    await rig.folder(),
  ]
  const mirror = await MemoryMirror.with(await rig.database('mirror', folder))
  const others = await rig.replicate(writer, mirror, { env: new ManualEnv() })
  const { rev } = await writer.put({ id: 'doc', v: 'A' })
  await others.synced()
  others.pause()
  await until(() => mirror.streams === 0)
  await mirror.database.close()
  const old = await rig.copy(folder)
  mirror.replace(await rig.database('mirror', folder))

  const replication = await rig.replicate(db, mirror, { env })
  await mirror.database.delete({ id: 'doc', rev })
  await replication.sync()
  const [stub] = await leavesAt(db, 'doc')
  expect(stub).toMatch(/ deleted not held$/)
  await others.close()
  await again(env, replication, mirror, await rig.database('mirror', old))
  expect(await mirror.database.get('doc')).toBeUndefined()
  expect(await leavesAt(mirror, 'doc')).toEqual([stub!.replace(' not held', '')])
})

test('a deletion between what is held and the leaf is told, and what it deleted does not return', async () => {
  const [db, mirror, env] = [await rig.database(), await rig.mirror(), new ManualEnv()]
  const replication = await rig.replicate(db, mirror, { env })
  const { rev } = await db.put({ id: 'doc', v: 'A' })
  await replication.synced()
  replication.pause()
  await until(() => mirror.streams === 0)
  await mirror.database.delete({ id: 'doc', rev })
  const { rev: b } = await mirror.database.put({ id: 'doc', v: 'B' })
  replication.resume()
  await pulled(db, replication, 'doc', b)
  await again(env, replication, mirror, await rig.database('mirror'))
  expect(await mirror.database.get('doc')).toBeUndefined()
  expect(await leavesAt(mirror, 'doc')).toEqual([expect.stringMatching(/^2-.* deleted$/)])
})

test('what another leaf has as an ancestor is not sent beside it', async () => {
  const [db, mirror, env] = [await rig.database(), await rig.mirror(), new ManualEnv()]
  const replication = await rig.replicate(db, mirror, { env })
  const { rev: a } = await db.put({ id: 'doc', v: 'A' })
  await replication.synced()
  replication.pause()
  await until(() => mirror.streams === 0)
  const { rev: c } = await db.put({ id: 'doc', rev: a, v: 'C' })
  const { rev: b } = await mirror.database.put({ id: 'doc', rev: a, v: 'B' })
  replication.resume()
  await pulled(db, replication, 'doc', b)
  await again(env, replication, mirror, await rig.database('mirror'))
  expect(await leavesAt(mirror, 'doc')).toEqual([c])
  expect(count(mirror, 'POST /records')).toBe(1)
  expect(await leavesAt(db, 'doc')).toEqual([c, `${b} not held`].sort().reverse())
})

test('siblings that nobody holds bring what is under each', async () => {
  const [db, mirror, env] = [await rig.database(), await rig.mirror(), new ManualEnv()]
  const replication = await rig.replicate(db, mirror, { env })
  const { rev: a } = await db.put({ id: 'doc', v: 'A' })
  await replication.synced()
  replication.pause()
  await until(() => mirror.streams === 0)
  const { rev: a2 } = await db.put({ id: 'doc', rev: a, v: 'A2' })
  const { rev: b1 } = await mirror.database.put({ id: 'doc', rev: a, v: 'B1' })
  replication.resume()
  await replication.synced()
  const { rev: b2 } = await mirror.database.put({ id: 'doc', rev: a2, v: 'B2' })
  await pulled(db, replication, 'doc', b2)
  expect(await leavesAt(db, 'doc')).toEqual([`${b2} not held`, `${b1} not held`])
  await again(env, replication, mirror, await rig.database('mirror'))
  expect(await leavesAt(mirror, 'doc')).toEqual([a2])
})

test('the leaf supersedes it again when somebody has it after all', async () => {
  const [db, mirror, env] = [await rig.database(), await rig.mirror(), new ManualEnv()]
  const reader = await rig.database()
  const replication = await rig.replicate(db, mirror, { env })
  const { a, b } = await superseded(db, mirror, replication)
  const reading = await rig.replicate(reader, mirror, { hold: 'all' })
  await reading.sync()
  await reading.close()
  await again(env, replication, mirror, await rig.database('mirror'))
  expect(await leavesAt(mirror, 'doc')).toEqual([a])
  const back = await rig.replicate(reader, mirror, { hold: 'all' })
  await back.sync()
  expect(await leavesAt(mirror, 'doc')).toEqual([b])
  await replication.sync()
  expect(await known(db)).toEqual(await known(mirror.database))
})

test('a mirror that owes a body tells another mirror what it holds under it', async () => {
  const [one, two] = [await rig.mirror(), await rig.mirror()]
  const owing = await rig.database('mirror')
  const { rev: a } = await owing.put({ id: 'doc', v: 'A' })
  const replication = await rig.replicate(owing, one)
  await replication.synced()
  const { rev: b } = await one.database.put({ id: 'doc', rev: a, v: 'B' })
  const { records } = await one.replica.feed({ since: 0, bodies: false })
  await replication.close()
  await replicaOf(owing).merge(records)
  expect(await leavesAt(owing, 'doc')).toEqual([`${b} not held`])
  const other = await rig.replicate(owing, two)
  await other.removeMirror('http://mirror.test/v1/sensors').catch(() => {})
  await other.addMirror('http://mirror.test/v1/other')
  await other.sync()
  expect(await leavesAt(two, 'doc')).toEqual([a])
})

test('what was refused is sent again when it is to be', async () => {
  const [db, mirror, env] = [await rig.database(), await rig.mirror(), new ManualEnv()]
  const replication = await rig.replicate(db, mirror, { env })
  const { a } = await superseded(db, mirror, replication)
  mirror.refuses = () => 'not now'
  mirror.replace(await rig.database('mirror'))
  await until(() => !isLive(replication))
  await recover(env, replication, () => isLive(replication) && isQuiet(replication))
  expect(await inboxOf(replication)).toMatchObject([{ id: 'doc', rev: a }])
  await expect(replication.synced()).rejects.toThrow('not now')
  mirror.refuses = () => undefined
  await replication.retry('doc')
  expect(await inboxOf(replication)).toEqual([])
  expect(await leavesAt(mirror, 'doc')).toEqual([a])
})

test('what came from the mirror itself is not asked about, in this session or the next', async () => {
  const [db, mirror, env] = [await rig.database(), await rig.mirror(), new ManualEnv()]
  const replication = await rig.replicate(db, mirror, { env })
  await db.put({ id: 'first' })
  await replication.synced()
  const asked = count(mirror, 'POST /records/missing')
  for (let n = 0; n < 20; n++) await superseded(db, mirror, replication, `doc${n}`)
  await until(() => isQuiet(replication))
  await replication.sync()
  expect(count(mirror, 'POST /records/missing')).toBe(asked)
  for (let session = 0; session < 3; session++) {
    mirror.cut()
    await until(() => !isLive(replication))
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
    await replication.sync()
  }
  await replication.close()
  const next = await rig.replicate(db, mirror, { env })
  await next.sync()
  await next.sync()
  expect(count(mirror, 'POST /records/missing')).toBe(asked)
})

test('what the mirror lacks and nothing is held under is asked about once', async () => {
  const [db, mirror, env] = [await rig.database(), await rig.mirror(), new ManualEnv()]
  const replication = await rig.replicate(db, mirror, { env })
  for (let n = 0; n < 20; n++) await mirror.database.put({ id: `doc${n}` })
  await replication.sync()
  await again(env, replication, mirror, await rig.database('mirror'))
  const asked = count(mirror, 'POST /records/missing')
  expect(asked).toBe(1)
  for (let session = 0; session < 3; session++) {
    mirror.cut()
    await until(() => !isLive(replication))
    await recover(env, replication, () => isLive(replication) && isQuiet(replication))
  }
  expect(count(mirror, 'POST /records/missing')).toBe(asked)
  expect(count(mirror, 'POST /records')).toBe(0)
})
