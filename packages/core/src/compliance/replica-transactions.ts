import { deriveRev } from '../document/revision.js'
import type { LogRecord } from '../log/record.js'
import { holds, type ReplicaChecks, same } from './check.js'
import { leavesOf, results, revision } from './revisions.js'

const NEW = ['new', 'new', 'new']
const REFUSED = Array.from(NEW, () => 'refused MYNAH_REVISION_REFUSED')

/** Three records that say that they belong together. */
function transaction(...changes: readonly ((record: LogRecord) => LogRecord)[]): LogRecord[] {
  return ['a', 'b', 'c'].map((id, at) => {
    const record = { ...revision(id, 1), continues: at < 2 }
    return changes[at]?.(record) ?? record
  })
}

const asIs = (record: LogRecord): LogRecord => record
const forged = (record: LogRecord): LogRecord => ({ ...record, body: { forged: true } })

export const transactionChecks: ReplicaChecks = {
  'of a transaction that a peer pushes all is taken': async (replica, reopen) => {
    same(await results(replica, transaction(), { from: 'peer' }), NEW)
    const again = await reopen()
    same(
      await results(again, transaction(), { from: 'peer' }),
      ['known', 'known', 'known'],
      'pushed once more',
    )
  },
  'or nothing: where one is refused, so are all, and each tells why': async (replica) => {
    const before = replica.position()
    for (const changes of [[forged], [asIs, forged], [asIs, asIs, forged]]) {
      const { outcomes, position } = await replica.merge(transaction(...changes), { from: 'peer' })
      same(position, before, 'position')
      for (const outcome of outcomes) {
        holds(outcome.result === 'refused', `${outcome.result} beside a refused one`)
        if (outcome.result === 'refused')
          holds(outcome.error.message.includes('does not fit'), outcome.error.message)
      }
    }
    for (const id of ['a', 'b', 'c']) same(await leavesOf(replica, id), [], id)
  },
  'where one cannot be attached, all are asked for again': async (replica) => {
    await replica.merge([revision('b', 0)])
    const before = replica.position()
    const parent = `7-${'0'.repeat(32)}`
    const unknown = (record: LogRecord): LogRecord => {
      return { ...record, rev: deriveRev(parent, false, record.body!), path: [parent] }
    }
    const records = transaction(asIs, unknown)
    same(await results(replica, records, { from: 'peer' }), ['detached', 'detached', 'detached'])
    same(replica.position(), before, 'position')
    same(await results(replica, records, { from: 'peer', whole: true }), NEW)
  },
  'one that does not end is refused, and hinders no other': async (replica) => {
    const endless = transaction(asIs, asIs, (record) => ({ ...record, continues: true }))
    const other = revision('d', 1)
    same(await results(replica, [other, ...endless], { from: 'peer' }), ['new', ...REFUSED])
    same(await leavesOf(replica, 'a'), [])
  },
  'a refused one leaves nothing behind that the next records in the push could rest on': async (replica) => {
    const root = revision('a', 0)
    await replica.merge([root])
    const child = revision('a', 1, { parent: root })
    const grandchild = revision('a', 2, { parent: child })
    const torn = [{ ...child, continues: true }, forged(revision('b', 1))]
    const before = replica.position().seq
    const [, , next] = await results(replica, [...torn, grandchild], { from: 'peer' })
    same(next, 'new')
    same(replica.position().seq, before + 1, 'seq')
    same(
      (await replica.leaves('a')).map(({ rev }) => rev),
      [grandchild.rev],
    )
  },
  'between mirrors each record counts by itself': async (replica) => {
    same(await results(replica, transaction(asIs, forged)), ['new', REFUSED[0], 'new'])
    const endless = { ...revision('d', 1), continues: true }
    same(await results(replica, [endless]), ['new'])
  },
  'what was pushed together is told together, as far as it still is a leaf': async (replica, reopen) => {
    const records = transaction()
    await replica.merge([revision('before', 1)])
    await replica.merge(records, { from: 'peer' })
    await replica.merge([revision('after', 1)])
    const ids = async (of: readonly LogRecord[]) =>
      (await replica.together(of)).map((leaves) => leaves.map(({ id }) => id))
    for (const record of records) same(await ids([record]), [['a', 'b', 'c']], record.id)
    same(await ids(records), [['a', 'b', 'c']], 'all')
    same(await ids([revision('before', 1), revision('after', 1), revision('none', 1)]), [], 'others')
    await replica.merge([revision('b', 2, { parent: records[1]! })])
    const again = await reopen()
    const leaves = await again.together([records[2]!])
    same(leaves, [[records[0]!, records[2]!].map(({ id, rev }) => ({ id, rev }))])
  },
}
