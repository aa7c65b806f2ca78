import { toHex } from '../bytes/hex.js'
import type { Replica } from '../database/replica.js'
import { addFingerprint, fingerprint } from '../index/fingerprint.js'
import { type ReplicaChecks, same } from './check.js'
import { revision, stubOf, tree } from './revisions.js'

const RANGES = [
  {},
  { lt: 'b-3' },
  { gte: 'b-3' },
  { prefix: 'b-' },
  { gt: 'a', lte: 'b-1' },
  { prefix: 'none' },
]

/** The sums of all ranges, as the leaves give them. */
async function computed(replica: Replica, ids: readonly string[]): Promise<string[]> {
  const inside = [
    () => true,
    (id: string) => id < 'b-3',
    (id: string) => id >= 'b-3',
    (id: string) => id.startsWith('b-'),
    (id: string) => id > 'a' && id <= 'b-1',
    () => false,
  ]
  return Promise.all(
    inside.map(async (belongs) => {
      const sum = new Uint8Array(32)
      const counted = ids.filter(belongs)
      for (const id of counted) {
        const leaves = (await replica.leaves(id)).map((leaf) => ({ ...leaf, seq: 1, bodySeq: 1 }))
        addFingerprint(
          sum,
          fingerprint(
            id,
            leaves.map(({ path: _, ...leaf }) => leaf),
          ),
        )
      }
      return `${counted.length} ${toHex(sum)}`
    }),
  )
}

async function kept(replica: Replica): Promise<string[]> {
  const sums = await Promise.all(RANGES.map((range) => replica.sum(range)))
  return sums.map(({ count, sum }) => `${count} ${toHex(sum)}`)
}

export const sumChecks: ReplicaChecks = {
  'the sum of a range follows from its leaves, whatever became of them': async (replica, reopen) => {
    const ids = ['a', ...Array.from({ length: 30 }, (_, n) => `b-${n}`)]
    const first = ids.slice(1).map((id) => revision(id, 0))
    await replica.merge([...first, ...tree('a').records])
    same(await kept(replica), await computed(replica, ids))
    for (const parent of first.slice(3, 9))
      await replica.merge([revision(parent.id, 1, { parent, deleted: parent.id === 'b-5' })])
    const again = await reopen()
    same(await kept(again), await computed(again, ids), 'after opening again')
  },
  'what is held, and what is known already, does not enter a sum': async (replica) => {
    const record = revision('a', 1, { parent: revision('a', 0) })
    await replica.merge([stubOf(record), revision('b-1', 1)])
    const before = await kept(replica)
    await replica.merge([record])
    await replica.merge([record, revision('a', 0)])
    same(await kept(replica), before)
  },
}
