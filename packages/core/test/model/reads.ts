import type { Document, ListOptions, ReadOptions } from '../../src/index.js'
import { collect } from '../log/support.js'
import { anId, aRev, ids } from './drawing.js'
import type { History } from './history.js'
import { type Answer, done, type Recorded } from './model.js'
import { documentAt, documentOf, readOf } from './reading.js'
import { show } from './show.js'

function readOptions({ chance, model }: History, id: string): ReadOptions {
  const rev = chance.is(0.25) ? aRev(chance, model.leaves(id), model.recorded(id)) : undefined
  return {
    ...(rev !== undefined && { rev }),
    ...(chance.is(0.5) && { freshness: chance.pick(['local', 'index', 'mirror'] as const) }),
    ...(chance.is(0.2) && { strict: true }),
  }
}

export async function read(history: History): Promise<void> {
  const { chance, db } = history
  const id = anId(chance)
  const options = readOptions(history, id)
  const drawn = chance.below(4)
  const what = `${drawn === 0 ? 'read' : 'get'} ${id} ${show(options)}`
  history.tell(`  ${what}`)
  if (drawn === 0) await history.answers(what, db.read(id, options), readOf(history, id, options))
  else if (drawn === 1) await history.answers(what, db.get(id), documentOf(history, id))
  else await history.answers(what, db.get(id, options), documentOf(history, id, options))
}

/** Of what is held or deleted; what has to be fetched first is another step's. */
export async function getMany(history: History): Promise<void> {
  const { chance, model, db } = history
  const known = ids.filter((id) => model.winner(id)?.held !== false)
  const wanted = Array.from({ length: chance.below(9) }, () => (known.length > 0 ? chance.pick(known) : 'z'))
  const expected = wanted.map((id) => {
    const [answer] = documentOf(history, id, { freshness: 'local' })
    return answer?.ok ? answer.value : undefined
  })
  history.same(`getMany ${wanted.join()}`, await db.getMany(wanted, { freshness: 'local' }), expected)
}

const bounds = ['', 'a', 'b', 'c', 'c/', 'c/1', 'c/11', 'ä', '\uff5e', '😀', 'zz'] as const

export async function list(history: History): Promise<void> {
  const { chance, model, db } = history
  const bound = (name: 'gt' | 'gte' | 'lt' | 'lte') => (chance.is(0.2) ? { [name]: chance.pick(bounds) } : {})
  const options: ListOptions = {
    ...(chance.is(0.2) && { prefix: chance.pick(bounds) }),
    ...bound('gt'),
    ...bound('gte'),
    ...bound('lt'),
    ...bound('lte'),
    ...(chance.is(0.4) && { reverse: chance.is(0.8) }),
    ...(chance.is(0.3) && { limit: chance.below(5) }),
  }
  const what = `list ${show(options)}`
  history.tell(`  ${what}`)
  const inOrder = options.reverse ? model.ids().reverse() : model.ids()
  const expected = inOrder
    .filter((id) => isIn(id, options))
    .map((id) => model.winner(id))
    .filter((leaf): leaf is Recorded => leaf !== undefined && !leaf.deleted && leaf.held)
    .map(documentAt)
    .slice(0, options.limit)
  history.same(what, await collect(db.list(options)), expected)
}

function isIn(id: string, { prefix, gt, gte, lt, lte }: ListOptions): boolean {
  const order = (bound: string) => Buffer.compare(Buffer.from(id), Buffer.from(bound))
  return (
    (prefix === undefined || id.startsWith(prefix)) &&
    (gt === undefined || order(gt) > 0) &&
    (gte === undefined || order(gte) >= 0) &&
    (lt === undefined || order(lt) < 0) &&
    (lte === undefined || order(lte) <= 0)
  )
}

/** With all that a mirror has to give; it ends at the first document that is not to be had. */
export async function listFetching(history: History): Promise<void> {
  const documents: Document[] = []
  let expected: Answer = done(documents)
  for (const id of history.model.ids()) {
    const winner = history.model.winner(id)!
    if (winner.deleted) continue
    const [answer, ...others] = winner.held ? [done(documentAt(winner))] : documentOf(history, id)
    // Which of them it gives is another step's.
    if (answer === undefined || others.length > 0) return
    if (!answer.ok) {
      expected = answer
      break
    }
    if (answer.value !== undefined) documents.push(answer.value as Document)
  }
  await history.answers('list, fetching', collect(history.db.list({ missing: 'fetch' })), expected)
}
