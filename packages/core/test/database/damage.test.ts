import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { open, UnreachableError } from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mynah-damage-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Flips a bit in the middle of the one hot file. */
async function damageHotFile(location: string): Promise<void> {
  const name = (await readdir(location)).find((file) => file.startsWith('hot'))
  const bytes = await readFile(join(location, name!))
  bytes[bytes.length >> 1]! ^= 0x10
  await writeFile(join(location, name!), bytes)
}

test('a lost record is named, its document known and owed, its history renamed, and another replica heals it', async () => {
  const location = join(folder, 'db')
  const db = await open(location, { mode: 'mirror' })
  const peer = await open(':memory:')
  for (let i = 0; i < 11; i++) await db.put({ id: `d${i}`, text: 'x'.repeat(40 + i) })
  const position = replicaOf(db).position()
  const everything = await replicaOf(db).feed({ since: 0, bodies: true })
  await replicaOf(peer).merge(everything.records)
  await replicaOf(db).setCheckpoint('m', 'push', { source: position, target: position })
  await db.close()
  await damageHotFile(location)

  const again = await open(location)
  const stats = await again.stats()
  expect(stats).toMatchObject({ documents: 11, seq: 12, notHeld: 1, lostRecords: 1 })
  const lost: string[] = []
  for await (const { id } of again.list()) lost.push(id)
  const gone = Array.from({ length: 11 }, (_, i) => `d${i}`).filter((id) => !lost.includes(id))
  expect(gone.length).toBe(1)
  await expect(again.get(gone[0]!)).rejects.toThrow(UnreachableError)
  expect(replicaOf(again).holds(position)).toBe(false)
  expect(await replicaOf(again).checkpoint('m', 'push')).toBeUndefined()
  await again.put({ id: 'new' })
  await again.close()

  const third = await open(location)
  expect(await third.stats()).toMatchObject({ documents: 12, notHeld: 1 })
  const leaves = everything.records.map(({ id, rev }) => ({ id, rev }))
  const wanted = await replicaOf(third).missing(leaves)
  expect(wanted.filter(Boolean).length).toBe(1)
  const { outcomes } = await replicaOf(third).merge(await replicaOf(peer).bodies(leaves, { whole: true }), {
    from: 'peer',
  })
  expect(outcomes.filter(({ result }) => result === 'supplied').length).toBe(1)
  expect(await third.get(gone[0]!)).toEqual(await peer.get(gone[0]!))
  expect(await third.stats()).toMatchObject({ documents: 12, notHeld: 0 })
  expect((await third.stats()).root.count).toBe(12)
  const told = await replicaOf(third).feed({ since: 0, bodies: true })
  expect(told.records.map(({ id, kind }) => [id, kind])).toContainEqual([gone[0]!, 'revision'])
  const { root } = await third.stats()
  await third.close()
  await rm(join(location, 'index-1'), { recursive: true })
  const fourth = await open(location)
  expect((await fourth.stats()).root).toEqual(root)
  expect(await fourth.get(gone[0]!)).toEqual(await peer.get(gone[0]!))
  await fourth.close()
  await peer.close()
})

test('an index that is damaged, or gone, is derived from the log anew', async () => {
  const location = join(folder, 'db')
  const db = await open(location)
  for (let i = 0; i < 50; i++) await db.put({ id: `d${i % 20}`, i }, { overwrite: true })
  await db.delete('d3')
  const { root } = await db.stats()
  await db.close()
  for (const damage of ['manifest', 'gone', 'current']) {
    const index = (await readdir(location)).find((name) => name.startsWith('index-'))!
    if (damage === 'gone') await rm(join(location, index), { recursive: true })
    else {
      const prefix = damage === 'manifest' ? 'MANIFEST' : 'CURRENT'
      const name = (await readdir(join(location, index))).find((file) => file.startsWith(prefix))!
      await writeFile(join(location, index, name), 'not what it was')
    }
    const again = await open(location)
    expect((await again.stats()).root).toEqual(root)
    expect(await again.get('d7')).toMatchObject({ i: 47 })
    expect(await again.verify()).toEqual({ ok: true, findings: [], repaired: [] })
    await again.close()
  }
})

test('verify finds an index that disagrees, and repairs it from the log while reads go on', async () => {
  const location = join(folder, 'db')
  const db = await open(location)
  for (let i = 0; i < 50; i++) await db.put({ id: `d${i}`, i })
  await db.close()
  const { openFileLevel } = await import('../../src/index/level.js')
  const { entryKey } = await import('../../src/index/keys.js')
  const store = openFileLevel(join(location, 'index-1'))
  await store.del(entryKey('d7'))
  await store.close()

  const again = await open(location)
  expect(await again.verify()).toMatchObject({ ok: false, findings: [{ file: 'index' }], repaired: [] })
  const [report, doc] = await Promise.all([again.verify({ repair: true }), again.get('d8')])
  expect(report).toMatchObject({ repaired: ['index'] })
  expect(doc).toMatchObject({ i: 8 })
  expect(await again.get('d7')).toMatchObject({ i: 7 })
  expect(await again.verify()).toEqual({ ok: true, findings: [], repaired: [] })
  await again.put({ id: 'after' })
  await again.close()
  const third = await open(location)
  expect(await third.count()).toBe(51)
  await third.close()
})

test('damage to any file of its lock does not keep a database from opening', async () => {
  const location = join(folder, 'db')
  await (await open(location)).close()
  for (const name of await readdir(join(location, 'lock'))) {
    const path = join(location, 'lock', name)
    const bytes = await readFile(path).catch(() => undefined)
    if (bytes === undefined || bytes.length === 0) continue
    bytes[bytes.length >> 1]! ^= 0x10
    await writeFile(path, bytes)
    const db = await open(location)
    await expect(open(location)).rejects.toMatchObject({ code: 'MYNAH_LOCKED' })
    await db.close()
  }
})
