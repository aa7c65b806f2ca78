import { expect, test } from 'vitest'
import { type DiskFault, type DiskOperation, MemoryDisk } from '../../src/compliance.js'
import { entryKey } from '../../src/index/keys.js'
import { type Database, MynahError, open } from '../../src/index.js'
import { replicaOf } from '../../src/replica.js'
import { seeded } from '../storage/seeded.js'

const DOCS = 120
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)

/** A database with a damaged entry, on a disk of which operation `at`, counted from when `armed`, comes to `what`. */
class Machine {
  armed = false
  done = false
  operations = 0
  readonly kinds = new Map<number, string>()
  readonly disk: MemoryDisk
  readonly #at: number
  readonly #what: 'error' | 'errors' | 'kill' | 'cut'
  #life = 0
  struck: () => void = () => undefined

  constructor(at: number, what: 'error' | 'errors' | 'kill' | 'cut') {
    this.#at = at
    this.#what = what
    this.disk = new MemoryDisk({
      random: seeded(seed + at),
      pace: async (operation) => {
        // Whoever asks in between is not answered at once.
        for (let turn = this.operations % 3; turn > 0; turn--) await Promise.resolve()
        if (this.#what === 'kill' || this.#what === 'cut') this.#end(operation)
      },
      fault: (operation) =>
        this.#what === 'error' || this.#what === 'errors' ? this.#fail(operation) : undefined,
    })
  }

  #fail(operation: DiskOperation): DiskFault | undefined {
    // LevelDB does not fail to close.
    const at = this.#next(operation)
    const failing = at >= this.#at && at < this.#at + (this.#what === 'errors' ? 6 : 1)
    if (failing) this.done = true
    return failing && operation.kind !== 'level-close' ? 'error' : undefined
  }

  #end(operation: DiskOperation): void {
    if (this.#next(operation) !== this.#at) return
    this.done = true
    this.#life += 1
    if (this.#what === 'kill') this.disk.kill()
    else this.disk.powerCut()
    this.struck()
  }

  #next({ kind, name }: DiskOperation): number {
    if (!this.armed) return -1
    this.kinds.set(this.operations, `${kind} ${name}`)
    return this.operations++
  }

  start(): Promise<Database> {
    const life = ++this.#life
    // What is left of a process that was ended gets no level of the next one.
    const dead = this.disk.level('dead')
    return open('db', {
      storage: this.disk.storage(),
      level: (location) => (this.#life === life ? this.disk.level(location) : dead),
      shardBytes: 1_000,
      cacheBytes: 1,
    })
  }

  async prepare(): Promise<Map<string, number>> {
    const db = await this.start()
    const truth = new Map<string, number>()
    for (let i = 0; i < DOCS; i++) truth.set(`d${i}`, i)
    await db.putMany(Array.from(truth, ([id, i]) => ({ id, i })))
    await db.seal()
    await db.close()
    const level = this.disk.level('db/index-1')
    await level.open()
    await level.put(entryKey('d8'), Uint8Array.of(1, 2, 3, 4, 5, 6), { sync: true } as object)
    await level.close()
    return truth
  }
}

/** Has the index rebuilt while documents and checkpoints are written; ends when all is done, or the process is. */
async function rebuild(machine: Machine, db: Database, truth: Map<string, number>): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    machine.struck = resolve
  })
  machine.armed = true
  const replica = replicaOf(db)
  const errors: unknown[] = []
  const refused = (error: unknown) => {
    if (!(error instanceof MynahError)) errors.push(error)
  }
  const write = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      const id = `w${i % 12}`
      await db.put({ id, i }, { overwrite: true }).then(() => truth.set(id, i), refused)
      const source = replica.position()
      const checkpoint = { source, target: { incarnation: 'f'.repeat(32), seq: i } }
      await replica.setCheckpoint('m', 'push', checkpoint).catch(refused)
    }
  }
  const read = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) await db.get(`d${i % 20}`).catch(refused)
    for (let i = 0; i < 10; i++) await db.get(`none${i}`).catch(refused)
  }
  const all = Promise.all([write(), read(), db.verify({ repair: true }).catch(refused)])
  await Promise.race([all, ended])
  machine.armed = false
  expect(errors).toEqual([])
}

async function expectWhole(db: Database, truth: Map<string, number>, what: string): Promise<void> {
  for (const [id, i] of truth) {
    const { doc, current } = await db.read<{ i: number }>(id)
    expect(current, what).toBe(true)
    expect(doc?.i, `${id}, ${what}`).toBeGreaterThanOrEqual(i)
  }
  const listed: string[] = []
  for await (const { id } of db.list()) listed.push(id)
  expect(listed, what).toEqual(expect.arrayContaining([...truth.keys()]))
  const checkpoint = await replicaOf(db).checkpoint('m', 'push')
  if (checkpoint) expect(checkpoint.source.seq, what).toBeLessThanOrEqual(replicaOf(db).position().seq)
  expect(await db.verify(), what).toMatchObject({ ok: true })
}

for (const what of ['error', 'errors', 'kill', 'cut'] as const)
  test(`whatever ends a rebuild, nothing is lost with it (${what})`, { timeout: 60_000 }, async () => {
    let runs = 0
    for (let at = 0; ; at += 1 + (at >> 4)) {
      const machine = new Machine(at, what)
      const truth = await machine.prepare()
      const db = await machine.start()
      await rebuild(machine, db, truth)
      const story = `seed ${seed}, ${what} at ${at}: ${machine.kinds.get(at)}`
      if (!machine.done) break
      runs += 1
      if (what === 'error' || what === 'errors') {
        await db
          .verify({ repair: true })
          .catch((error: unknown) => expect(error, story).toBeInstanceOf(MynahError))
        await db.close().catch((error: unknown) => expect(error, story).toBeInstanceOf(MynahError))
      }
      const again = await machine.start()
      await again.verify({ repair: true })
      await expectWhole(again, truth, story)
      await again.close()
    }
    expect(runs).toBeGreaterThan(30)
  })
