import { mkdtemp, open as openFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  CursorLostError,
  type Database,
  open,
  RecordLostError,
  type Stored,
  UnreachableError,
} from '../../src/index.js'
import { type BodySource, replicaOf } from '../../src/replica.js'

const DOCS = 60

let folder: string
let location: string
let db: Database
let mirror: Database
let truth: Map<string, Stored>

/** A database of several shards in one segment, some of them edited, and a mirror that has all of it. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mynah-live-'))
  location = join(folder, 'db')
  db = await open(location, { cacheBytes: 1, shardBytes: 1_000 })
  mirror = await open(':memory:', { mode: 'mirror' })
  truth = new Map()
  for (let i = 0; i < DOCS; i++) truth.set(`d${i}`, await db.put({ id: `d${i}`, i, text: 'x'.repeat(i) }))
  await db.seal()
  for (let i = 0; i < DOCS; i += 4)
    truth.set(`d${i}`, await db.put({ id: `d${i}`, i, again: true }, { overwrite: true }))
  await db.seal()
  const { records } = await replicaOf(db).feed({ since: 0, bodies: true })
  await replicaOf(mirror).merge(records)
})

afterEach(async () => {
  await Promise.all([db.close(), mirror.close()])
  await rm(folder, { recursive: true, force: true })
})

/** Overwrites some bytes of the segment, under the open database. */
async function damageSegment(part = 0.4): Promise<string> {
  const name = (await readdir(location)).find((file) => file.startsWith('segment'))!
  const file = await openFile(join(location, name), 'r+')
  const { size } = await file.stat()
  await file.write(new Uint8Array(200), 0, 200, Math.floor(size * part))
  await file.close()
  return name
}

async function readAll(of: Database): Promise<{ right: string[]; lost: string[] }> {
  const right: string[] = []
  const lost: string[] = []
  for (const [id, doc] of truth) {
    const read = await of.read(id).catch((error: unknown) => error)
    if (read instanceof UnreachableError) lost.push(id)
    else if (read instanceof Error) throw read
    else {
      const { doc: found, current } = read as { doc?: Stored; current: boolean }
      if (current) {
        expect(found).toEqual(doc)
        right.push(id)
      } else lost.push(id)
    }
  }
  return { right, lost }
}

async function idsOf(docs: AsyncIterable<{ readonly id: string }>): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of docs) ids.push(id)
  return ids.sort()
}

function sourceOf(other: Database): BodySource {
  return {
    fetch: async (leaves) => replicaOf(other).bodies(leaves, { whole: true }),
    fetchDocument: async (id) => replicaOf(other).leaves(id),
    confirm: async (leaves) => leaves.map(() => false),
    covers: () => true,
    asOf: () => new Date(7),
  }
}

/** Until the damage that was found is settled. */
async function settled(): Promise<void> {
  await db.verify()
}

for (const finder of ['read', 'feed', 'changes', 'list', 'verify'] as const)
  test(`what a ${finder} finds damaged is lost by name, and everything else goes on`, async () => {
    const before = replicaOf(db).position()
    const { root } = await db.stats()
    const file = await damageSegment()
    if (finder === 'read') await readAll(db)
    if (finder === 'feed') await replicaOf(db).feed({ since: 0, bodies: true })
    if (finder === 'changes') await expect(idsOf(db.changes())).rejects.toThrow(CursorLostError)
    if (finder === 'list') expect((await idsOf(db.list())).length).toBeGreaterThan(0)
    await settled()
    const { right, lost } = await readAll(db)
    expect(lost.length).toBeGreaterThan(0)
    expect(right.length + lost.length).toBe(DOCS)
    const stats = await db.stats()
    expect(stats).toMatchObject({ documents: DOCS, notHeld: lost.length, owed: lost.length, root })
    expect(new Set(stats.damage.map((damage) => damage.file))).toEqual(new Set([file]))
    const named = stats.damage.flatMap(({ ids }) => ids)
    for (const id of lost) expect(named).toContain(id)
    expect(await idsOf(db.list())).toEqual(right.sort())
    expect(await idsOf(db.changes())).toEqual([...truth.keys()].sort())
    expect(replicaOf(db).holds(before)).toBe(false)
    const report = await db.verify()
    expect(report.findings).toMatchObject([{ file: 'log' }])
    expect(report.findings[0]!.ids.toSorted()).toEqual(lost.sort())

    await db.put({ id: 'after' })
    await db.close()
    db = await open(location)
    expect((await readAll(db)).lost.sort()).toEqual(lost)
    expect(await db.get('after')).toMatchObject({ id: 'after' })
    expect(await db.stats()).toMatchObject({ owed: lost.length, damage: [] })
  })

test('a read that finds damage gets its document from the mirror, and so does each later one', async () => {
  await damageSegment()
  replicaOf(db).useSource(sourceOf(mirror))
  expect((await readAll(db)).lost).toEqual([])
  await settled()
  replicaOf(db).useSource(undefined)
  await settled()
  const { lost } = await readAll(db)
  const { owed } = await db.stats()
  expect(lost.length).toBe(owed)
  replicaOf(db).useSource(sourceOf(mirror))
  expect((await readAll(db)).lost).toEqual([])
  replicaOf(db).useSource(undefined)
  expect((await readAll(db)).lost).toEqual([])
  expect(await db.stats()).toMatchObject({ notHeld: 0, owed: 0 })
  expect(await db.verify()).toEqual({ ok: true, findings: [], repaired: [] })
})

