import type { Replica } from '../database/replica.js'
import { bodyHash } from '../document/revision.js'
import type { LogRecord } from '../log/record.js'
import { type ReplicaChecks, same } from './check.js'
import { revision, stubOf, told } from './revisions.js'

const child = (n: number, parent: LogRecord) => revision(parent.id, n, { parent })
const deleted = (parent: LogRecord) => revision(parent.id, 0, { parent, deleted: true })

async function expectUnder(
  replica: Replica,
  leaves: readonly LogRecord[],
  expected: readonly LogRecord[],
): Promise<void> {
  const found: LogRecord[] = []
  for (let start = 0; start < leaves.length; ) {
    const { records, done } = await replica.heldUnder(leaves.slice(start))
    found.push(...records)
    start += done
  }
  const named = (records: readonly LogRecord[]) => records.map((one) => [told(one), ...one.path])
  same(named(found), named(expected))
}

export const heldUnderChecks: ReplicaChecks = {
  'under a leaf that is not held, the newest revision that is comes with its whole path': async (
    replica,
    reopen,
  ) => {
    const first = revision('a', 1)
    const second = child(2, first)
    const leaf = child(4, child(3, second))
    for (const record of [first, second, stubOf(leaf)]) await replica.merge([record])
    await expectUnder(replica, [leaf], [second])
    await expectUnder(await reopen(), [leaf, revision('b', 1)], [second])
  },
  'nothing is under a leaf that is held, or that is all that is known': async (replica) => {
    const [first, other] = [revision('a', 1), revision('b', 1)]
    const leaf = child(2, first)
    for (const record of [first, leaf, stubOf(other)]) await replica.merge([record])
    await expectUnder(replica, [leaf, other], [])
    await expectUnder(replica, [], [])
  },
  'a tombstone that is not held is told whole where its body is proven': async (replica) => {
    const first = revision('a', 1)
    const gone = deleted(first)
    const foreign = revision('b', 0, { deleted: true, digest: 'abc' })
    for (const record of [first, stubOf(gone), stubOf(foreign)]) await replica.merge([record])
    await expectUnder(replica, [gone, foreign], [gone, foreign])
  },
  'a tombstone whose body is not known hides what it deleted': async (replica) => {
    const first = revision('a', 1)
    const body = { why: 'lost' }
    const gone = { ...deleted(first), rev: '2-abc', bodyHash: bodyHash(true, body), body }
    const again = child(2, gone)
    await replica.merge([first])
    await replica.merge([stubOf(gone)])
    await expectUnder(replica, [gone], [])
    await replica.merge([stubOf(again)])
    await expectUnder(replica, [again], [])
  },
  'a deletion between is told rather than what it deleted': async (replica) => {
    const first = revision('a', 1)
    const gone = deleted(first)
    const again = child(2, gone)
    await replica.merge([first])
    await replica.merge([stubOf(again)])
    await expectUnder(replica, [again], [gone])
  },
  'what another leaf brings along is not told again': async (replica) => {
    const first = revision('a', 1)
    const second = child(2, first)
    const [third, fourth, fifth] = [child(3, first), child(4, second), child(5, second)]
    for (const record of [first, stubOf(third), second, stubOf(fourth), stubOf(fifth)])
      await replica.merge([record], { whole: true })
    await expectUnder(replica, [third, fourth, fifth], [second])
    const held = child(6, second)
    await replica.merge([held])
    await expectUnder(replica, [third, fourth, fifth], [])
  },
}
