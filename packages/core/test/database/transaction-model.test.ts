import { expect, test } from 'vitest'
import { MemoryDisk } from '../../src/compliance.js'
import { parseValue } from '../../src/index/checksum.js'
import { rootKey } from '../../src/index/keys.js'
import { decodeRoot } from '../../src/index/root.js'
import { ConflictError, type Database, MynahError, open, type Transaction } from '../../src/index.js'
import { seeded } from '../storage/seeded.js'

interface Account {
  readonly id: string
  readonly rev: string
  readonly balance: number
}

interface Transfer {
  readonly id: string
  readonly rev: string
  readonly from: string
  readonly to: string
  readonly amount: number
}

const ACCOUNTS = ['a', 'b', 'c', 'd', 'e'].map((name) => `account/${name}`)
const START = 100
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31)

type Random = (bound: number) => number

/** What was acknowledged. */
class Truth {
  readonly transfers = new Set<string>()
  /** Transfers begun, how often they ran, and lives that were ended. */
  begun = 0
  runs = 0
  ends = 0
}

async function prepare(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    for (const id of ACCOUNTS) await tx.put({ id, balance: START })
    await tx.put({ id: 'duty/0', on: true })
    await tx.put({ id: 'duty/1', on: true })
  })
}

/** Moves money and notes it; an account that is left empty is closed, one that is not there is opened. */
async function transfer(tx: Transaction, random: Random): Promise<string> {
  const from = ACCOUNTS[random(ACCOUNTS.length)]!
  const to = ACCOUNTS[random(ACCOUNTS.length)]!
  const source = await tx.get<Account>(from)
  const amount = Math.min(source?.balance ?? 0, random(60))
  if (source) {
    if (source.balance === amount) await tx.delete(source)
    else await tx.put({ ...source, balance: source.balance - amount })
  }
  const target = await tx.get<Account>(to)
  if (target) await tx.put({ ...target, balance: target.balance + amount })
  else if (amount > 0) await tx.put({ id: to, balance: amount })
  return (await tx.put({ from, to, amount, kind: 'transfer' })).id
}

/** Two are on duty, and each may leave only while the other stays: what write skew breaks. */
async function duty(tx: Transaction, who: number): Promise<void> {
  const [self, other] = await tx.getMany([`duty/${who}`, `duty/${1 - who}`])
  await tx.put({ id: `duty/${who}`, rev: self!.rev, on: self!.on !== true || other!.on !== true })
}

async function work(db: Database, random: Random, truth: Truth): Promise<void> {
  for (let n = 0; n < 8; n++) {
    const kind = random(10)
    if (kind < 6) {
      truth.begun += 1
      const id = await db.transaction((tx) => {
        truth.runs += 1
        return transfer(tx, random)
      })
      truth.transfers.add(id)
    } else if (kind < 8) await db.transaction((tx) => duty(tx, random(2)))
    else if (kind === 8) await expectSum(db)
    // Beside transactions: writes of one document.
    else await db.update<Account>(ACCOUNTS[random(ACCOUNTS.length)]!, (doc) => doc && { ...doc, touched: n })
  }
}

/** All at one moment. */
async function expectSum(db: Database): Promise<void> {
  const { accounts, duties } = await db.transaction(async (tx) => ({
    accounts: await tx.getMany<Account>(ACCOUNTS),
    duties: await tx.getMany(['duty/0', 'duty/1']),
  }))
  const sum = accounts.reduce((all, account) => all + (account?.balance ?? 0), 0)
  expect(sum).toBe(START * ACCOUNTS.length)
  expect(duties.some((one) => one?.on === true)).toBe(true)
}

/** Nothing acknowledged is lost, and of no transfer only a part is there. */
async function expectWhole(db: Database, truth: Truth): Promise<void> {
  if ((await db.count()) === 0 && truth.transfers.size === 0) return
  await expectSum(db)
  const balances = new Map(ACCOUNTS.map((id) => [id, START]))
  const seen = new Set<string>()
  for await (const { id, kind, from, to, amount } of db.list<Transfer & { kind?: string }>()) {
    if (kind !== 'transfer') continue
    seen.add(id)
    balances.set(from, balances.get(from)! - amount)
    balances.set(to, balances.get(to)! + amount)
  }
  for (const id of truth.transfers) expect(seen).toContain(id)
  for (const [id, balance] of balances) expect((await db.get<Account>(id))?.balance ?? 0, id).toBe(balance)
}

