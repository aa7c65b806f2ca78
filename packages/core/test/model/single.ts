import { type Document, REMOVE } from '../../src/index.js'
import { anId } from './drawing.js'
import type { History } from './history.js'
import { type Answer, done, refused } from './model.js'
import { documentOf } from './reading.js'
import { show } from './show.js'
import { aChange } from './writes.js'

/** Reads, changes and writes one document. */
export async function update(history: History): Promise<void> {
  const { chance, db } = history
  const id = anId(chance)
  const change = aChange(chance)
  history.tell(`  update ${id} ${show(change)}`)
  const promise = db.update(id, (before) => {
    if (before !== undefined && !Object.isFrozen(before))
      throw new Error('what is to be changed is not frozen')
    if (change === 'nothing') return undefined
    return change === 'remove' ? REMOVE : (change as Document)
  })
  // The database first: what a read fetches is dated when it is.
  const answer = await promise.then(done, (error: { code: string }) => refused(error.code))
  history.same(`update ${id}`, answer, updateOf(history, id, change))
}

function updateOf(history: History, id: string, change: ReturnType<typeof aChange>): Answer {
  // Where several answers may be, none of them is a leaf, and none can be changed.
  const [read] = documentOf(history, id)
  if (read === undefined) throw new Error('a read has an answer')
  const known = history.model.recorded(id).length > 0
  if (!read.ok && (known || read.code !== 'MYNAH_UNREACHABLE')) return read
  const before = (read.ok ? read.value : undefined) as { readonly rev: string } | undefined
  if (before !== undefined && !history.model.leaves(id).some((leaf) => leaf.rev === before.rev))
    return refused('MYNAH_UNREACHABLE')
  if (change === 'nothing') return done(before)
  const model = history.next()
  if (change === 'remove') {
    if (before !== undefined) model.delete(id, before.rev, history.now)
    return done(undefined)
  }
  const draft = before === undefined ? { id, body: change } : { id, body: change, rev: before.rev }
  return model.put(draft, history.now, false)
}
