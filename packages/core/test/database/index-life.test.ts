import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { entryKey } from '../../src/index/keys.js'
import { openFileLevel } from '../../src/index/level.js'
import { type Database, IndexCorruptError, ManifestCorruptError, MynahError, open } from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'

const DOCS = 300

let folder: string
let location: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mynah-index-life-'))
  location = join(folder, 'db')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function fill(db: Database, from = 0, to = DOCS): Promise<void> {
  await db.putMany(Array.from({ length: to - from }, (_, i) => ({ id: `d${from + i}`, i: from + i })))
}

async function filled(at = location): Promise<void> {
  const db = await open(at)
  await fill(db)
  for (let i = 0; i < DOCS; i += 7) await db.put({ id: `d${i}`, i, again: true }, { overwrite: true })
  await db.close()
}

/** Everything, by every way to it. */
async function expectWhole(db: Database, docs = DOCS): Promise<void> {
  const ids: string[] = []
  for await (const { id } of db.list()) ids.push(id)
  expect(ids.length).toBe(docs)
  for (let i = 0; i < docs; i++) expect(await db.get(`d${i}`)).toMatchObject({ i })
  expect(await db.stats()).toMatchObject({ documents: docs, lostRecords: 0, root: { count: docs } })
  expect(await db.verify()).toEqual({ ok: true, findings: [], repaired: [] })
}

async function indexFolder(at = location): Promise<string> {
  const names = (await readdir(at)).filter((name) => name.startsWith('index-'))
  expect(names.length).toBe(1)
  return join(at, names[0]!)
}

/** Puts bytes that are none in the place of an entry: what LevelDB itself takes for right. */
async function damageEntry(id: string): Promise<void> {
  const store = openFileLevel(await indexFolder())
  await store.put(entryKey(id), new Uint8Array([1, 2, 3, 4, 5, 6]))
  await store.close()
}

test('whatever happens to the files of the index, everything is there again', async () => {
  await filled()
  for (const [kind, which] of [
    ['zero', /ldb$|log$/],
    ['flip', /MANIFEST/],
    ['cut', /MANIFEST/],
    ['remove', /CURRENT/],
    ['remove', /ldb$|log$/],
    ['flip', /ldb$|log$/],
    ['folder', /./],
  ] as const) {
    const index = await indexFolder()
    const name = (await readdir(index)).filter((file) => which.test(file)).sort()[0]!
    const path = join(index, name)
    const bytes = await readFile(path)
    if (kind === 'zero') bytes.fill(0, bytes.length >> 2, (bytes.length >> 2) + 4_096)
    if (kind === 'flip') bytes[bytes.length >> 1]! ^= 4
    if (kind === 'folder') await rm(index, { recursive: true })
    else if (kind === 'remove') await rm(path)
    else await writeFile(path, kind === 'cut' ? bytes.subarray(0, bytes.length >> 1) : bytes)
    const db = await open(location)
    await expectWhole(db)
    await db.close()
  }
})

test('an index of another database, or of a copy that went its own way, is not taken for this one', async () => {
  await filled()
  const other = join(folder, 'other')
  const bigger = await open(other)
  await fill(bigger, 0, 2 * DOCS)
  await fill(bigger, 2 * DOCS, 3 * DOCS)
  await bigger.close()
  const copy = join(folder, 'copy')
  await cp(location, copy, { recursive: true })
  const strayed = await open(copy)
  for (let i = 0; i < 50; i++) await strayed.delete(`d${i}`)
  await strayed.close()
  const here = await open(location)
  for (let i = 0; i < 100; i++) await here.put({ id: `d${i}`, i, here: true }, { overwrite: true })
  await here.close()
  for (const from of [other, copy]) {
    const index = await indexFolder()
    await rm(index, { recursive: true })
    await cp(await indexFolder(from), index, { recursive: true })
    const db = await open(location)
    await expectWhole(db)
    expect(await db.get('d7')).toMatchObject({ here: true })
    await db.close()
  }
})

test('an older copy of the index follows the log from where it stands', async () => {
  await filled()
  const index = await indexFolder()
  await cp(index, join(folder, 'older'), { recursive: true })
  const db = await open(location)
  await fill(db, DOCS, 2 * DOCS)
  await db.close()
  await rm(index, { recursive: true })
  await cp(join(folder, 'older'), index, { recursive: true })
  const progress: number[] = []
  const again = await open(location, {
    onProgress: ({ phase, doneRecords, totalRecords }) => {
      expect([phase, totalRecords]).toEqual(['index', 2 * DOCS + Math.ceil(DOCS / 7)])
      progress.push(doneRecords)
    },
  })
  expect(progress[0]).toBeGreaterThan(DOCS)
  expect(progress.at(-1)).toBe(2 * DOCS + Math.ceil(DOCS / 7))
  await expectWhole(again, 2 * DOCS)
  await again.close()
  expect(await indexFolder()).toBe(index)
})

test('where only the index is left, nothing is begun anew', async () => {
  await filled()
  for (const name of await readdir(location))
    if (!name.startsWith('index-')) await rm(join(location, name), { recursive: true })
  for (const options of [{}, { createIfMissing: false }, { readOnly: true }])
    await expect(open(location, options)).rejects.toThrow(ManifestCorruptError)
  expect((await readdir(location)).filter((name) => name.startsWith('manifest'))).toEqual([])
})

