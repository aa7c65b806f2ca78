import type { History } from './history.js'
import { survive } from './survive.js'

/** Gives back the room of the past. What is known and held now stays as it is. */
export async function compact(history: History): Promise<void> {
  const { db } = history
  const { recordsDropped, bodiesDropped } = await db.compact()
  history.tell(`  ${recordsDropped} records are gone, and ${bodiesDropped} bodies`)
  if (recordsDropped + bodiesDropped > 0) history.count('compacted something')
  history.synced()
  history.next().compact()
  history.synced()
}

/** The process or the power ends under it: nothing else is lost. */
export async function compactAndEnd(history: History): Promise<void> {
  const { chance, db, machine } = history
  const end = chance.is(0.5) ? 'kill' : 'power cut'
  await machine.until(chance.below(60), end, () => db.compact())
  history.tell(`  ${end}`)
  const may = end === 'power cut' && history.relaxed ? history.durable : [history.model]
  await survive(history, may)
  history.next().compact()
  history.synced()
}
