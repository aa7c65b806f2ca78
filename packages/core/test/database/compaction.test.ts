import fc from 'fast-check'
import { expect, test } from 'vitest'
import { feedOf, revision, stubOf, told } from '../../src/compliance/revisions.js'
import { MemoryDisk } from '../../src/compliance.js'
import { type Database, open } from '../../src/index.js'
import { type BodySource, type LogRecord, type Replica, replicaOf } from '../../src/replica.js'
import { TestEnv } from '../log/support.js'

const IDS = ['a', 'b', 'c', 'd'] as const

/** What names every leaf as held, as a mirror that has all would. */
const everything: BodySource = {
  fetch: async () => [],
  fetchDocument: async () => [],
  confirm: async (leaves) => leaves.map(() => true),
  covers: () => true,
  asOf: () => undefined,
}

/** A database on a disk of its own, which is opened again and again. */
class Machine {
  readonly #disk = new MemoryDisk()
  #level = 0
  db!: Database

  async start(): Promise<void> {
    this.db = await open('db', {
      storage: this.#disk.storage(),
      level: (location) => this.#disk.level(`${location}/${this.#level}`),
      shardBytes: 400,
      cacheBytes: 1,
      env: new TestEnv(1),
    })
  }

  #before: [Uint8Array, Uint8Array][] | undefined

  /** Remembers the index as it stands. */
  async remember(): Promise<void> {
    await this.db.close()
    const level = this.#disk.level(`db/index-1/${this.#level}`)
    await level.open()
    this.#before = (await level
      .iterator({ keyEncoding: 'view', valueEncoding: 'view' } as never)
      .all()) as never
    await level.close()
    await this.start()
  }

  /** As a process that ended before the index was written since. */
  async fallBack(): Promise<boolean> {
    const before = this.#before
    this.#before = undefined
    if (before === undefined) return false
    await this.db.close()
    this.#level += 1
    const level = this.#disk.level(`db/index-1/${this.#level}`)
    await level.open()
    const batch = before.map(([key, value]) => ({
      type: 'put',
      key,
      value,
      keyEncoding: 'view',
      valueEncoding: 'view',
    }))
    await level.batch(batch as never, { sync: true } as never)
    await level.close()
    await this.start()
    return true
  }

  /** With the index as it is, or with one that is derived from the log alone. */
  async restart(afresh: boolean): Promise<void> {
    await this.db.close()
    if (afresh) this.#level += 1
    await this.start()
  }

  get replica(): Replica {
    return replicaOf(this.db)
  }
}

const some = fc.nat({ max: 999 })
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('put' as const), id: fc.constantFrom(...IDS), n: some }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), id: fc.constantFrom(...IDS) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('merge' as const),
      id: fc.constantFrom(...IDS),
      n: some,
      pick: some,
      foreign: fc.boolean(),
      deleted: fc.boolean(),
      stub: fc.boolean(),
      cut: fc.nat({ max: 6 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('again' as const), pick: some, stub: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('evict' as const), id: fc.constantFrom(...IDS) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'seal' as const }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'remember' as const }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'compact' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const), afresh: fc.boolean() }) },
)

/** Two databases to which the same happens, of which only the first compacts. */
class Twins {
  readonly one = new Machine()
  readonly other = new Machine()
  /** Every revision that there was, with its whole path. */
  readonly revisions: LogRecord[] = []
  /** Where each became known. */
  readonly seqs = new Map<string, number>()
  readonly evicted = new Set<string>()
  dropped = 0
  fell = 0

  async both<T>(run: (machine: Machine) => Promise<T>): Promise<T> {
    const outcome = async (machine: Machine): Promise<unknown> =>
      run(machine).catch((error: unknown) => ({ thrown: (error as { code?: string }).code ?? error }))
    const [one, other] = [await outcome(this.one), await outcome(this.other)]
    expect(one).toEqual(other)
    return one as T
  }

  async note(): Promise<void> {
    const { seq } = this.other.replica.position()
    for (const id of IDS)
      for (const leaf of await this.other.replica.leaves(id)) {
        const known = this.revisions.some((one) => one.id === id && told(one) === told(leaf))
        if (!known && leaf.body !== undefined) this.revisions.push(leaf)
        const key = `${id} ${leaf.rev}`
        if (!this.seqs.has(key)) this.seqs.set(key, seq)
      }
  }

