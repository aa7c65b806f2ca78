import fc from 'fast-check'
import { expect, test } from 'vitest'
import { open } from '../../src/index.js'
import { type FeedOptions, type Replica, replicaOf } from '../../src/replica.js'
import { MemoryDisk } from '../../src/storage/memory-disk.js'

const prefixes = ['a/', 'c']

/** What may happen between two pages. */
const events = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put' as const), n: fc.nat(40) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), n: fc.nat(40) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('page' as const), bytes: fc.constantFrom(1, 150, 900) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('seal', 'compact', 'reopen', 'forget') }) },
)

function idOf(n: number): string {
  return `${['a/', 'b', 'c', 'd'][n % 4]}${n}`
}

/** One who takes a part of a replica's documents, page by page, and keeps how far it came only. */
class Taker {
  next: Pick<FeedOptions, 'since' | 'resume'> = { since: 0 }
  constructor(
    readonly source: () => Replica,
    readonly own: Replica,
  ) {}

  /** Whether it has come to the end. */
  async page(bytes: number): Promise<boolean> {
    const page = await this.source().feed({ ...this.next, bodies: true, prefixes, bytes })
    const { outcomes } = await this.own.merge(page.records)
    expect(outcomes.filter(({ result }) => result === 'detached' || result === 'refused')).toEqual([])
    const { position, after } = page
    expect(this.source().holds(position)).toBe(true)
    if (after === undefined) this.next = { since: position.seq }
    else this.next = { since: this.next.since, resume: { until: position.seq, after } }
    return !page.more
  }
}

test('who takes a part page by page comes to know all of it, whatever changes meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(events, { minLength: 10, maxLength: 60 }), async (steps) => {
      const disk = new MemoryDisk()
      const options = { storage: disk.storage(), level: (at: string) => disk.level(at), shardBytes: 300 }
      let db = await open('/source', options)
      const own = await open(':memory:')
      const taker = new Taker(() => replicaOf(db), replicaOf(own))
      let value = 0
      for (const step of steps) {
        if (step.kind === 'put') await db.put({ id: idOf(step.n), value: value++ }, { overwrite: true })
        else if (step.kind === 'delete') await db.delete(idOf(step.n))
        else if (step.kind === 'page') await taker.page(step.bytes)
        else if (step.kind === 'seal') await db.seal()
        else if (step.kind === 'compact') await db.compact()
        else if (step.kind === 'reopen') {
          await db.close()
          db = await open('/source', options)
        } else if (taker.next.resume !== undefined) taker.next = { since: taker.next.since }
      }
      for (let pages = 0; !(await taker.page(200)); pages++) expect(pages).toBeLessThan(500)
      for (const prefix of ['a/', 'c', 'b', 'd']) {
        const [there, here] = await Promise.all([
          replicaOf(db).sum({ prefix }),
          replicaOf(own).sum({ prefix }),
        ])
        if (prefixes.includes(prefix)) expect(here).toEqual(there)
        else expect(here.count).toBe(0)
      }
      await db.close()
      await own.close()
    }),
    { numRuns: 60 },
  )
})

test('only pages that changed are read, also where others write', async () => {
  const read: number[] = []
  const disk = new MemoryDisk()
  const level = (at: string) => {
    const store = disk.level(at)
    return new Proxy(store, {
      get(target, name) {
        if (name === 'iterator') read.push(1)
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
  const db = await open('/source', { storage: disk.storage(), level })
  const replica = replicaOf(db)
  const ids = Array.from({ length: 10_000 }, (_, n) => ({ id: `${n % 100 < 1 ? 'mine/' : 'others/'}${n}` }))
  await db.putMany(ids)
  const count = async (options: Omit<FeedOptions, 'bodies'>) => {
    read.length = 0
    const { records } = await replica.feed({ bodies: false, ...options })
    return { records: records.length, scans: read.length }
  }
  const all = await count({ since: 0, prefixes: ['mine/'] })
  expect(all.records).toBe(100)
  const { seq } = replica.position()
  await db.putMany(Array.from({ length: 2_000 }, (_, n) => ({ id: `others/new-${n}` })))
  expect(await count({ since: seq, prefixes: ['mine/a', 'mine/b'] })).toEqual({ records: 0, scans: 0 })
  await db.put({ id: 'mine/7-new' })
  expect(await count({ since: seq, prefixes: ['mine/'] })).toMatchObject({ records: 1, scans: 1 })
  await db.close()
})
