import type { Change, ChangesOptions } from '../../src/index.js'
import { collect } from '../log/support.js'
import type { History } from './history.js'
import type { Model } from './model.js'
import { documentAt } from './reading.js'
import { show } from './show.js'
import { write } from './writes.js'

/** A change as it must be told; its cursor is opaque. */
export type Told = Omit<Change, 'cursor'>

/** Documents by their newest change, past a place. */
export function changesOf(model: Model, since: number, documents: boolean): Told[] {
  const changes = model.ids().map((id) => {
    const leaves = model.leaves(id)
    const winner = leaves[0]!
    const seq = Math.max(...leaves.map((leaf) => leaf.seq))
    const { rev, deleted, held } = winner
    const told = { seq, id, rev, deleted, conflicts: model.conflicts(id) }
    return documents && !deleted && held ? { ...told, doc: documentAt(winner) as Change['doc'] } : told
  })
  return (changes as Told[]).filter(({ seq }) => seq > since).sort((a, b) => a.seq - b.seq)
}

export function withoutCursor({ cursor, ...told }: Change): Told {
  return told
}

export async function changes(history: History): Promise<void> {
  await history.settle()
  const { chance, model, db } = history
  const all = await collect(db.changes())
  const after = all.length > 0 && chance.is(0.6) ? chance.pick(all) : undefined
  const prefix = chance.is(0.2) ? chance.pick(['c/', 'a', '']) : undefined
  const limit = chance.is(0.3) ? chance.below(4) : undefined
  const options: ChangesOptions = {
    documents: chance.is(0.5),
    ...(after && { since: after.cursor }),
    ...(prefix !== undefined && { prefix }),
    ...(limit !== undefined && { limit }),
  }
  const what = `changes ${show(options)}`
  history.tell(`  ${what}`)
  const expected = changesOf(model, after?.seq ?? 0, options.documents === true)
    .filter(({ id }) => id.startsWith(prefix ?? ''))
    .slice(0, limit)
  history.same(what, (await collect(db.changes(options))).map(withoutCursor), expected)
  await history.answers('changes since now', collect(db.changes({ since: 'now' })), { ok: true, value: [] })
}

/** Who follows while others write comes to know the newest change of each document, in order. */
export async function follow(history: History): Promise<void> {
  await history.settle()
  const { chance, db, machine } = history
  const before = history.model.seq
  const fromNow = chance.is(0.5)
  const enough = new AbortController()
  const told: Told[] = []
  const live = db.changes({
    live: true,
    documents: true,
    signal: enough.signal,
    ...(fromNow && { since: 'now' }),
  })
  const following = (async () => {
    for await (const change of live) told.push(withoutCursor(change))
  })()
  const ended = following.catch((error: unknown) => error)
  for (let more = chance.between(1, 3); more > 0; more--) await write(history)
  await history.settle()
  const expected = changesOf(history.model, fromNow ? before : 0, true)
  const last = expected.at(-1)?.seq ?? 0
  while ((told.at(-1)?.seq ?? 0) < last) await machine.env.yield()
  enough.abort('enough')
  history.same('the end of what was followed', await ended, 'enough')
  checkFollowed(history, told, expected)
}

/** A body that comes later is no change: it may be told or not. */
function checkFollowed({ model, same }: History, told: readonly Told[], expected: readonly Told[]): void {
  const newest = new Map(told.map(({ doc, ...change }) => [change.id, change]))
  const bySeq = (a: { readonly seq: number }, b: { readonly seq: number }) => a.seq - b.seq
  same(
    'what was followed',
    [...newest.values()].sort(bySeq),
    expected.map(({ doc, ...change }) => change),
  )
  same('the order of what was followed', told, told.toSorted(bySeq))
  for (const { id, rev, doc } of told) {
    const revision = model.recorded(id).find((one) => one.rev === rev && !one.deleted)
    if (doc) same(`${id} ${rev} as followed`, doc, revision && documentAt(revision))
  }
}