  async run(step: typeof stepType): Promise<void> {
    switch (step.kind) {
      case 'put':
        await this.both(({ db }) => db.put({ id: step.id, n: step.n }, { overwrite: true }))
        break
      case 'delete':
        await this.both(({ db }) => db.delete(step.id))
        break
      case 'merge': {
        const before = this.revisions.filter(({ id }) => id === step.id)
        const parent = before[step.pick % (before.length + 1)]
        const made = revision(step.id, step.n, {
          ...(parent && { parent }),
          ...(step.deleted && { deleted: true }),
          ...(step.foreign && { digest: `f${step.n % 4}` }),
        })
        this.revisions.push(made)
        const whole = step.cut === 0 || step.cut >= made.path.length
        const sent = whole ? made : { ...made, path: made.path.slice(0, step.cut) }
        const record = step.stub ? stubOf(sent) : sent
        await this.both(async ({ replica }) => (await replica.merge([record], { whole })).outcomes)
        break
      }
      case 'again': {
        const record = this.revisions[step.pick % Math.max(1, this.revisions.length)]
        if (record === undefined) return
        const sent = step.stub ? stubOf(record) : record
        await this.both(async ({ replica }) => (await replica.merge([sent], { whole: true })).outcomes)
        break
      }
      case 'evict':
        this.evicted.add(step.id)
        await this.both(async ({ db, replica }) => {
          replica.useSource(everything)
          const count = await db.evict([step.id])
          replica.useSource(undefined)
          return count
        })
        break
      case 'seal':
        await this.both(({ db }) => db.seal())
        break
      case 'compact':
        await this.one.db.seal()
        await this.other.db.seal()
        this.dropped += (await this.one.db.compact()).recordsDropped
        if (await this.one.fallBack()) this.fell += 1
        break
      case 'remember':
        await this.one.remember()
        break
      case 'restart':
        await this.one.restart(step.afresh)
        await this.other.restart(step.afresh)
    }
    await this.note()
  }

  async compare(): Promise<void> {
    const { historySince } = await this.one.db.stats()
    const listed = async ({ db }: Machine): Promise<unknown[]> => {
      const all: unknown[] = []
      for await (const doc of db.list()) all.push(doc)
      return all
    }
    await this.both(listed)
    await this.both(async ({ replica }) => replica.sum({}))
    await this.both(async ({ db }) => (await db.stats()).root)
    const { seq } = this.other.replica.position()
    for (const since of new Set([0, Math.floor(seq / 3), Math.floor(seq / 2), seq - 1])) {
      await this.both(({ replica }) => feedOf(replica, { since: Math.max(0, since) }))
    }
    for (const id of IDS) {
      await this.both(({ replica }) => replica.leaves(id))
      const leaves = await this.other.replica.leaves(id)
      await this.both(({ replica }) => replica.missing(leaves))
      const open = leaves.filter(({ kind }) => kind === 'stub')
      // A body that was evicted can be read until it is compacted.
      if (this.evicted.has(id)) continue
      await this.both(({ replica }) => replica.heldUnder(open))
      await this.both(async ({ db }) => {
        const { asOf: _, ...read } = await db.read(id, { freshness: 'local' })
        return read
      })
    }
    for (const { id, rev } of this.revisions) {
      const at = this.seqs.get(`${id} ${rev}`)
      if (at === undefined || at < historySince || this.evicted.has(id)) continue
      await this.both(({ db }) => db.get(id, { rev, freshness: 'local' }))
    }
  }
}

const stepType = undefined as unknown as typeof step extends fc.Arbitrary<infer T> ? T : never

test('a database that compacts is, to all who look, as one that does not', async () => {
  let dropped = 0
  let fell = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const twins = new Twins()
      await twins.both((machine) => machine.start())
      for (const one of steps) await twins.run(one)
      twins.dropped += (await twins.one.db.compact()).recordsDropped
      await twins.compare()
      const { deadBytes } = await twins.one.db.stats()
      await twins.one.restart(true)
      await twins.other.restart(true)
      await twins.compare()
      // An index that fell back may count what a compaction took already.
      if (twins.fell === 0) expect((await twins.one.db.stats()).deadBytes).toBe(deadBytes)
      // All that was ever seen, told once more.
      for (const record of twins.revisions)
        await twins.both(async ({ replica }) => (await replica.merge([record], { whole: true })).outcomes)
      await twins.one.db.compact()
      await twins.compare()
      expect(await twins.one.db.verify()).toMatchObject({ ok: true })
      await twins.both(({ db }) => db.close())
      dropped += twins.dropped
      fell += twins.fell
    }),
    { numRuns: Number(process.env.RUNS ?? 40), ...(process.env.SEED && { seed: Number(process.env.SEED) }) },
  )
  expect(dropped).toBeGreaterThan(10)
  expect(fell).toBeGreaterThan(1)
}, 600_000)
