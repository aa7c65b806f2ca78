import { expect, test } from 'vitest'
import { type DiskFault, type DiskOperation, MemoryDisk } from '../../src/compliance.js'
import { type Database, MynahError, open } from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'
import { seeded } from '../storage/seeded.js'

const DOCS = 60
const EDITS = 90
/** The same operations in each run; SEED and STRIDE=1 try others. */
const seed = Number(process.env.SEED ?? 7)

type End = 'kill' | 'cut' | 'error' | 'errors'
type Truth = Map<string, number>

/** A disk of which operation `at`, counted from when it is armed, comes to `what`. */
class Machine {
  readonly disk: MemoryDisk
  readonly #at: number
  readonly #what: End
  armed = false
  done = false
  operations = 0
  struck: () => void = () => undefined

  constructor(before: MemoryDisk, at: number, what: End) {
    this.#at = at
    this.#what = what
    this.disk = before.copy({
      random: seeded(seed + at),
      pace: async () => {
        // Whoever asks in between is not answered at once.
        for (let turn = this.operations % 3; turn > 0; turn--) await Promise.resolve()
        if (this.#what === 'kill' || this.#what === 'cut') this.#end()
      },
      fault: (operation) =>
        this.#what === 'kill' || this.#what === 'cut' ? undefined : this.#fail(operation),
    })
  }

  start(level = 'db/index-1'): Promise<Database> {
    return open('db', {
      storage: this.disk.storage(),
      level: () => this.disk.level(level),
      shardBytes: 700,
      cacheBytes: 1,
    })
  }

  #fail({ kind }: DiskOperation): DiskFault | undefined {
    const at = this.#next()
    const length = this.#what === 'error' ? 1 : 5
    // LevelDB does not fail to close.
    if (at < this.#at || at >= this.#at + length || kind === 'level-close') return undefined
    this.done = true
    return 'error'
  }

  #end(): void {
    if (this.#next() !== this.#at) return
    this.done = true
    if (this.#what === 'kill') this.disk.kill()
    else this.disk.powerCut()
    this.struck()
  }

  #next(): number {
    return this.armed ? this.operations++ : -1
  }
}

/** Documents, most of them written several times, in segments. */
async function prepared(): Promise<{ disk: MemoryDisk; truth: Truth }> {
  const disk = new MemoryDisk({ random: seeded(seed) })
  const truth: Truth = new Map()
  const db = await open('db', {
    storage: disk.storage(),
    level: () => disk.level('db/index-1'),
    shardBytes: 700,
  })
  const random = seeded(seed)
  for (let i = 0; i < DOCS; i++) truth.set(`d${i}`, i)
  await db.putMany(Array.from(truth, ([id, i]) => ({ id, i })))
  await db.seal()
  for (let n = 0; n < EDITS; n++) {
    const id = `d${Math.floor(random() * DOCS * 0.8)}`
    truth.set(id, 1000 + n)
    await db.put({ id, i: 1000 + n }, { overwrite: true })
    if (n % 30 === 0) await db.seal()
  }
  await db.seal()
  await db.close()
  return { disk, truth }
}

/** Compacts beside reads and writes; ends when all is done, or the process is. */
async function compact(machine: Machine, db: Database, truth: Truth): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    machine.struck = resolve
  })
  const refused = (error: unknown) => {
    if (!(error instanceof MynahError)) throw error
  }
  const write = async (): Promise<void> => {
    for (let i = 0; i < 8; i++) {
      const id = `w${i % 5}`
      await db.put({ id, i }, { overwrite: true }).then(() => truth.set(id, i), refused)
      await db
        .put({ id: `d${i}`, i: 5000 + i }, { overwrite: true })
        .then(() => truth.set(`d${i}`, 5000 + i), refused)
    }
  }
  const read = async (): Promise<void> => {
    for (let i = 20; i < 50; i++) {
      const read = await db.read<{ i: number }>(`d${i}`).catch(refused)
      if (read) expect(read.doc?.i).toBe(truth.get(`d${i}`))
    }
  }
  const list = async (): Promise<void> => {
    let count = 0
    for await (const _ of db.list()) count += 1
    expect(count).toBeGreaterThanOrEqual(DOCS)
  }
  machine.armed = true
  const all = Promise.all([db.compact().catch(refused), write(), read(), list().catch(refused)])
  await Promise.race([all, ended])
  machine.armed = false
}

