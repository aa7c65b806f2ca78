import { type Document, MynahError } from '../../src/index.js'
import { aBody, aDraft, anId, aRev } from './drawing.js'
import type { History } from './history.js'
import { type Answer, type Draft, done, type Model, refused } from './model.js'
import { aMerge } from './remote.js'
import { show } from './show.js'
import { survive } from './survive.js'

/** A write whose place among those made at the same time is that of its call. */
export interface Write {
  readonly text: string
  /** Whether it survives power loss once acknowledged, also where the database is relaxed. */
  readonly sync?: boolean
  readonly run: (history: History) => Promise<unknown>
  /** Does the same to the model. */
  readonly predict: (model: Model, at: number) => Answer
}

function aWrite(history: History): Write {
  const { chance } = history
  const drawn = chance.below(20)
  if (drawn < 8) return aPut(history)
  if (drawn < 9) return aPutRefused(history)
  if (drawn < 12) return aPutMany(history)
  if (drawn < 16) return aDelete(history)
  return aMerge(history)
}

function aPut(history: History): Write {
  const draft = aDraft(history)
  return {
    text: `put ${show(draft)}`,
    run: ({ db }) => db.put(...argumentsOf(draft)),
    predict: (model, at) => model.put(draft, at),
  }
}

function argumentsOf({ id, rev, body, overwrite }: Draft): [Document, { overwrite?: boolean }] {
  const named = rev === undefined ? { ...body, id } : { ...body, id, rev }
  return [named, overwrite ? { overwrite } : {}]
}

/** What can be no document. */
const impossible: readonly object[] = [
  { id: '', n: 1 },
  { id: '_a', n: 1 },
  { id: 'a\u0000', n: 1 },
  { id: '\ud800', n: 1 },
  { id: 'x'.repeat(1_025), n: 1 },
  { id: 'a', rev: 'none', n: 1 },
  { id: 'a', n: Number.NaN },
  { id: 'a', n: () => 1 },
  { id: 'a', n: new Map() },
  { id: 'a', n: new Date(Number.NaN) },
  { id: 'a', n: '\udfff' },
  { id: 'a', n: [undefined] },
]

function aPutRefused({ chance }: History): Write {
  const doc = chance.pick(impossible)
  const overwrite = chance.is(0.5)
  return {
    text: `put ${show(doc)}, which is refused`,
    run: ({ db }) => db.put(doc as Document, { overwrite }),
    predict: () => refused('MYNAH_DOCUMENT_INVALID'),
  }
}

function aPutMany(history: History): Write {
  const { chance } = history
  const overwrite = chance.is(0.2)
  // Some documents come twice in one call.
  const drafts = Array.from({ length: chance.between(1, 6) }, () => ({ ...aDraft(history), overwrite }))
  const bad = chance.is(0.2) ? chance.below(drafts.length) : -1
  const docs = drafts.map((draft, i) =>
    i === bad ? (chance.pick(impossible) as Document) : argumentsOf(draft)[0],
  )
  return {
    text: `putMany ${show(docs)}${overwrite ? ', overwriting' : ''}`,
    run: async ({ db }) =>
      (await db.putMany(docs, overwrite ? { overwrite } : {})).map((outcome) =>
        outcome.ok ? done(outcome.doc) : refused(outcome.error.code),
      ),
    predict: (model, at) =>
      done(drafts.map((draft, i) => (i === bad ? refused('MYNAH_DOCUMENT_INVALID') : model.put(draft, at)))),
  }
}

function aDelete({ chance, model }: History): Write {
  const id = anId(chance)
  const rev = chance.is(0.5) ? undefined : aRev(chance, model.leaves(id), model.recorded(id))
  return {
    text: `delete ${id} ${rev ?? ''}`,
    run: ({ db }) => db.delete(rev === undefined ? id : { id, rev }),
    predict: (model, at) => model.delete(id, rev, at),
  }
}

/** One after the other, or all at once: each comes to what it comes to in order. */
export async function write(history: History): Promise<void> {
  const count = history.chance.is(0.6) ? 1 : history.chance.between(2, 5)
  const writes = Array.from({ length: count }, () => aWrite(history))
  const promises = writes.map(({ text, run }) => {
    history.tell(`  ${text}`)
    return settled(run(history))
  })
  const answers = await Promise.all(promises)
  for (const [i, { text, predict, sync }] of writes.entries()) {
    history.same(text, answers[i], predict(history.next(), history.now))
    if (sync) history.synced()
  }
}

/** The process or the power ends under some writes: what was acknowledged is there, and the rest in order or not at all. */
export async function writeAndEnd(history: History): Promise<void> {
  const { chance, machine } = history
  const writes = Array.from({ length: chance.between(1, 6) }, () => aWrite(history))
  const end = chance.is(0.5) ? 'kill' : 'power cut'
  const answers: Answer[] = []
  await machine.until(chance.below(12), end, async () => {
    const running = writes.map(async ({ text, run }, i) => {
      history.tell(`  ${text}`)
      answers[i] = await settled(run(history))
    })
    await Promise.all(running)
    if (chance.is(0.3)) await history.db.seal()
  })
  history.tell(`  ${end}, ${answers.filter((answer) => answer).length} were answered`)
  const mayLose = end === 'power cut' && history.relaxed
  const may = mayLose ? [...history.durable] : [history.model]
  for (const [i, { text, predict, sync }] of writes.entries()) {
    const next = may.at(-1)!.clone()
    const expected = predict(next, history.now)
    if (answers[i]) history.same(text, answers[i], expected)
    // Who is told of a write is told of all before it.
    if (answers[i] && next.seq > may.at(-1)!.seq && (sync || !mayLose)) may.length = 0
    may.push(next)
  }
  await survive(history, may)
}

async function settled(promise: Promise<unknown>): Promise<Answer> {
  try {
    return done(await promise)
  } catch (error) {
    if (error instanceof MynahError) return refused(error.code)
    throw error
  }
}

/** Which body an update gives, or what else. */
export function aChange(chance: History['chance']): 'nothing' | 'remove' | ReturnType<typeof aBody> {
  if (chance.is(0.15)) return 'nothing'
  return chance.is(0.2) ? 'remove' : aBody(chance)
}