test('what is owed is paged, given back, and not forgotten with the index', async () => {
  await damageSegment(0.2)
  await damageSegment(0.6)
  await settled()
  const { owed, root } = await db.stats()
  await db.close()
  const index = (await readdir(location)).find((name) => name.startsWith('index'))!
  await rm(join(location, index), { recursive: true })
  db = await open(location)
  expect(await db.stats()).toMatchObject({ owed, root, doubt: false })
  const leaves: { id: string; rev: string }[] = []
  for (let after: string | undefined; ; ) {
    const page = await replicaOf(db).owed({ limit: 2, ...(after !== undefined && { after }) })
    leaves.push(...page.leaves)
    after = page.next
    if (after === undefined) break
  }
  expect(leaves.length).toBe(owed)
  await replicaOf(db).merge(await replicaOf(mirror).bodies(leaves, { whole: true }), { whole: true })
  expect((await readAll(db)).lost).toEqual([])
  expect(await replicaOf(db).owed({ limit: 2 })).toEqual({ leaves: [] })
  await db.verify({ repair: true })
  expect(await db.verify()).toEqual({ ok: true, findings: [], repaired: [] })
  expect((await db.stats()).root).toEqual((await mirror.stats()).root)
})

test('what is owed is not forgotten when it is asked for while damage is being settled', async () => {
  let busy = true
  const asking = (async () => {
    while (busy) {
      await replicaOf(db).owed({ limit: 10 })
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  await damageSegment()
  await settled()
  busy = false
  await asking
  const { notHeld, owed } = await db.stats()
  expect(notHeld).toBeGreaterThan(0)
  expect(owed).toBe(notHeld)
})

test('lost together with the index, nothing is called current before a mirror has told what it knows', async () => {
  await db.close()
  const index = (await readdir(location)).find((name) => name.startsWith('index'))!
  await rm(join(location, index), { recursive: true })
  await damageSegment(0.8)
  db = await open(location)
  expect(await db.stats()).toMatchObject({ doubt: true })
  for (const id of truth.keys()) {
    const read = await db.read(id).catch((error: unknown) => error)
    if (!(read instanceof UnreachableError)) expect(read).toMatchObject({ current: false })
    await expect(db.get(id, { strict: true })).rejects.toThrow(/MYNAH|stale|not held|perhaps/)
  }
  expect((await db.verify()).findings.map(({ fault }) => fault).join()).toMatch(/older here/)
  await db.close()
  db = await open(location)
  expect(await db.stats()).toMatchObject({ doubt: true })
  await replicaOf(db).merge((await replicaOf(mirror).feed({ since: 0, bodies: true, whole: true })).records, {
    whole: true,
  })
  await replicaOf(db).reconciled()
  expect((await readAll(db)).lost).toEqual([])
})

test('a doubt ends by the word of the application, not by a repair', async () => {
  await db.close()
  const index = (await readdir(location)).find((name) => name.startsWith('index'))!
  await rm(join(location, index), { recursive: true })
  await damageSegment(0.8)
  db = await open(location)
  await db.verify({ repair: true })
  expect(await db.stats()).toMatchObject({ doubt: true })
  expect((await db.verify({ repair: true })).ok).toBe(false)
  await db.verify({ acceptLoss: true })
  expect(await db.stats()).toMatchObject({ doubt: false })
  expect((await db.verify()).findings.filter(({ fault }) => fault.includes('older here'))).toEqual([])
  await db.close()
  db = await open(location)
  expect(await db.stats()).toMatchObject({ doubt: false })
  expect(await db.read('never written')).toMatchObject({ current: true })
})

test('damage while writes, reads and feeds go on harms none of them', async () => {
  const errors: unknown[] = []
  let busy = true
  const during = async (work: (i: number) => Promise<unknown>) => {
    for (let i = 0; busy; i++)
      await work(i).catch((error: unknown) => {
        if (!(error instanceof UnreachableError)) errors.push(error)
      })
  }
  const works = [
    during((i) => db.put({ id: `w${i % 50}`, i }, { overwrite: true })),
    during((i) => db.get(`d${i % DOCS}`)),
    during(() => replicaOf(db).feed({ since: 0, bodies: true })),
  ]
  await damageSegment(0.3)
  await settled()
  await damageSegment(0.7)
  await settled()
  busy = false
  await Promise.all(works)
  expect(errors).toEqual([])
  expect((await db.stats()).damage.length).toBeGreaterThanOrEqual(2)
  for (const [id] of truth) await replicaOf(db).merge(await replicaOf(mirror).leaves(id), { whole: true })
  expect((await readAll(db)).lost).toEqual([])
})

test('an old revision that was lost is told by its id', async () => {
  const before = new Map(truth)
  for (const doc of before.values()) await db.put({ ...doc, again: 2 })
  await db.seal()
  await damageSegment(0.1)
  const errors: RecordLostError[] = []
  for (const [id, { rev }] of before)
    await db.get(id, { rev }).catch((error: unknown) => {
      if (!(error instanceof RecordLostError)) throw error
      expect(error.id).toBe(id)
      expect(error.message).toContain(JSON.stringify(id))
      errors.push(error)
    })
  expect(errors.length).toBeGreaterThan(0)
})

test('opened read-only, nothing is changed, and what is lost is said', async () => {
  await db.close()
  await damageSegment()
  const files = async () =>
    (await readdir(location)).filter((name) => !name.startsWith('index') && name !== 'lock').sort()
  const before = await files()
  db = await open(location, { readOnly: true })
  const { right, lost } = await readAll(db)
  expect(right.length).toBeGreaterThan(0)
  expect(lost.length).toBeGreaterThan(0)
  expect((await db.stats()).damage.flatMap(({ ids }) => ids)).toEqual(expect.arrayContaining(lost))
  await db.verify({ repair: true })
  expect(await files()).toEqual(before)
})
