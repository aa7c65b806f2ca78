import type { Document, Transaction } from '../../src/index.js'
import { aDraft, anId, aRev } from './drawing.js'
import { answerOf, type History } from './history.js'
import { type Answer, done, type Model, refused } from './model.js'
import { documentAt } from './reading.js'
import { show } from './show.js'
import { survive } from './survive.js'

/** One call of a transaction. */
interface Call {
  readonly text: string
  readonly id: string
  readonly run: (tx: Transaction) => Promise<unknown>
  readonly predict: (model: Model, at: number) => Answer
}

function aCall(history: History): Call {
  const { chance, model } = history
  const id = anId(chance)
  if (chance.is(0.3))
    return { text: `get ${id}`, id, run: (tx) => tx.get(id), predict: (now) => readIn(now, id) }
  if (chance.is(0.3)) {
    const rev = chance.is(0.6) ? undefined : aRev(chance, model.leaves(id), model.recorded(id))
    return {
      text: `delete ${id} ${rev ?? ''}`,
      id,
      run: (tx) => tx.delete(rev === undefined ? id : { id, rev }),
      predict: (now, at) => now.delete(id, rev, at),
    }
  }
  const draft = aDraft(history, id)
  const { rev, body, overwrite } = draft
  const doc: Document = rev === undefined ? { ...body, id } : { ...body, id, rev }
  return {
    text: `put ${show(draft)}`,
    id,
    run: (tx) => tx.put(doc, overwrite ? { overwrite } : {}),
    predict: (now, at) => now.put(draft, at),
  }
}

/** What a transaction reads: nothing of it comes from elsewhere. */
function readIn(model: Model, id: string): Answer {
  const winner = model.winner(id)
  if (winner === undefined || winner.deleted) return done(undefined)
  return winner.held ? done(documentAt(winner)) : refused('MYNAH_UNREACHABLE')
}

/** What was planned, and what must be there after. */
interface Planned {
  readonly run: (tx: Transaction) => Promise<readonly Answer[]>
  readonly answers: readonly Answer[]
  readonly after: Model
}

function plan(history: History, calls: readonly Call[], from = history.model): Planned {
  const after = from.clone()
  const answers = calls.map(({ predict }) => predict(after, history.now))
  after.together(from.seq)
  const run = async (tx: Transaction) => {
    const found: Answer[] = []
    for (const call of calls) found.push(await answerOf(call.run(tx)))
    return found
  }
  return { run, answers, after }
}

function someCalls(history: History): readonly Call[] {
  const calls = Array.from({ length: history.chance.between(1, 7) }, () => aCall(history))
  for (const { text } of calls) history.tell(`  in it: ${text}`)
  return calls
}

/** All of it, or, where its function throws, nothing. */
export async function transaction(history: History): Promise<void> {
  const { chance, db } = history
  const { run, answers, after } = plan(history, someCalls(history))
  if (chance.is(0.2)) {
    const thrown = db.transaction(async (tx) => {
      history.same('what a transaction is told', await run(tx), answers)
      throw new Error('no')
    })
    const outcome = await thrown.then(
      () => 'done',
      (error: Error) => error.message,
    )
    history.same('a transaction that throws', outcome, 'no')
    return
  }
  history.same('what a transaction is told', await db.transaction(run), answers)
  history.become(after)
}

/** Somebody else writes what it has read, or something else, before it is done: then it runs again, or does not. */
export async function transactionRaced(history: History): Promise<void> {
  const { db } = history
  const calls = someCalls(history)
  const other = aDraft(history)
  const overwriting = { ...other, overwrite: true }
  history.tell(`  meanwhile: put ${show(overwriting)}`)
  const first = plan(history, calls)
  const between = history.model.clone()
  between.put(overwriting, history.now)
  const again = plan(history, calls, between)
  const changed = between.winner(other.id)?.rev !== history.model.winner(other.id)?.rev
  const rerun = changed && calls.some(({ id }) => id === other.id)
  let runs = 0
  const found = await db.transaction(async (tx) => {
    const answers = await first.run(tx)
    runs += 1
    if (runs === 1) await db.put({ ...other.body, id: other.id }, { overwrite: true })
    return answers
  })
  history.same('how often a transaction ran', runs, rerun ? 2 : 1)
  history.same('what a transaction is told', found, (rerun ? again : first).answers)
  history.become(between)
  history.become(again.after)
}

/** The process or the power ends under it: all of it is there, or nothing. */
export async function transactionAndEnd(history: History): Promise<void> {
  const { chance, db, machine } = history
  const { run, after } = plan(history, someCalls(history))
  const end = chance.is(0.5) ? 'kill' : 'power cut'
  let committed = false
  await machine.until(chance.below(9), end, async () => {
    await db.transaction(run)
    committed = true
  })
  history.tell(`  ${end}, ${committed ? 'committed' : 'not told'}`)
  const mayLose = end === 'power cut' && history.relaxed
  if (mayLose) await survive(history, [...history.durable, after])
  else await survive(history, committed ? [after] : [history.model, after])
}
