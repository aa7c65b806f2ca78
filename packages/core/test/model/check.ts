import { addFingerprint, fingerprint } from '../../src/index/fingerprint.js'
import { collect } from '../log/support.js'
import { changesOf, withoutCursor } from './changing.js'
import type { History } from './history.js'
import type { Recorded } from './model.js'
import { documentAt, documentOf, readOf } from './reading.js'
import { contentOf, contentOfModel, modelLeaf } from './survive.js'

/** Everything that the database tells in any way, against the model. */
export async function checkAll(history: History): Promise<void> {
  await history.settle()
  const { model, db } = history
  history.same('leaves', await contentOf(history), contentOfModel(model))
  for (const id of [...model.ids(), 'never']) {
    const local = { freshness: 'local' } as const
    await history.answers(`read ${id}`, db.read(id, local), readOf(history, id, local))
    for (const { rev } of model.recorded(id)) {
      const options = { rev, ...local }
      await history.answers(`get ${id} ${rev}`, db.get(id, options), documentOf(history, id, options))
    }
  }
  const winners = model.ids().map((id) => model.winner(id)!)
  const listed = winners.filter(({ deleted, held }) => !deleted && held).map(documentAt)
  history.same('list', await collect(db.list()), listed)
  history.same(
    'changes',
    (await collect(db.changes({ documents: true }))).map(withoutCursor),
    changesOf(model, 0, true),
  )
  await checkFigures(history, winners)
  await checkFeed(history)
}

async function checkFigures(
  { model, db, replica, same }: History,
  winners: readonly Recorded[],
): Promise<void> {
  const live = winners.filter(({ deleted }) => !deleted)
  const leaves = model.ids().flatMap((id) => model.leaves(id))
  const sum = new Uint8Array(32)
  for (const id of model.ids()) {
    const named = model.leaves(id).map((leaf) => ({ ...leaf, bodySeq: 0 }))
    addFingerprint(sum, fingerprint(id, named))
  }
  const root = { count: winners.length, sum: Buffer.from(sum).toString('hex') }
  const stats = await db.stats()
  same(
    'stats',
    {
      documents: stats.documents,
      tombstones: stats.tombstones,
      conflicts: stats.conflicts,
      notHeld: stats.notHeld,
      seq: stats.seq,
      root: stats.root,
      damage: stats.damage,
      doubt: stats.doubt,
    },
    {
      documents: live.length,
      tombstones: winners.length - live.length,
      conflicts: live.filter(({ id }) => model.conflicts(id).length > 0).length,
      notHeld: leaves.filter(({ held }) => !held).length,
      seq: model.seq,
      root,
      damage: [],
      doubt: false,
    },
  )
  same('count', await db.count(), live.length)
  const summed = await replica.sum({})
  same('sum', { count: summed.count, sum: Buffer.from(summed.sum).toString('hex') }, root)
}

/** The feed in small pages: each document once, at its newest place, with all its leaves. */
async function checkFeed({ model, replica, same }: History): Promise<void> {
  const found: unknown[] = []
  for (let since = 0, more = true; more; ) {
    const page = await replica.feed({ since, bodies: true, whole: true, bytes: 200 })
    for (const { id, rev, path, deleted, bodyHash, body } of page.records)
      found.push({ id, leaf: { rev, path, deleted, bodyHash, body } })
    since = page.position.seq
    more = page.more
  }
  const expected = changesOf(model, 0, false).flatMap(({ id }) =>
    model.leaves(id).map((leaf) => ({ id, leaf: modelLeaf(leaf) })),
  )
  same('feed', found, expected)
}
