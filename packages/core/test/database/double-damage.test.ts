import { expect, test } from 'vitest'
import { type DiskFault, type DiskOperation, MemoryDisk } from '../../src/compliance.js'
import { entryKey } from '../../src/index/keys.js'
import { type Database, open, UnreachableError } from '../../src/index.js'

const DOCS = 60

/** A database of several shards in one segment, on a disk that does as it is told. */
class Machine {
  fault: (operation: DiskOperation) => DiskFault | undefined = () => undefined
  readonly disk = new MemoryDisk({ fault: (operation) => this.fault(operation) })

  start(): Promise<Database> {
    return open('db', {
      storage: this.disk.storage(),
      level: (location) => this.disk.level(location),
      shardBytes: 1_000,
      cacheBytes: 1,
    })
  }

  async fill(): Promise<void> {
    const db = await this.start()
    for (let i = 0; i < DOCS; i++) await db.put({ id: `d${i}`, i, text: 'x'.repeat(i) })
    await db.seal()
    await db.close()
  }

  /** Bytes that are none, in the place of an entry of a closed index. */
  async damageEntry(id: string, generation = 1): Promise<void> {
    const level = this.disk.level(`db/index-${generation}`)
    await level.open()
    await level.put(entryKey(id), Uint8Array.of(1, 2, 3, 4, 5, 6), { sync: true } as object)
    await level.close()
  }

  damageSegment(part = 0.5): void {
    const { name, length } = this.disk.files().find((file) => file.name.startsWith('segment'))!
    this.disk.damage(name, { kind: 'zero', offset: Math.floor(length * part), length: 200 })
  }
}

/** What is not there is never said to be so for sure. */
async function expectNothingMissing(db: Database): Promise<void> {
  for (let i = 0; i < DOCS; i++) {
    const read = await db.read(`d${i}`).catch((error: unknown) => error)
    if (read instanceof UnreachableError) continue
    if (read instanceof Error) throw read
    const { doc, current } = read as { readonly doc?: { readonly i?: number }; readonly current: boolean }
    if (doc) expect(doc.i).toBe(i)
    else expect({ id: `d${i}`, current }).toEqual({ id: `d${i}`, current: false })
  }
}

test('a repair without a mirror tells that more may be missing than it can name, before it settles for that', async () => {
  const machine = new Machine()
  await machine.fill()
  await machine.damageEntry('d8')
  const db = await machine.start()
  machine.damageSegment()
  const { ok, findings } = await db.verify({ repair: true })
  expect(ok).toBe(false)
  expect(findings.map(({ fault }) => fault).join('\n')).toMatch(/were lost that the index had not seen/)
  await db.close()
})

for (const finder of ['verify', 'read', 'write'] as const)
  test(`records lost under an index that is damaged itself are not taken for none (${finder})`, async () => {
    const machine = new Machine()
    await machine.fill()
    await machine.damageEntry('d8')
    const db = await machine.start()
    machine.damageSegment()
    if (finder === 'verify') expect(await db.verify()).toMatchObject({ ok: false })
    if (finder === 'read') for (let i = 0; i < DOCS; i++) await db.read(`d${i}`).catch(() => undefined)
    if (finder === 'write') await db.put({ id: 'd8', n: 1, i: 8 }, { overwrite: true })
    await db.verify()
    await expectNothingMissing(db)
    await db.close()
    const again = await machine.start()
    await expectNothingMissing(again)
    await again.close()
  })

test('records found lost in one life, and the index in the next, are not taken for none', async () => {
  const machine = new Machine()
  await machine.fill()
  const db = await machine.start()
  machine.damageSegment()
  // What was found is told to the manifest, and cannot be told again.
  machine.fault = ({ kind, name }) => (kind === 'append' && name.startsWith('hot') ? 'error' : undefined)
  for (let i = 0; i < DOCS; i++) await db.read(`d${i}`).catch(() => undefined)
  await db.stats()
  machine.disk.kill()
  machine.fault = () => undefined
  await machine.damageEntry('d8')
  const again = await machine.start()
  await again.verify()
  await expectNothingMissing(again)
  await again.close()
})
