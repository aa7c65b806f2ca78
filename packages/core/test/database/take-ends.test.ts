import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DiskFault, type DiskOperation, MemoryDisk } from '../../src/compliance.js'
import { type Database, open } from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'
import { seeded } from '../storage/seeded.js'
import { allOf, copyByFeed, copyByShards, live } from './copying.js'

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)
const options = { shardBytes: 1_500, mode: 'mirror' } as const

let source: Database
let all: readonly string[]

beforeAll(async () => {
  source = await open(':memory:', options)
  const other = await open(':memory:', options)
  await live(source, seeded(5), 14)
  await live(other, seeded(6), 6)
  await copyByFeed(other, source)
  await live(source, seeded(7), 8)
  await source.seal()
  all = await allOf(source)
  await other.close()
})

afterAll(() => source.close())

/** What is acknowledged: documents of our own, and how far the source was copied. */
interface Told {
  readonly own: string[]
  seq: number
}

/** Copies the source, writing before, between and after the pages. */
async function work(db: Database, told: Told): Promise<void> {
  const put = async () => {
    const id = `own${told.own.length}`
    await db.put({ id })
    told.own.push(id)
  }
  await put()
  const { seq } = await copyByShards(source, db, told.seq, async (covered) => {
    told.seq = covered
    await put()
  })
  await db.seal()
  await copyByFeed(source, db, seq)
  await put()
}

/** What is there, without what the database wrote itself. */
async function copied(db: Database): Promise<readonly string[]> {
  return (await allOf(db)).filter((one) => !one.startsWith('["own'))
}

/** What a life left holds all that it told, and goes on to the same end as any other. */
async function goesOn(again: Database, told: Told, hint: string): Promise<void> {
  expect(await again.verify(), hint).toMatchObject({ ok: true })
  expect((await again.stats()).damage, hint).toEqual([])
  for (const id of told.own) expect(await again.get(id), `${hint} ${id}`).toBeDefined()
  await work(again, told)
  expect(await copied(again), hint).toEqual(all)
  for (const id of told.own) expect(await again.get(id), `${hint} ${id}`).toBeDefined()
  expect(await again.verify(), hint).toMatchObject({ ok: true })
}

test.each(['kill', 'powerCut'] as const)(
  'whatever ends a copy by shards (%s), it goes on where it stopped, and nothing is lost or called damaged',
  async (what) => {
    let cuts = 0
    for (let at = 0, reached = true; reached; at += 3) {
      let operations = 0
      let struck = () => {}
      const over = new Promise<void>((resolve) => {
        struck = resolve
      })
      const disk = new MemoryDisk({
        random: seeded(seed + at),
        pace: async () => {
          if (operations++ !== at) return
          disk[what]()
          struck()
        },
      })
      const on = () => ({ ...options, storage: disk.storage(), level: (one: string) => disk.level(one) })
      const told: Told = { own: [], seq: 0 }
      const life = open('db', on()).then(async (db) => {
        await work(db, told)
        operations = Number.NEGATIVE_INFINITY
        await db.close()
      })
      await Promise.race([life, over])
      reached = operations > at
      if (reached) cuts += 1
      operations = Number.NEGATIVE_INFINITY
      const again = await open('db', on())
      const hint = `SEED=${seed} ${what} at ${at}`
      await goesOn(again, { own: [...told.own], seq: told.seq }, hint)
      await again.close()
    }
    expect(cuts).toBeGreaterThan(30)
  },
)

test('where the disk refuses an operation, what was told stays, and what comes next takes nobody’s place', async () => {
  let refusals = 0
  for (let at = 0, reached = true; reached; at += 2) {
    let writes = 0
    const writing = (kind: DiskOperation['kind']) =>
      kind === 'append' || kind === 'sync' || kind === 'replace'
    const fault = ({ kind }: DiskOperation): DiskFault | undefined => {
      if (!writing(kind)) return undefined
      writes += 1
      // Two in a row: also what is to take back the first.
      return writes === at || writes === at + 1 ? 'error' : undefined
    }
    const disk = new MemoryDisk({ random: seeded(seed + at), fault })
    const on = () => ({ ...options, storage: disk.storage(), level: (one: string) => disk.level(one) })
    const told: Told = { own: [], seq: 0 }
    const hint = `SEED=${seed} refused at ${at}`
    for (let turn = 0; turn < 2; turn++) {
      const db = await open('db', on()).catch(() => undefined)
      if (db === undefined) continue
      const failed = await work(db, told).then(
        () => false,
        () => true,
      )
      if (failed) refusals += 1
      // The same process goes on, and then ends without a word.
      if (failed) await work(db, told).catch(() => undefined)
      disk.powerCut()
    }
    reached = writes > at
    writes = Number.NEGATIVE_INFINITY
    const again = await open('db', on())
    await goesOn(again, told, hint)
    await again.close()
  }
  expect(refusals).toBeGreaterThan(10)
})

test('a full disk refuses shards with its own error, and takes them when there is room', async () => {
  const disk = new MemoryDisk()
  const on = () => ({ ...options, storage: disk.storage(), level: (one: string) => disk.level(one) })
  const db = await open('db', on())
  const { shards } = await replicaOf(source).shards({ after: 0, bytes: 1e9, records: 1e9 })
  disk.capacityBytes = disk.usedBytes + 2_000
  await expect(replicaOf(db).takeShards(shards)).rejects.toMatchObject({ code: 'MYNAH_DISK_FULL' })
  expect(await db.stats()).toMatchObject({ seq: 0, documents: 0 })
  disk.capacityBytes = Number.POSITIVE_INFINITY
  await replicaOf(db).takeShards(shards)
  expect(await db.verify()).toMatchObject({ ok: true })
  await db.close()
})

test('a sender goes around what it lost, and says so', async () => {
  const disk = new MemoryDisk()
  const on = () => ({ ...options, storage: disk.storage(), level: (one: string) => disk.level(one) })
  const db = await open('db', on())
  await copyByShards(source, db)
  const segment = disk.files().find(({ name }) => name.startsWith('segment'))!
  disk.damage(segment.name, { kind: 'zero', offset: 100, length: 300 })
  const target = await open(':memory:', options)
  let lost = false
  for (let after = 0; ; ) {
    const page = await replicaOf(db).shards({ after, bytes: 2_000, records: 100 })
    lost ||= page.lost
    await replicaOf(target).takeShards(page.shards)
    after = page.position.seq
    if (!page.more) break
  }
  expect(lost).toBe(true)
  await copyByFeed(db, target)
  expect((await target.stats()).root).toEqual((await db.stats()).root)
  await Promise.all([db.close(), target.close()])
})
