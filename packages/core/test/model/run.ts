import { changes, follow } from './changing.js'
import { checkAll } from './check.js'
import { compact, compactAndEnd } from './compacting.js'
import { evict } from './evicting.js'
import { History, type Step } from './history.js'
import { aborted, contact, counts, end, pass, reopen, seal, setMode, verify } from './life.js'
import type { Parts } from './machine.js'
import { pastOf, snapshot } from './pasts.js'
import { pin, pinAndEnd } from './pinning.js'
import { getMany, list, listFetching, read } from './reads.js'
import { grow, missing, push } from './remote.js'
import { conflicts, resolve, resolveAndEnd } from './resolving.js'
import { update } from './single.js'
import { transaction, transactionAndEnd, transactionRaced } from './transacting.js'
import { write, writeAndEnd } from './writes.js'

/** What may happen, and how often of all. */
const steps: readonly (readonly [weight: number, name: string, step: Step])[] = [
  [40, 'write', write],
  [8, 'write, and end', writeAndEnd],
  [10, 'update', update],
  [12, 'transaction', transaction],
  [4, 'transaction, raced', transactionRaced],
  [4, 'transaction, and end', transactionAndEnd],
  [6, 'evict', evict],
  [5, 'compact', compact],
  [3, 'compact, and end', compactAndEnd],
  [3, 'pin', pin],
  [2, 'pin, and end', pinAndEnd],
  [5, 'conflicts', conflicts],
  [8, 'resolve', resolve],
  [3, 'resolve, and end', resolveAndEnd],
  [14, 'the other replica writes', grow],
  [6, 'the other replica takes what is here', push],
  [3, 'ask what is missing', missing],
  [16, 'read', read],
  [4, 'getMany', getMany],
  [5, 'history', pastOf],
  [6, 'at', snapshot],
  [8, 'list', list],
  [2, 'list, fetching', listFetching],
  [6, 'changes', changes],
  [3, 'follow', follow],
  [6, 'seal', seal],
  [4, 'reopen', reopen],
  [3, 'end', end],
  [5, 'time passes', pass],
  [2, 'verify', verify],
  [1, 'set the mode', setMode],
  [5, 'contact', contact],
  [2, 'abort', aborted],
  [2, 'count', counts],
  [6, 'check', checkAll],
]
const total = steps.reduce((sum, [weight]) => sum + weight, 0)

/** Runs the history of a seed. @throws Difference where the database is not what the model is */
export async function runHistory(seed: number, parts?: Parts): Promise<ReadonlyMap<string, number>> {
  const history = new History(seed, parts)
  await history.open()
  for (let left = history.chance.between(10, 60); left > 0; left--) {
    let drawn = history.chance.below(total)
    const [, name, step] = steps.find(([weight]) => {
      drawn -= weight
      return drawn < 0
    })!
    await history.step(name, step)
  }
  await history.step('check', checkAll)
  await history.step('verify', verify)
  await history.step('reopen', reopen)
  await history.step('check', checkAll)
  await history.db.close()
  return history.counts
}
