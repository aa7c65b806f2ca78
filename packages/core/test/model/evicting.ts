import { anId } from './drawing.js'
import type { History } from './history.js'
import { type Answer, done, refused } from './model.js'

/** Bodies that the other replica has are dropped here, and fetched again by reads. */
export async function evict(history: History): Promise<void> {
  const { chance, db } = history
  const wanted = Array.from({ length: chance.between(1, 6) }, () => anId(chance))
  history.tell(`  evict ${wanted.join()}`)
  await history.answers('evict', db.evict(wanted), evictionOf(history, new Set(wanted)))
}

function evictionOf(history: History, wanted: ReadonlySet<string>): Answer {
  const { source, db, model, pins } = history
  if (db.mode === 'mirror') return refused('MYNAH_HOLDS_ALL')
  const free = [...wanted].filter((id) => !pins.has(id))
  const held = free.flatMap((id) => model.leaves(id).filter((leaf) => leaf.held && !leaf.deleted))
  if (held.length === 0) return done(0)
  if (!source.attached || !source.reachable) return refused('MYNAH_UNCONFIRMED')
  const next = history.next()
  let count = 0
  for (const id of free) count += next.evict(id, history.now, (leaf) => source.leaf(leaf) !== undefined)
  if (count > 0) history.synced()
  return done(count)
}
