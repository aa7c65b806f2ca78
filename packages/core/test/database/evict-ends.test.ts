import { expect, test } from 'vitest'
import { MemoryDisk } from '../../src/compliance.js'
import { type Database, open } from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'
import { seeded } from '../storage/seeded.js'
import { MirrorSource, tellAll } from './mirror-source.js'

const DOCS = 12
const ids = Array.from({ length: DOCS }, (_, n) => `d${n}`)
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)

/** What the feed tells, without what is held. */
async function told(db: Database): Promise<string[]> {
  const { records } = await replicaOf(db).feed({ since: 0, bodies: false, whole: true })
  return records.map(({ id, rev, path, deleted }) => [id, rev, path, deleted].join(' '))
}

/** Writes, pushes, evicts, reads and writes again, until the disk stops it. */
async function work(db: Database, mirror: Database, written: Map<string, number>): Promise<void> {
  replicaOf(db).useSource(new MirrorSource(mirror))
  const put = async (id: string, n: number) => {
    await db.put({ id, n }, { overwrite: true })
    written.set(id, n)
  }
  for (const id of ids) await put(id, 1)
  await tellAll(db, mirror, { bodies: true })
  await put('d1', 2)
  await db.evict(ids)
  await db.getMany(['d2', 'd3'])
  await put('d4', 2)
  await db.seal()
  await db.evict(ids)
}

test.each(['kill', 'powerCut'] as const)(
  'whatever ends an eviction (%s), nothing is lost with it',
  async (what) => {
    let cuts = 0
    for (let at = 0, reached = true; reached; at += 2) {
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
      const on = () => ({ storage: disk.storage(), level: (one: string) => disk.level(one) })
      const mirror = await open(':memory:', { mode: 'mirror' })
      const written = new Map<string, number>()
      const life = open('db', on()).then(async (db) => {
        await work(db, mirror, written)
        operations = Number.NEGATIVE_INFINITY
        await db.close()
      })
      await Promise.race([life, over])
      reached = operations > at
      if (reached) cuts += 1
      operations = Number.NEGATIVE_INFINITY
      const hint = `SEED=${seed} ${what} at ${at}`
      const again = await open('db', on())
      replicaOf(again).useSource(new MirrorSource(mirror))
      for (const [id, n] of written)
        expect((await again.get(id))?.n, `${hint} ${id}`).toBeGreaterThanOrEqual(n)
      expect(await again.verify(), hint).toMatchObject({ ok: true })
      // A twin that never dropped anything.
      const twin = await open(':memory:')
      await tellAll(again, twin, { bodies: true })
      expect((await again.stats()).root, hint).toEqual((await twin.stats()).root)
      expect(await told(twin), hint).toEqual(await told(again))
      await Promise.all([again.close(), twin.close(), mirror.close()])
    }
    expect(cuts).toBeGreaterThan(10)
  },
)