async function expectWhole(db: Database, truth: Truth, what: string): Promise<void> {
  for (const [id, i] of truth) {
    const { doc, current } = await db.read<{ i: number }>(id)
    // A write that was cut off while it was acknowledged may be there too.
    const more = doc !== undefined && doc.i > i && (doc.i >= 5000 || id.startsWith('w'))
    expect(more || doc?.i === i, `${id} is ${doc?.i} rather than ${i} after ${what}`).toBe(true)
    expect(current).toBe(true)
  }
  expect(await db.stats()).toMatchObject({ lostRecords: 0, damage: [], notHeld: 0 })
}

async function leaves(db: Database): Promise<unknown> {
  const all: unknown[] = []
  for (let i = 0; i < DOCS; i++) all.push(await replicaOf(db).leaves(`d${i}`))
  return [all, (await db.stats()).root, await replicaOf(db).sum({})]
}

async function endsAt(before: { disk: MemoryDisk; truth: Truth }, at: number, what: End): Promise<boolean> {
  const machine = new Machine(before.disk, at, what)
  const truth = new Map(before.truth)
  const db = await machine.start()
  await compact(machine, db, truth)
  const told = `${what} at operation ${at}, seed ${seed}`
  if (what !== 'kill' && what !== 'cut') await db.close().catch(() => undefined)
  else machine.disk.kill()
  const next = await machine.start()
  await expectWhole(next, truth, told)
  await next.compact()
  await expectWhole(next, truth, `${told}, compacted`)
  const found = await leaves(next)
  await next.close()
  const files = (await machine.disk.storage().list()).filter(({ name }) => name.startsWith('segment'))
  expect(files.length, told).toBeLessThanOrEqual(3)
  const derived = await machine.start('another')
  await expectWhole(derived, truth, `${told}, derived`)
  expect(await leaves(derived), told).toEqual(found)
  expect(await derived.verify(), told).toMatchObject({ ok: true })
  await derived.close()
  return machine.done
}

const stride = Number(process.env.STRIDE ?? 30)

test.each(['kill', 'cut', 'error', 'errors'] as const)(
  'a compaction that ends by a %s at any of its disk operations loses nothing',
  async (what) => {
    const before = await prepared()
    let ends = 0
    for (let at = seed % stride; await endsAt(before, at, what); at += stride) ends += 1
    expect(ends).toBeGreaterThan(90 / stride)
  },
  600_000,
)

test('a compaction on a full disk is refused, loses nothing, and succeeds when there is room', async () => {
  const { disk, truth } = await prepared()
  const machine = new Machine(disk, 0, 'kill')
  const db = await machine.start()
  const free = machine.disk.capacityBytes
  machine.disk.capacityBytes = machine.disk.usedBytes + 2_000
  await expect(db.compact()).rejects.toMatchObject({ code: 'MYNAH_DISK_FULL' })
  await expectWhole(db, truth, 'a full disk')
  machine.disk.capacityBytes = free
  const { recordsDropped } = await db.compact()
  expect(recordsDropped).toBeGreaterThan(10)
  await expectWhole(db, truth, 'room again')
  await db.close()
})

test('a shard that turns out damaged is named and lost, and compaction goes on with the rest', async () => {
  const { disk, truth } = await prepared()
  const machine = new Machine(disk, 0, 'kill')
  const segment = (await machine.disk.storage().list()).find(({ name }) => name.startsWith('segment'))!
  machine.disk.damage(segment.name, { kind: 'flip', offset: Math.floor(segment.length / 3), bit: 3 })
  const db = await machine.start()
  const { recordsDropped } = await db.compact()
  expect(recordsDropped).toBeGreaterThan(10)
  const { damage, lostRecords } = await db.stats()
  expect(damage).toMatchObject([{ file: segment.name }])
  expect(lostRecords).toBeGreaterThan(0)
  const lost = new Set(damage.flatMap(({ ids }) => ids))
  for (const [id, i] of truth) if (!lost.has(id)) expect(await db.get(id)).toMatchObject({ i })
  expect(lost.size).toBeLessThan(truth.size / 2)
  await db.close()
  const again = await machine.start('another')
  for (const [id, i] of truth) if (!lost.has(id)) expect(await again.get(id)).toMatchObject({ i })
  expect((await again.stats()).lostRecords).toBe(lostRecords)
  await again.close()
})
