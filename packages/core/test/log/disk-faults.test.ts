import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type OpenOptions, open } from '../../src/index.js'
import { type DiskFault, type DiskOperation, MemoryDisk } from '../../src/storage/memory-disk.js'
import { seeded } from '../storage/seeded.js'
import { DiskLife } from './disk-life.js'

const IDS = ['a', 'b', 'c', 'd', 'e', 'f']

interface Plan {
  readonly kinds: readonly DiskOperation['kind'][]
  readonly fault: DiskFault
  /** Of 100 operations of these kinds, those that go wrong. */
  readonly wrong: number
  readonly ends: readonly ('kill' | 'cut')[]
  readonly full: boolean
  readonly open: OpenOptions
}

const calm: Plan = { kinds: [], fault: 'error', wrong: 0, ends: ['kill', 'cut'], full: false, open: {} }

/** One process: it opens, writes and reads, until it is done or ends at some operation of the disk. */
async function oneProcess(life: DiskLife, plan: Plan): Promise<void> {
  const { random, disk } = life
  const db = await life.open(plan.open).catch(() => undefined)
  if (!db) return
  for (let round = 0; round < 6; round++) {
    if (plan.full && random() < 0.5) disk.capacityBytes = disk.usedBytes + Math.floor(random() * 600)
    await Promise.all(IDS.map((id) => random() < 0.6 && life.write(db, id)))
    if (random() < 0.3) await db.seal().catch(() => undefined)
    await life.look(db, plan.wrong > 0)
    if (!plan.full) continue
    disk.capacityBytes = Number.POSITIVE_INFINITY
    const { refused } = life
    await life.write(db, 'a')
    if (life.refused > refused) life.faults.push('a write is refused though there is room again')
  }
  if (random() < 0.5) await db.close().catch(() => undefined)
}

function sweep(name: string, some: Partial<Plan>): void {
  const plan = { ...calm, ...some }
  const end = fc.constantFrom(...plan.ends)
  const process = fc.record({ operations: fc.integer({ min: 0, max: 150 }), end })
  test(name, { timeout: 30_000 }, async () => {
    let acknowledged = 0
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(process, { maxLength: 5 }), async (seed, processes) => {
        const life = new DiskLife(seeded(seed))
        for (const { operations, end } of processes) {
          life.chance = ({ kind }) =>
            plan.kinds.includes(kind) && life.random() * 100 < plan.wrong ? plan.fault : undefined
          await life.until(operations, end, () => oneProcess(life, plan))
          life.chance = () => undefined
          life.disk.capacityBytes = Number.POSITIVE_INFINITY
          await life.inspect()
        }
        acknowledged += life.acknowledged
      }),
      { numRuns: RUNS },
    )
    expect(acknowledged).toBeGreaterThan(RUNS)
  })
}

const RUNS = Number(process.env.ROUNDS ?? 25)
const writes: Plan['kinds'] = ['append', 'replace', 'remove']

sweep('nothing acknowledged is lost to kills and power cuts', {})
sweep('… where syncs fail', { kinds: ['sync'], wrong: 15 })
sweep('… where writes fail', { kinds: writes, wrong: 10 })
sweep('… where the index fails', { kinds: ['level-write', 'level-open'], wrong: 20 })
sweep('… where anything fails', {
  kinds: [...writes, 'sync', 'read', 'list', 'level-write', 'level-read'],
  wrong: 4,
})
sweep('… where reads give less', { kinds: ['read'], fault: 'short', wrong: 5 })
sweep('… where reads give wrong bits', { kinds: ['read', 'level-read'], fault: 'flip', wrong: 5 })
sweep('… where the disk is full again and again', { full: true })
sweep('relaxed writes survive kills', { ends: ['kill'], open: { durability: 'relaxed' } })
test('an empty group that a kill left unsynced is no damage when the power goes later', async () => {
  for (let seed = 0; seed < 20; seed++) {
    let closing = false
    let ended: () => void = () => undefined
    const killed = new Promise<void>((resolve) => {
      ended = resolve
    })
    const disk: MemoryDisk = new MemoryDisk({
      random: seeded(seed),
      pace: async ({ kind }) => {
        if (!closing || kind !== 'sync') return
        closing = false
        disk.kill()
        ended()
      },
    })
    const openDisk = () =>
      open('/ram', { storage: disk.storage(), level: (location) => disk.level(location) })
    const first = await openDisk()
    await first.put({ id: 'a', n: 1 })
    closing = true
    await Promise.race([first.close(), killed])
    const second = await openDisk()
    await second.put({ id: 'b', n: 2 })
    disk.powerCut()
    const third = await openDisk()
    expect((await third.verify()).findings, `seed ${seed}`).toEqual([])
    expect(await third.count()).toBe(2)
    await third.close()
  }
})
