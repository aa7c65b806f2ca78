import { anId } from './drawing.js'
import type { History } from './history.js'

/** What is pinned is not dropped, across every end. */
export async function pin(history: History): Promise<void> {
  const { chance, db, pins, same } = history
  const wanted = Array.from({ length: chance.between(1, 3) }, () => anId(chance))
  const isPin = chance.is(0.6)
  history.tell(`  ${isPin ? 'pin' : 'unpin'} ${wanted.join()}`)
  await (isPin ? db.pin(wanted) : db.unpin(wanted))
  for (const id of wanted) {
    if (isPin) pins.add(id)
    else pins.delete(id)
  }
  same('pins', (await db.stats()).pins, pins.size)
}

/** The process or the power ends under it. */
export async function pinAndEnd(history: History): Promise<void> {
  const { chance, db, machine, pins } = history
  const id = anId(chance)
  const end = chance.is(0.5) || history.relaxed ? 'kill' : 'power cut'
  let pinned = false
  await machine.until(chance.below(6), end, async () => {
    await db.pin([id])
    pinned = true
  })
  history.tell(`  pin ${id}, ${end}, ${pinned ? 'done' : 'not told'}`)
  await history.open()
  history.synced()
  const withIt = new Set([...pins, id]).size
  const count = (await history.db.stats()).pins
  if (count === withIt) pins.add(id)
  history.same('pins', count, pinned ? withIt : pins.size)
}