test('a read or a write that finds the index damaged waits for the next one; a scan ends and may be begun again', async () => {
  await filled()
  const use: readonly ((db: Database) => Promise<unknown>)[] = [
    async (db) => expect(await db.get('d8')).toMatchObject({ i: 8 }),
    async (db) => expect((await db.read('d8')).doc).toMatchObject({ i: 8 }),
    async (db) => expect(await db.getMany(['d8', 'd9'])).toMatchObject([{ i: 8 }, { i: 9 }]),
    async (db) => expect(await db.put({ id: 'd8', i: 8, n: 1 }, { overwrite: true })).toMatchObject({ n: 1 }),
    async (db) => expect(await db.update('d8', () => ({ i: 8, n: 2 }))).toMatchObject({ n: 2 }),
    async (db) => expect(await replicaOf(db).leaves('d8')).toHaveLength(1),
    async (db) => {
      const list = async () => {
        for await (const _ of db.list());
      }
      await expect(list()).rejects.toThrow(IndexCorruptError)
      expect(await db.get('d8')).toMatchObject({ i: 8 })
    },
  ]
  for (const [i, run] of use.entries()) {
    await damageEntry('d8')
    const db = await open(location)
    await run(db)
    await expectWhole(db)
    expect((await db.stats()).rebuilding).toBeUndefined()
    await db.close()
    expect(await indexFolder(), `use ${i}`).toBe(join(location, `index-${i + 2}`))
  }
})

test('a repair tells how far it is, while reads, writes and a scan go on', async () => {
  await filled()
  const big = await open(location)
  for (let i = 1; i < 40; i++) await fill(big, i * DOCS, (i + 1) * DOCS)
  // Has the index cut into pages, so that only one of them is damaged.
  expect(await big.verify()).toMatchObject({ ok: true })
  await big.close()
  const docs = 40 * DOCS
  await damageEntry('d1000')
  const db = await open(location)
  const scan = db.list({ gte: 'd9' })[Symbol.asyncIterator]()
  await scan.next()
  const phases = new Map<string, number>()
  let written = 0
  let rebuilding: unknown
  let busy = true
  const write = async (): Promise<void> => {
    while (busy) await db.put({ id: `w${written++}`, i: 0 })
  }
  const read = async (): Promise<void> => {
    while (busy) {
      expect(await db.get(`d${5_000 + (written % 1_000)}`)).toBeDefined()
      rebuilding = (await db.stats()).rebuilding ?? rebuilding
      // What comes from RAM leaves no turn to anybody else.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const others = [write(), write(), read()]
  const report = await db.verify({
    repair: true,
    onProgress: (progress) => {
      phases.set(progress.phase, progress.phase === 'log' ? progress.totalBytes : progress.totalRecords)
    },
  })
  busy = false
  await Promise.all(others)
  expect(report).toMatchObject({ ok: false, repaired: ['index'] })
  expect([...phases.keys()]).toEqual(['log', 'index'])
  expect(phases.get('index')).toBeGreaterThan(docs)
  expect(rebuilding).toMatchObject({ totalRecords: expect.any(Number) })
  // The old index is there as long as a scan of it is.
  expect((await readdir(location)).filter((name) => name.startsWith('index-')).length).toBe(2)
  let scanned = 1
  while (!(await scan.next()).done) scanned += 1
  expect(scanned).toBeGreaterThan(1_000)
  expect(await db.get('d1000')).toMatchObject({ i: 1_000 })
  expect(await db.count()).toBe(docs + written)
  expect(await db.verify()).toMatchObject({ ok: true })
  await db.close()
  expect(await indexFolder()).toBe(join(location, 'index-2'))
})

test('a repair that is cancelled leaves the index as it was', async () => {
  await filled()
  await damageEntry('d8')
  const db = await open(location)
  const controller = new AbortController()
  const repair = db.verify({
    repair: true,
    signal: controller.signal,
    onProgress: ({ phase }) => {
      if (phase === 'index') controller.abort()
    },
  })
  await expect(repair).rejects.toMatchObject({ name: 'AbortError' })
  expect((await db.stats()).rebuilding).toBeUndefined()
  expect(await indexFolder()).toBe(join(location, 'index-1'))
  expect(await db.verify({ repair: true })).toMatchObject({ repaired: ['index'] })
  await expectWhole(db)
  await db.close()
})

test('closing ends a rebuild', async () => {
  await filled()
  await damageEntry('d8')
  const db = await open(location)
  const reading = db.get('d8').then(
    () => 'read',
    (error: { code: string }) => error.code,
  )
  await db.close()
  expect(['read', 'MYNAH_CLOSED', 'MYNAH_INDEX_CORRUPT']).toContain(await reading)
  const again = await open(location)
  expect(await again.get('d8')).toMatchObject({ i: 8 })
  await expectWhole(again)
  await again.close()
})

test('whatever waits for a rebuild when the database closes ends with an error of ours, or is done', async () => {
  await filled()
  const use: readonly ((db: Database) => Promise<unknown>)[] = [
    (db) => db.get('d8'),
    (db) => db.put({ id: 'd8', i: 8, n: 1 }, { overwrite: true }),
    (db) => db.delete('d8'),
    (db) => db.update('d8', () => ({ i: 8, n: 2 })),
    (db) => db.verify({ repair: true }),
    async (db) => {
      for await (const _ of db.list());
    },
  ]
  for (const turns of [0, 1, 2, 4, 8]) {
    await damageEntry('d8')
    const db = await open(location)
    const ends = use.map((run) => run(db).catch((error: unknown) => error))
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    await db.close()
    for (const end of await Promise.all(ends))
      if (end instanceof Error) expect(end, `after ${turns} turns`).toBeInstanceOf(MynahError)
    // Nothing goes on behind it.
    const after = await indexFolder()
    await new Promise((resolve) => setImmediate(resolve))
    expect(await indexFolder()).toBe(after)
    const again = await open(location)
    expect(await again.verify({ repair: true })).toBeDefined()
    await again.put({ id: 'd8', i: 8 }, { overwrite: true })
    await again.close()
  }
})
