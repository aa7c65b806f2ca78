import type { LogRecord } from '../log/record.js'
import { holds, type ReplicaChecks, same } from './check.js'
import { leavesOf, results, revision, stubOf, told, tree } from './revisions.js'

const REFUSED = 'refused MYNAH_REVISION_REFUSED'

/** Orders of the same things: each turned and each reversed. */
function orders(records: readonly LogRecord[]): LogRecord[][] {
  return records.flatMap((_, i) => {
    const turned = [...records.slice(i), ...records.slice(0, i)]
    return [turned, turned.toReversed()]
  })
}

export const mergeChecks: ReplicaChecks = {
  'merging twice changes nothing': async (replica) => {
    const { records } = tree('a')
    await replica.merge(records)
    const [before, leaves] = [replica.position(), await leavesOf(replica, 'a')]
    same(
      await results(replica, records),
      records.map(() => 'known'),
    )
    same(replica.position(), before, 'position')
    same(await leavesOf(replica, 'a'), leaves, 'leaves')
  },
  'any order of arrival, at once or one by one, gives the same leaves and winner': async (replica) => {
    for (const [i, order] of orders(tree('a').records).entries()) {
      const id = `a-${i}`
      const records = order.map((record) => ({ ...record, id }))
      if (i % 3 === 0) await replica.merge(records)
      else for (const record of records) await replica.merge([record])
      same(await leavesOf(replica, id), tree('a').leaves.map(told), `order ${i}`)
    }
  },
  'the losing leaf is kept, with its body': async (replica) => {
    const root = revision('a', 0)
    const branches = [1, 2].map((n) => revision('a', n, { parent: root }))
    await replica.merge([root, ...branches])
    same((await leavesOf(replica, 'a')).sort(), branches.map(told).sort())
    same((await replica.bodies(branches)).map(told).sort(), branches.map(told).sort(), 'bodies')
  },
  'a revision takes the place of its ancestors, also of some that come later': async (replica) => {
    const root = revision('a', 0)
    const child = revision('a', 1, { parent: root })
    const grandchild = revision('a', 2, { parent: child })
    same(await results(replica, [root, grandchild]), ['new', 'new'])
    same(await results(replica, [child, root]), ['known', 'known'])
    same(await leavesOf(replica, 'a'), [told(grandchild)])
  },
  'what was deleted does not return': async (replica, reopen) => {
    const root = revision('a', 0)
    const child = revision('a', 1, { parent: root })
    const tombstone = revision('a', 0, { parent: child, deleted: true })
    await replica.merge([root, child, tombstone])
    const again = await reopen()
    same(await results(again, [child, root]), ['known', 'known'])
    same(await leavesOf(again, 'a'), [told(tombstone)])
  },
  'one who edits what another deleted makes a leaf that wins, beside the tombstone': async (replica) => {
    const root = revision('a', 0)
    const tombstone = revision('a', 0, { parent: root, deleted: true })
    const edit = revision('a', 1, { parent: root })
    await replica.merge([root, tombstone, edit])
    same(await leavesOf(replica, 'a'), [told(edit), told(tombstone)])
  },
  'what is refused is named in its place, and the rest is taken': async (replica) => {
    const [first, second, last] = [revision('a', 1), revision('b', 2), revision('c', 3)]
    const forged = { ...second, body: { n: 4 } }
    const foreign = { ...revision('d', 5, { digest: 'abc' }), body: { n: 6 } }
    const found = await results(replica, [first, forged, foreign, last])
    same(found, ['new', REFUSED, REFUSED, 'new'])
    same(await leavesOf(replica, 'a'), [told(first)])
    same(await leavesOf(replica, 'b'), [])
    same(await leavesOf(replica, 'd'), [])
    same(await leavesOf(replica, 'c'), [told(last)])
    same(await replica.missing([first, second, last]), [false, true, false], 'missing')
  },
  'what is malformed is refused': async (replica) => {
    const good = revision('a', 1)
    const bad: LogRecord[] = [
      { ...good, id: '' },
      { ...good, id: '_a' },
      { ...good, rev: 'rev' },
      { ...good, rev: `0-${'0'.repeat(32)}` },
      { ...good, deleted: true },
      { ...good, path: [good.rev] },
      { ...good, kind: 'stub' },
      stubOf({ ...good, rev: `2-${'0'.repeat(32)}` }),
    ]
    const found = await replica.merge(bad)
    for (const [i, outcome] of found.outcomes.entries())
      same(outcome.result, 'refused', `malformed record ${i}`)
    same(replica.position().seq, 0, 'position')
  },
  'a peer may not push stubs': async (replica) => {
    same(await results(replica, [stubOf(revision('a', 1)), revision('b', 1)], { from: 'peer' }), [
      REFUSED,
      'new',
    ])
  },
  'a path that ends at something unknown is detached, and nothing of it is kept, until it comes whole':
    async (replica) => {
      const root = revision('a', 0)
      const child = revision('a', 1, { parent: root })
      const leaf = revision('a', 2, { parent: child })
      const cut = { ...leaf, path: [child.rev] }
      same(await results(replica, [cut]), ['detached'])
      same(await leavesOf(replica, 'a'), [])
      same(await replica.missing([leaf]), [true], 'missing')
      same(await results(replica, [leaf], { whole: true }), ['new'])
      const [kept] = await replica.leaves('a')
      same(kept?.path, leaf.path, 'path')
      const next = revision('a', 3, { parent: leaf })
      same(await results(replica, [{ ...next, path: [leaf.rev] }]), ['new'])
      same((await replica.leaves('a'))[0]?.path, next.path, 'the path of a child')
    },
  'the report names the seqs that were taken': async (replica) => {
    await replica.merge([revision('a', 1)])
    const report = await replica.merge([revision('a', 1), revision('b', 1), revision('c', 1)])
    same(report.position.seq - report.before, 2)
    same(report.position, replica.position(), 'position')
    holds(replica.holds(report.position), 'the position of the report does not hold')
  },
  'what was acknowledged is there after opening again': async (replica, reopen) => {
    const { records, leaves } = tree('a')
    const many = Array.from({ length: 50 }, (_, n) => revision(`b-${n}`, n))
    const { position } = await replica.merge([...records, ...many])
    const again = await reopen()
    holds(again.holds(position), 'the position of the report does not hold')
    same(await leavesOf(again, 'a'), leaves.map(told))
    for (const record of many) same(await leavesOf(again, record.id), [told(record)])
    same(
      await results(again, records),
      records.map(() => 'known'),
      'merged again',
    )
  },
}
