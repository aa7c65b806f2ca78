import { type Database, open } from '@mynah/core'
import { bodyOf, idOf } from './content.js'
import { inspect } from './inspect.js'
import { Ledger } from './ledger.js'
import { Random } from './random.js'
import { StoppingMachine } from './stopping-machine.js'

export interface StopAuditOptions {
  readonly seed: number
  /** Disks that are tried for each place to stop, each with other losses. */
  readonly disks: number
  /** The planted fault: no `sync` does anything. Default false. */
  readonly lying?: boolean
}

export interface StopReport {
  readonly seed: number
  /** Places where the machine stopped: after each write, from the first to the last. */
  readonly stops: number
  /** Databases that were opened from what a stop left. */
  readonly opened: number
  readonly faults: readonly string[]
}

const SHARD_BYTES = 1_024
const FAULTS_MAX = 10

/**
 * Runs one script of writes on a disk in RAM and stops the machine after its first write, its second, and so on; from
 * each stop it takes several disks that a power cut might leave, some of them through a second stop while they are
 * opened, and holds what they give against what was acknowledged.
 */
export async function auditStops(options: StopAuditOptions): Promise<StopReport> {
  const random = new Random(options.seed)
  const lying = options.lying === true
  const contentSeed = random.seed()
  const faults: string[] = []
  let opened = 0
  let stops = 0
  for (let over = false; !over && faults.length < FAULTS_MAX; ) {
    stops += 1
    const machine = new StoppingMachine(random, { stopAfter: stops, lying })
    const ledger = new Ledger(contentSeed)
    over = await Promise.race([script(machine, ledger).then(() => true), machine.stopped.then(() => false)])
    for (let i = 0; i < options.disks; i++) {
      const found = await reopen(
        machine.afterCut(i % 3 === 2 ? random.between(1, 8) : Number.POSITIVE_INFINITY),
        ledger,
      )
      opened += 1
      for (const fault of found) faults.push(`stopped after write ${stops}: ${fault}`)
    }
  }
  return { seed: options.seed, stops, opened, faults }
}

async function openOn({ disk }: StoppingMachine): Promise<Database> {
  return open('/ram', {
    shardBytes: SHARD_BYTES,
    storage: disk.storage(),
    level: (location) => disk.level(location),
  })
}

/** What is wrong with what a disk gives; a machine that stops again is started again. */
async function reopen(machine: StoppingMachine, ledger: Ledger): Promise<readonly string[]> {
  const look = async (): Promise<readonly string[]> => {
    try {
      const db = await openOn(machine)
      const { faults } = await inspect(db, ledger, { settle: false })
      await db.close()
      return faults
    } catch (error) {
      return [`failure to open or read: ${error instanceof Error ? error.stack : String(error)}`]
    }
  }
  const faults = await Promise.race([look(), machine.stopped.then(() => undefined)])
  return faults ?? reopen(machine.afterCut(Number.POSITIVE_INFINITY), ledger)
}

/** Everything that writes: alone, together, in batches; updates, deletes, seals, and a second life after a close. */
async function script(machine: StoppingMachine, ledger: Ledger): Promise<void> {
  let n = 0
  const put = async (db: Database, i: number): Promise<void> => {
    const write = n++
    ledger.try(idOf(i), write, 'put')
    const stored = await db.update(idOf(i), () => bodyOf(ledger.seed, write))
    if (stored) ledger.acknowledge(idOf(i), write, stored.rev)
  }
  const remove = async (db: Database, i: number): Promise<void> => {
    const write = n++
    ledger.try(idOf(i), write, 'delete')
    const ref = await db.delete(idOf(i))
    if (ref) ledger.acknowledge(idOf(i), write, ref.rev)
  }
  const putMany = async (db: Database, from: number, count: number): Promise<void> => {
    const writes = Array.from({ length: count }, (_, i) => ({ id: idOf(from + i), n: n++ }))
    for (const write of writes) ledger.try(write.id, write.n, 'put')
    const outcomes = await db.putMany(
      writes.map((write) => ({ ...bodyOf(ledger.seed, write.n), id: write.id })),
    )
    for (const [i, write] of writes.entries()) {
      const outcome = outcomes[i]
      if (outcome?.ok) ledger.acknowledge(write.id, write.n, outcome.doc.rev)
    }
  }
  const together = async (db: Database, ids: readonly number[]): Promise<void> => {
    const writes = ids.map((i) => ({ id: idOf(i), n: n++ }))
    for (const write of writes) ledger.try(write.id, write.n, 'put')
    const made = await db.transaction(async (tx) => {
      const done: [string, number, string][] = []
      for (const { id, n } of writes) {
        const { rev } = await tx.put({ ...bodyOf(ledger.seed, n), id }, { overwrite: true })
        done.push([id, n, rev])
      }
      ledger.whole(done)
      return done
    })
    for (const [id, n, rev] of made) ledger.acknowledge(id, n, rev)
  }
  for (const life of [0, 1, 2]) {
    const db = await openOn(machine)
    for (let i = 0; i < 4; i++) await put(db, 100 * life + i)
    await Promise.all(Array.from({ length: 10 }, (_, i) => put(db, 100 * life + 10 + i)))
    await putMany(db, 100 * life + 20, 15)
    await Promise.all([put(db, 1), put(db, 2), remove(db, 3), together(db, [4, 5, 100 * life + 60])])
    if (life === 0) await db.seal()
    else await db.compact()
    await Promise.all([put(db, 3), remove(db, 100 * life + 12), putMany(db, 100 * life + 40, 8)])
    await put(db, 100 * life + 12)
    await db.close()
  }
}
