import type { Document, Read, ReadOptions } from '../../src/index.js'
import type { History } from './history.js'
import { type Answer, done, type Recorded, refused } from './model.js'
import { keyOf, recordOf } from './revision.js'

type Found = Pick<Read, 'current' | 'asOf' | 'from'> & { readonly doc?: Document; readonly deleted?: boolean }
/** All that may be found; undefined where there is an error. */
type May = readonly (Found | Gone | undefined)[]
type Gone = 'gone'

/**
 * What a read may come to: one answer, but for bodies of the past that were dropped and may still be there. It gives the
 * model what it fetches.
 */
export function readOf(history: History, id: string, options: ReadOptions = {}): readonly Answer[] {
  const may = options.rev === undefined ? winnerOf(history, id, options) : revisionOf(history, id, options)
  const { model } = history
  const deleted = options.rev === undefined && model.winner(id)?.deleted === true
  return may.map((found) => {
    if (found === undefined) return refused('MYNAH_UNREACHABLE')
    if (found === 'gone') return refused('MYNAH_HISTORY_GONE')
    if (!found.current && options.strict) return refused('MYNAH_STALE')
    return done({ deleted, ...found, conflicts: model.conflicts(id) })
  })
}

/** The document of a read. */
export function documentOf(history: History, id: string, options: ReadOptions = {}): readonly Answer[] {
  return readOf(history, id, options).map((read) => (read.ok ? done((read.value as Found).doc) : read))
}

function asOf({ source, now }: History): Date {
  return source.attached ? source.asOf() : new Date(now)
}

function winnerOf(history: History, id: string, { freshness = 'index' }: ReadOptions): May {
  const { source, model } = history
  const covered = !source.attached || source.complete
  const winner = model.winner(id)
  const local = { current: true, from: 'local', asOf: asOf(history) } as const
  if (freshness !== 'mirror' && covered) {
    if (winner === undefined || winner.deleted) return [local]
    if (winner.held) return [{ ...local, doc: documentAt(winner) }]
  }
  if (freshness === 'local')
    return newestHeld(history, id).map((found) => found ?? { ...local, current: false })
  if (source.attached && source.reachable) {
    const found = fetched(history, id, freshness === 'mirror' || !covered ? undefined : winner)
    if (found !== undefined) return [found]
  }
  return newestHeld(history, id)
}

/** What a mirror makes of it: asked for one leaf, or for the whole document. */
function fetched(history: History, id: string, leaf: Recorded | undefined): Found | undefined {
  const { source, remote, now } = history
  const about = { current: true, from: 'mirror' } as const
  if (leaf !== undefined && source.leaf(leaf) !== undefined) {
    keep(history, [leaf])
    const supplied = history.model.winner(id)!
    return { ...about, asOf: source.asOf(), doc: documentAt(supplied) }
  }
  keep(history, remote.leaves(id))
  const winner = history.model.winner(id)
  if (winner === undefined || winner.deleted) return { ...about, asOf: new Date(now) }
  return winner.held ? { ...about, asOf: new Date(now), doc: documentAt(winner) } : undefined
}

/** The database takes what a read had fetched. */
export function keep(history: History, revisions: readonly Parameters<typeof recordOf>[0][]): void {
  const model = history.next()
  for (const revision of revisions)
    model.merge(revision, recordOf(revision, { body: true }), {
      whole: true,
      from: 'mirror',
      at: history.now,
    })
  history.synced()
}

/** The best that is here of a document whose newest is not: nothing that was deleted since. */
function newestHeld(history: History, id: string): May {
  const { model } = history
  const leaves = model.leaves(id)
  const about = { current: false, from: 'local', asOf: asOf(history) } as const
  for (const [i, leaf] of leaves.entries()) {
    if (leaf.deleted && i > 0) break
    if (leaf.deleted) return [about]
    if (leaf.held) return [{ ...about, doc: documentAt(leaf) }]
  }
  const gone = new Set(leaves.filter((leaf) => leaf.deleted).flatMap(({ path }) => path))
  const may: Found[] = []
  for (const past of superseded(history, id)) {
    if (past.deleted) break
    if (gone.has(past.rev) || !(past.held || past.dropped)) continue
    may.push({ ...about, doc: documentAt(past) })
    if (!past.dropped) return may
  }
  return [...may, undefined]
}

/** Those that are no leaves any more, newest first. */
export function superseded({ model }: History, id: string): readonly Recorded[] {
  const leaves = new Set(model.leaves(id).map(keyOf))
  return model
    .recorded(id)
    .filter((one) => !leaves.has(keyOf(one)))
    .reverse()
}

function revisionOf(history: History, id: string, { rev, freshness }: ReadOptions): May {
  const { source, model } = history
  const leaves = model.leaves(id)
  const leaf = leaves.find((one) => one.rev === rev)
  const covered = !source.attached || source.complete
  const about = {
    current: leaf !== undefined && leaf === leaves[0] && covered,
    from: 'local',
    asOf: asOf(history),
  } as const
  if (leaf?.deleted) return [{ ...about, deleted: true }]
  if (leaf?.held) return [{ ...about, doc: documentAt(leaf) }]
  if (leaf !== undefined) {
    if (freshness === 'local') return [{ ...about, current: false }]
    if (!source.attached || !source.reachable || source.leaf(leaf) === undefined) return [undefined]
    keep(history, [leaf])
    return [{ ...about, from: 'mirror', doc: documentAt(leaf) }]
  }
  const past = superseded(history, id).find((one) => one.rev === rev)
  const known = past !== undefined || leaves.some(({ path }) => path.includes(rev!))
  const gone: May = known && model.compactedAt > 0 ? ['gone'] : []
  if (past?.deleted) return [{ ...about, deleted: true }, ...gone]
  if (past?.held) return [{ ...about, doc: documentAt(past) }]
  const without = known && freshness !== 'local' ? undefined : about
  return past?.dropped ? [{ ...about, doc: documentAt(past) }, without, ...gone] : [without, ...gone]
}

export function documentAt({ id, rev, body }: Recorded): Document {
  return { ...body, id, rev }
}