/** One disk, several lives that each end with everything under way. */
async function lives(number: number): Promise<Truth> {
  const next = seeded(number)
  const random: Random = (bound) => Math.floor(next() * bound)
  const truth = new Truth()
  let left = Number.POSITIVE_INFINITY
  let ended: () => void = () => undefined
  let life = 0
  const disk: MemoryDisk = new MemoryDisk({
    random: next,
    pace: async () => {
      for (let turn = random(4); turn > 0; turn--) await Promise.resolve()
      if (left-- !== 0) return
      life += 1
      truth.ends += 1
      if (random(2) === 0) disk.kill()
      else disk.powerCut()
      ended()
    },
  })
  const start = (): Promise<Database> => {
    const mine = ++life
    const dead = disk.level('dead')
    return open('db', {
      storage: disk.storage(),
      level: (location) => (life === mine ? disk.level(location) : dead),
      shardBytes: 500 + random(2_000),
      cacheBytes: 10_000,
    })
  }
  for (let n = 0; n < 3; n++) {
    const struck = new Promise<void>((resolve) => {
      ended = resolve
    })
    // Also while the last life's end is mended.
    left = random(n === 0 ? 150 : 60)
    await Promise.race([struck, live(await race(start(), struck), random, truth)])
    left = Number.POSITIVE_INFINITY
    const db = await start()
    await expectWhole(db, truth)
    expect(await db.verify()).toMatchObject({ ok: true })
    if (random(2) === 0) await db.seal()
    await db.close()
  }
  // The log alone says the same.
  for (const location of disk.levels()) disk.removeLevel(location)
  const derived = await start()
  await expectWhole(derived, truth)
  await derived.close()
  return truth
}

async function race(opening: Promise<Database>, struck: Promise<void>): Promise<Database | undefined> {
  opening.catch(() => undefined)
  return Promise.race([opening, struck.then(() => undefined)])
}

async function live(db: Database | undefined, random: Random, truth: Truth): Promise<void> {
  if (db === undefined) return
  if ((await db.count()) === 0) await prepare(db)
  await Promise.all(Array.from({ length: 6 }, () => work(db, random, truth)))
  await db.close()
}

test('random transactions, whatever ends them: money stays, nobody leaves the last post, none is there in half', async () => {
  const all = new Truth()
  for (let n = 0; n < 25; n++) {
    const truth = await lives(seed + n).catch((cause: unknown) => {
      throw new Error(`seed ${seed + n}`, { cause })
    })
    all.begun += truth.begun
    all.runs += truth.runs
    all.ends += truth.ends
  }
  // Else nothing was tried: they were never in each other's way, or nothing ended them.
  expect(all.runs).toBeGreaterThan(all.begun * 1.2)
  expect(all.ends).toBeGreaterThan(30)
})

test('an index that follows the log after a crash never says that it stands within a transaction', async () => {
  for (const extra of [0, 400]) {
    const disk = new MemoryDisk()
    const start = () => open('db', { storage: disk.storage(), level: (location) => disk.level(location) })
    const db = await start()
    await db.put({ id: 'before' })
    await db.transaction(async (tx) => {
      for (let n = 0; n < 3_500; n++) await tx.put({ id: `d${n}` })
    })
    await db.putMany(Array.from({ length: extra }, (_, n) => ({ id: `after${n}` })))
    disk.kill()
    for (const location of disk.levels()) disk.removeLevel(location)
    await start()
    disk.kill()
    const level = disk.level('db/index-1')
    await level.open()
    const root = await level.get(rootKey)
    const { seq } = parseValue(rootKey, root!, decodeRoot).root
    expect([3_501, 3_501 + extra]).toContain(seq)
    await level.close()
  }
})

test('control: without a check of what was read, the same work loses money', async () => {
  const db = await open(':memory:')
  await prepare(db)
  const random = seeded(1)
  const pick: Random = (bound) => Math.floor(random() * bound)
  const unchecked: Transaction = {
    get: (id) => db.get(id),
    getMany: (ids) => db.getMany(ids),
    put: ({ rev: _, ...doc }) => db.put(doc as never, { overwrite: true }),
    delete: (target) => db.delete(typeof target === 'string' ? target : target.id),
  }
  const refused = (error: unknown) => {
    if (!(error instanceof MynahError) || !(error instanceof ConflictError)) throw error
  }
  for (let n = 0; n < 20; n++)
    await Promise.all(Array.from({ length: 4 }, () => transfer(unchecked, pick).catch(refused)))
  await expect(expectSum(db)).rejects.toThrow()
  await db.close()
})
