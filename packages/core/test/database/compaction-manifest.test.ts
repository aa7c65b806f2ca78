import { expect, test } from 'vitest'
import { type DiskFault, type DiskOperation, MemoryDisk } from '../../src/compliance.js'
import { type Database, open } from '../../src/index.js'
import { seeded } from '../storage/seeded.js'

const ids = Array.from({ length: 60 }, (_, i) => `d${i}`)

/** A disk that refuses a copy of the manifest, from the second change on. */
class Machine {
  readonly disk = new MemoryDisk({ random: seeded(1), fault: (operation) => this.#fault(operation) })
  refused: string | undefined
  #changes = 0

  #fault({ kind, name }: DiskOperation): DiskFault | undefined {
    if (this.refused === undefined || kind !== 'replace') return undefined
    if (name === 'manifest') this.#changes += 1
    return this.#changes > 1 && name === this.refused ? 'error' : undefined
  }

  start(level = 'db/index-1'): Promise<Database> {
    return open('db', {
      storage: this.disk.storage(),
      level: () => this.disk.level(level),
      shardBytes: 700,
    })
  }

  async segments(): Promise<readonly string[]> {
    return (await this.disk.storage().list()).map(({ name }) => name).filter((name) => name.startsWith('seg'))
  }
}

async function write(db: Database, n: number): Promise<void> {
  await db.putMany(
    ids.map((id) => ({ id, n })),
    { overwrite: true },
  )
  await db.seal()
}

async function expectWhole(db: Database, n: number): Promise<void> {
  for (const id of ids) expect(await db.get(id)).toMatchObject({ n })
  expect(await db.stats()).toMatchObject({ lostRecords: 0, damage: [] })
}

for (const copy of ['manifest', 'manifest.copy'])
  for (const end of ['killed', 'closed', 'gone on with'] as const)
    test(`a compaction that may not write ${copy}, in a database that is then ${end}, loses nothing`, async () => {
      const machine = new Machine()
      const db = await machine.start()
      for (let n = 0; n < 12; n++) await write(db, n)
      // The first change says that a segment is closed, the second one is to name the compacted one.
      const before = (await machine.segments()).length
      machine.refused = copy
      await expect(db.compact()).rejects.toMatchObject({ code: 'MYNAH_STORAGE' })
      expect((await machine.segments()).length).toBe(before + 1)
      machine.refused = undefined
      if (end === 'gone on with') {
        await db.compact()
        await expectWhole(db, 11)
        expect((await machine.segments()).length).toBe(1)
      }
      if (end === 'closed') await db.close()
      machine.disk.kill()
      const next = await machine.start()
      await expectWhole(next, 11)
      await next.compact()
      await expectWhole(next, 11)
      expect((await machine.segments()).length).toBe(1)
      await next.close()
      const derived = await machine.start('another')
      await expectWhole(derived, 11)
      await derived.close()
    })
