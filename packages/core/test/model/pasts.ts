import { HistoryGoneError, type Snapshot, type Version } from '../../src/index.js'
import { collect } from '../log/support.js'
import { anId, ids } from './drawing.js'
import { answerOf, type History } from './history.js'
import { type Answer, done, type Model, refused } from './model.js'
import { documentAt } from './reading.js'
import { show } from './show.js'

const BY_TIME = 0

/** Every revision of a document that came, the newest first. */
export async function pastOf(history: History): Promise<void> {
  const { chance, db, model } = history
  const id = anId(chance)
  const found = await collect(db.history(id))
  const expected = model.recorded(id).flatMap((one): Version[] => {
    const { rev, seq, at, deleted, held, dropped, faint } = one
    const version = { rev, seq, at: new Date(at), deleted }
    // Of what was dropped, nobody knows whether it still is there.
    const there = found.find((other) => other.seq === seq)
    if (faint && there === undefined) return []
    const told = dropped ? there?.doc !== undefined : held
    return [told && !deleted ? { ...version, doc: documentAt(one) as Version['doc'] & object } : version]
  })
  history.same(`history ${id}`, found, expected.toReversed())
}

/** The database as it was. */
export async function snapshot(history: History): Promise<void> {
  const { chance, db, model, now } = history
  const byTime = chance.is(BY_TIME)
  const moment = byTime
    ? { time: new Date(now - chance.pick([0, 1, 1_000, 60_000, 1e9])) }
    : { seq: chance.below(model.seq + 1) }
  history.tell(`  at ${show(moment)}`)
  const place = 'seq' in moment ? moment.seq : model.placeAt(moment.time.getTime())
  const seq = model.endOf(place)
  const past = await db.at(moment).catch((error: unknown) => {
    // Of a transaction that lost a record nobody knows where it ended.
    if (error instanceof HistoryGoneError && place < model.compactedAt) return undefined
    throw error
  })
  if (past === undefined) return
  history.same('the seq of a snapshot', past.seq, seq)
  await checkSnapshot(history, past, model.until(seq))
  if (chance.is(0.2))
    await history.answers('at what is to come', failureOf(db.at({ seq: model.seq + 1 })), done('RangeError'))
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: Error) => error.name,
  )
}

async function checkSnapshot(history: History, past: Snapshot, then: Model): Promise<void> {
  const asked = history.chance.some(ids, 4).filter((id) => !mayBeFetched(history, then, id))
  for (const id of asked) await history.answers(`${id} then`, past.get(id), documentThen(then, id))
  const sure = asked.filter((id) => documentThen(then, id).length === 1)
  const expected = sure.map((id) => documentThen(then, id)[0]!)
  const failure = expected.find((answer) => !answer.ok)
  const all = await answerOf(past.getMany(sure))
  history.same('many then', all, failure ?? done(expected.map((answer) => answer.ok && answer.value)))
}

/** Whether the answer depends on somebody else. */
function mayBeFetched({ source, model }: History, then: Model, id: string): boolean {
  const winner = then.winner(id)
  return source.attached && model.leaves(id).some(({ seq, held }) => seq === winner?.seq && !held)
}

function documentThen(then: Model, id: string): readonly Answer[] {
  const winner = then.winner(id)
  if (winner === undefined || winner.deleted) return [done(undefined)]
  if (winner.held) return [done(documentAt(winner))]
  const unreachable = refused('MYNAH_UNREACHABLE')
  if (!winner.dropped) return [unreachable]
  const gone = then.compactedAt > 0 ? [refused('MYNAH_HISTORY_GONE')] : []
  return [done(documentAt(winner)), unreachable, ...gone]
}
