import { expect, test } from 'vitest'
import { MemoryDisk } from '../../src/compliance.js'
import { type Database, open } from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'

const DOCS = 60

for (const rebuilt of [false, true])
  test(`a body that was supplied stays held when damage takes its stub${rebuilt ? ', also in a new index' : ''}`, async () => {
    const disk = new MemoryDisk({})
    const start = (): Promise<Database> =>
      open('db', {
        storage: disk.storage(),
        level: (location) => disk.level(location),
        shardBytes: 1_000,
        cacheBytes: 1,
      })
    const mirror = await open(':memory:', { mode: 'mirror' })
    for (let i = 0; i < DOCS; i++) await mirror.put({ id: `d${i}`, i, text: 'x'.repeat(i) })
    for (let i = 0; i < DOCS; i += 3) await mirror.put({ id: `d${i}`, i, again: true }, { overwrite: true })
    let db = await start()
    const told = await replicaOf(mirror).feed({ since: 0, bodies: false, whole: true })
    await replicaOf(db).merge(told.records, { whole: true })
    await db.seal()
    const stubBytes = disk.files().find(({ name }) => name.startsWith('segment'))!.length
    const brought = await replicaOf(mirror).bodies(told.records, { whole: true })
    await replicaOf(db).merge(brought, { whole: true })
    await db.seal()
    const { root } = await db.stats()

    const { name } = disk.files().find((file) => file.name.startsWith('segment'))!
    disk.damage(name, { kind: 'zero', offset: Math.floor(stubBytes / 2), length: 200 })
    await replicaOf(db).feed({ since: 0, bodies: false })
    await db.verify()
    expect((await db.stats()).damage.length).toBeGreaterThan(0)
    if (rebuilt) {
      await db.close()
      const index = disk.level('db/index-1')
      await index.open()
      await index.clear()
      await index.close()
      db = await start()
    }
    expect(await db.stats()).toMatchObject({ documents: DOCS, notHeld: 0, owed: 0, root })
    for (let i = 0; i < DOCS; i++) expect(await db.get(`d${i}`)).toEqual(await mirror.get(`d${i}`))
    await db.close()
    await mirror.close()
  })
