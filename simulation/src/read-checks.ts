import type { Read } from '@mynah/core'
import type { Computer, Ground, Process } from './ground.js'
import { Violation } from './violation.js'

/** What a read found that gave no document: only what was deleted is, and nothing that was `before` is current and unknown. */
export function checkAbsence(
  { model }: Ground,
  { name }: Computer,
  id: string,
  { current, deleted }: Read,
  before: readonly string[],
): void {
  if (deleted && !model.wasDeleted(id)) throw new Violation('only what was deleted is', `${name}: ${id}`)
  if (current && !deleted && before.length > 0)
    throw new Violation('a document does not vanish', `${name}: ${id} is unknown, after ${before.at(-1)}`)
}

/** A document that was called current without a mirror being asked: it is in scope, and there was an exchange. */
export function checkCurrent(
  ground: Ground,
  machine: Computer,
  { replication, setup: { scope } }: Process,
  id: string,
): void {
  if (replication.mirrors().length === 0) return
  if (scope !== undefined && !scope.some((prefix) => id.startsWith(prefix)))
    throw new Violation('only what is in scope is called current', `${machine.name}: ${id}`)
  if (!ground.everExchanged(machine, id))
    throw new Violation('nothing is current before an exchange', `${machine.name}: ${id}`)
}
