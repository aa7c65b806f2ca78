import type { Fields } from '../../src/codec/value.js'
import { type Conflict, type Document, REMOVE } from '../../src/index.js'
import { collect } from '../log/support.js'
import { aBody, ids } from './drawing.js'
import { answerOf, type History } from './history.js'
import { type Answer, done, refused } from './model.js'
import { documentAt, documentOf, keep, superseded } from './reading.js'
import { show } from './show.js'
import { survive } from './survive.js'

function liveOf({ model }: History, id: string) {
  return model.leaves(id).filter(({ deleted }) => !deleted)
}

/** A conflict as it is told now; compaction may have taken its base. */
function conflictOf(history: History, id: string, found: Conflict | undefined): Conflict {
  const live = liveOf(history, id)
  const base = baseOf(history, id, found?.base !== undefined)
  return {
    id,
    leaves: live.filter(({ held }) => held).map(documentAt),
    missing: live.filter(({ held }) => !held).map(({ rev }) => rev),
    ...(base && { base }),
  } as Conflict
}

/** The newest revision that all live leaves follow, where its body is held. */
function baseOf(history: History, id: string, mayBe: boolean): Document | undefined {
  const [first, ...others] = liveOf(history, id)
  const rev = first?.path.find((one) => others.every(({ path }) => path.includes(one)))
  const base = superseded(history, id).find(
    (past) => past.rev === rev && (past.held || (past.faint && past.dropped && mayBe)),
  )
  return base && !base.deleted ? documentAt(base) : undefined
}

export async function conflicts(history: History): Promise<void> {
  const inConflict = history.model.ids().filter((id) => liveOf(history, id).length > 1)
  const found = await collect(history.db.conflicts())
  const expected = inConflict.map((id) =>
    conflictOf(
      history,
      id,
      found.find((one) => one.id === id),
    ),
  )
  history.same('conflicts', found, expected)
}

/** Mostly one that has a conflict. */
function anIdInConflict(history: History): string {
  const inConflict = ids.filter((id) => liveOf(history, id).length > 1)
  return inConflict.length > 0 && history.chance.is(0.9)
    ? history.chance.pick(inConflict)
    : history.chance.pick(ids)
}

/** What a merge makes of it: one of the leaves, something else, or nothing. */
function mergeOf(history: History, id: string): Fields | typeof REMOVE {
  const { chance } = history
  if (chance.is(0.15)) return REMOVE
  const live = liveOf(history, id)
  return live.length > 0 && chance.is(0.4) ? chance.pick(live).body : aBody(chance)
}

/** Several leaves become one. */
export async function resolve(history: History): Promise<void> {
  const id = anIdInConflict(history)
  const merged = mergeOf(history, id)
  history.tell(`  resolve ${id} with ${merged === REMOVE ? 'nothing' : show(merged)}`)
  let asked: Conflict | undefined
  const answer = await answerOf(
    history.db.resolve<Document>(id, (conflict) => {
      asked = conflict
      return merged === REMOVE ? REMOVE : { ...merged }
    }),
  )
  if (liveOf(history, id).length < 2) {
    const may = documentOf(history, id)
    if (may.length === 1) history.same(`resolve ${id}`, answer, may[0])
    return history.same('what a merge is asked', asked, undefined)
  }
  const ready = fetchAll(history, id)
  history.same('what a merge is asked', asked, ready ? conflictOf(history, id, asked) : undefined)
  history.same(
    `resolve ${id}`,
    answer,
    ready ? resolution(history, id, merged) : refused('MYNAH_UNREACHABLE'),
  )
}

/** Whether all of it comes to be held; what comes is kept. */
function fetchAll(history: History, id: string): boolean {
  const { source } = history
  const missing = liveOf(history, id).filter(({ held }) => !held)
  if (missing.length === 0) return true
  if (!source.attached || !source.reachable) return false
  keep(
    history,
    missing.filter((leaf) => source.leaf(leaf) !== undefined),
  )
  return liveOf(history, id).every(({ held }) => held)
}

function resolution(history: History, id: string, merged: Fields | typeof REMOVE): Answer {
  const body = merged === REMOVE ? undefined : merged
  const rev = history.next().resolve(id, body, history.now)
  return done(body && { ...body, id, rev })
}

/** The process or the power ends under it: all of it is done, or nothing. */
export async function resolveAndEnd(history: History): Promise<void> {
  const { chance, db, machine } = history
  const id = anIdInConflict(history)
  if (liveOf(history, id).length < 2 || liveOf(history, id).some(({ held }) => !held)) return
  const merged = mergeOf(history, id)
  const after = history.model.clone()
  after.resolve(id, merged === REMOVE ? undefined : merged, history.now)
  const end = chance.is(0.5) ? 'kill' : 'power cut'
  let resolved = false
  await machine.until(chance.below(9), end, async () => {
    await db.resolve(id, () => (merged === REMOVE ? REMOVE : { ...merged }))
    resolved = true
  })
  history.tell(`  resolve ${id}, ${end}, ${resolved ? 'done' : 'not told'}`)
  if (end === 'power cut' && history.relaxed) await survive(history, [...history.durable, after])
  else await survive(history, resolved ? [after] : [history.model, after])
}
