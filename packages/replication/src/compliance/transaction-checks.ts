import { same } from './check.js'
import { line } from './push-checks.js'
import { seqOf } from './raw-answer.js'
import type { MirrorChecks } from './raw-database.js'
import { revision, type SentRecord, stubOf } from './revisions.js'

const REFUSED = 'MYNAH_REVISION_REFUSED'
const DETACHED = 'MYNAH_DETACHED'

/** Records as one transaction. */
function together(...records: readonly SentRecord[]): readonly SentRecord[] {
  return records.map((record, i) => ({ ...record, continues: i < records.length - 1 }))
}

export const transactionChecks: MirrorChecks = {
  'records that belong together are taken together': async (db) => {
    await db.create()
    const told = await db.push([...together(revision('a', 1), revision('b', 1)), revision('c', 1)])
    same([told.taken, told.exceptions], [3, []], 'the answer')
    same(
      (await db.pullAll()).map(({ id }) => id),
      ['a', 'b', 'c'],
      'the feed',
    )
  },
  'where one of a transaction is refused all are excepted, it with its reason, the others with that of the first':
    async (db) => {
      await db.create()
      const records = [
        revision('before', 1),
        ...together(revision('a', 1), stubOf(revision('b', 1)), revision('c', 1)),
        revision('after', 1),
      ]
      const told = await db.push(records)
      same(
        told.exceptions.map(([index, code]) => [index, code]),
        [1, 2, 3].map((index) => [index, REFUSED]),
        'exceptions',
      )
      const [first, own, last] = told.exceptions.map(([, , reason]) => reason)
      const names = [first, last].map((reason) => reason?.includes('transaction'))
      same(
        [names, own?.includes('transaction')],
        [[true, true], false],
        'who is refused for the sake of another',
      )
      same(
        (await db.pullAll()).map(({ id }) => id),
        ['before', 'after'],
        'the feed',
      )
    },
  'where one of a transaction is detached all are, and with whole=1 all are taken': async (db) => {
    await db.create()
    const [, , third] = line('b', 3) as [SentRecord, SentRecord, SentRecord]
    const cut = { ...third, path: third.path.slice(0, 1) }
    const told = await db.push(together(revision('a', 1), cut))
    same(
      told.exceptions.map(([index, code]) => [index, code]),
      [
        [0, DETACHED],
        [1, DETACHED],
      ],
      'exceptions',
    )
    same(await db.pullAll(), [], 'the feed')
    const again = await db.push(together(revision('a', 1), third), { whole: true })
    same([again.taken, again.exceptions], [2, []], 'the second answer')
  },
  'a push that ends within a transaction is not whole: that transaction is refused': async (db) => {
    await db.create()
    const open = { ...revision('c', 1), continues: true }
    const told = await db.push([...together(revision('a', 1), revision('b', 1)), revision('x', 1), open])
    same(
      told.exceptions.map(([index, code]) => [index, code]),
      [[3, REFUSED]],
      'exceptions',
    )
    same(
      (await db.pullAll()).map(({ id }) => id),
      ['a', 'b', 'x'],
      'the feed',
    )
  },
  'a transaction lies in one piece in the history, whoever writes at the same time': async (db) => {
    await db.create()
    const pushes = Array.from({ length: 6 }, (_, n) =>
      db.push(together(...Array.from({ length: 20 }, (_, i) => revision(`${n}/${i}`, i)))),
    )
    for (const told of await Promise.all(pushes)) same(seqOf(told.position) - told.before, 20, 'seqs of one')
    const owners = (await db.pullAll()).map(({ id }) => id.split('/', 1)[0])
    same(owners.filter((owner, i) => owner !== owners[i - 1]).length, 6, 'pieces')
  },
}
