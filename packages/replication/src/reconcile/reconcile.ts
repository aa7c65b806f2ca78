import { type Bounds, boundsWithin, type Position } from '@mynah/core/replica'
import type { AskedRange, ToldRanges } from '../protocol/ranges.js'
import { pushesOnly, type Scope } from '../scope/scope.js'
import { type Difference, Differences, rangeOf } from './differences.js'
import { Exchange, type ExchangeOptions } from './exchange.js'

/** One side is as good as empty where the other knows so many times as much: nearly all of it has to travel anyway. */
const EMPTY_TIMES = 8
/** Documents that are exchanged together. */
const EXCHANGED = 500
/** Ids of our own, outside of the scope, that are offered together. */
const OFFERED = 500

/** Who reconciles with whom, over what. */
export interface ReconcileOptions extends ExchangeOptions {
  /** The mirror's position before anything was asked. */
  readonly there: Position
}

/** Whether there is no checkpoint to go on from, and a reconcile may find what differs. */
function isNeeded({ progress, scope }: Pick<ReconcileOptions, 'progress' | 'scope'>): boolean {
  if (pushesOnly(scope)) return false
  // A copy goes on where it was; a push from the start asks what is lacking there.
  if (scope.bodies && progress.isFirst && progress.pull.current !== undefined) return false
  return progress.pull.current === undefined || progress.push.current === undefined
}

/**
 * Makes both sides know the same where no checkpoint tells what they know of each other, at the cost of what differs.
 * Then both checkpoints are those of the beginning: whatever moved since comes with the feeds. Nothing of it is stored
 * before all of it is durable on both sides: whoever ends it begins anew, with less that differs.
 *
 * Nothing is done where one side is as good as empty: there the feed is the shorter way.
 *
 * @returns the mirror's newest place, as of the end; undefined where nothing was done
 */
export async function reconcile(
  options: ReconcileOptions,
  signal: AbortSignal,
): Promise<Position | undefined> {
  const { replica, client, sender, progress, scope, there } = options
  const here = replica.position()
  if (!isNeeded(options) || there.seq === 0 || here.seq === 0) return undefined
  const exchange = new Exchange(options)
  const differences = new Differences(replica, client.address, asking(options, signal))
  const same = await differences.begin(rangesOf(scope))
  if (await isBootstrap(options, differences, same)) return undefined
  let gathered: Difference[] = []
  for await (const some of differences.rest()) {
    gathered.push(...some)
    while (gathered.length >= EXCHANGED) await exchange.run(gathered.splice(0, EXCHANGED), signal)
  }
  if (gathered.length > 0) await exchange.run(gathered, signal)
  gathered = []
  if (differences.owed > 0) await exchange.supply(signal)
  await offerOutside(options, exchange, signal)
  const target = await sender.target(signal)
  await progress.reconciled({ here, there: sender.echoed, target })
  return target
}

function asking(
  { client, sender }: ReconcileOptions,
  signal: AbortSignal,
): (asked: readonly AskedRange[]) => Promise<ToldRanges> {
  return async (asked) => {
    const { told, position } = await client.ranges(asked, signal)
    await sender.see(position, signal)
    return told
  }
}

/** Whether one side lacks nearly everything: documents, or where bodies are pulled too, those. */
async function isBootstrap(
  { replica, scope }: ReconcileOptions,
  { here, there, owed: theirOwed }: Differences,
  same: boolean,
): Promise<boolean> {
  const owed = scope.bodies ? await replica.owedCount() : 0
  if (same && owed === 0) return false
  const held = Math.max(0, here - owed)
  // Of a mirror that lost its bodies no copy brings them: it would begin again and again.
  const theirs = scope.bodies ? Math.max(0, there - theirOwed) : there
  return (theirs > 0 && held * EMPTY_TIMES <= theirs) || there * EMPTY_TIMES <= here
}

/** What is written here goes to the mirror also where the scope does not cover it: it is offered, id by id. */
async function offerOutside(
  { replica, scope }: ReconcileOptions,
  exchange: Exchange,
  signal: AbortSignal,
): Promise<void> {
  let from: string | undefined = ''
  for (const covered of [...rangesOf(scope), undefined]) {
    if (from === undefined) return
    for (let range = rangeOf({ from, to: covered?.from }); covered?.from !== from; ) {
      const ids = (await replica.prints(range, OFFERED)).map(({ id }) => id)
      await exchange.offer(ids, signal)
      if (ids.length < OFFERED) break
      range = { ...range, gt: ids.at(-1)! }
    }
    from = covered?.to
  }
}

/** The ranges of ids that the scope covers, in order, none of them in another. */
export function rangesOf({ prefixes }: Scope): readonly Bounds[] {
  return boundsWithin(prefixes === undefined ? {} : { prefixes })
}
