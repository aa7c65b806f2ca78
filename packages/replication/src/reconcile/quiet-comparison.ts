import type { Env } from '@mynah/core'
import type { Position, Replica } from '@mynah/core/replica'
import type { MirrorClient } from '../client/mirror-client.js'
import type { Mirror } from '../mirror/mirror.js'
import type { Progress } from '../mirror/progress.js'
import { addPrints, type ToldRange, type WireSum, wirePrint } from '../protocol/ranges.js'
import type { Scope } from '../scope/scope.js'
import { sleep } from '../timing/sleep.js'
import { rangeOf } from './differences.js'
import { rangesOf } from './reconcile.js'

/** How often a pair that is quiet compares what it knows. */
const EVERY_MS = 3_600_000
/** Until it is tried again where the pair was not quiet. */
const AGAIN_MS = 60_000

/** Who compares with whom, and when not. */
export interface QuietComparisonOptions {
  readonly replica: Replica
  readonly env: Env
  readonly client: MirrorClient
  readonly mirror: Mirror
  readonly progress: Progress
  readonly scope: Scope
  /** Whether a push or a pull is under way. */
  readonly busy: () => boolean
  readonly observer: {
    /** Both sides have nothing new for each other, and know different things: the checkpoints are given up. */
    onMismatch(): void
  }
}

/**
 * Compares sums with a mirror now and then, while both sides have nothing new for each other: one small question. What
 * differs then is a fault that no feed will ever mend. The same difference is told once: what is left after a reconcile
 * can only be mended by something new.
 */
export async function compareWhileQuiet(
  options: QuietComparisonOptions,
  signal: AbortSignal,
): Promise<never> {
  for (let waitMs = EVERY_MS; ; ) {
    await sleep(options.env, waitMs, signal)
    const compared = await compare(options, signal)
    waitMs = compared === undefined ? AGAIN_MS : EVERY_MS
    const { mirror, progress, observer } = options
    if (compared === undefined || compared === 'same' || compared === mirror.mismatch) continue
    mirror.mismatch = compared
    mirror.mismatches += 1
    progress.forget(progress.positions().map(() => false))
    observer.onMismatch()
  }
}

/** `same`, or both sums as text; undefined where one side has something new for the other. */
async function compare(
  { replica, client, progress, scope, busy }: QuietComparisonOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const here = replica.position()
  const isQuiet = (there: Position | undefined) => {
    const pulled = progress.pull.current?.source
    const now = replica.position()
    return (
      !busy() &&
      progress.pushedSeq === here.seq &&
      now.seq === here.seq &&
      (there === undefined || (pulled?.seq === there.seq && pulled.incarnation === there.incarnation))
    )
  }
  if (!isQuiet(undefined)) return undefined
  const asked: (ReturnType<typeof rangesOf>[number] & { readonly sum: WireSum })[] = []
  for (const bounds of rangesOf(scope)) {
    const { count, sum } = await replica.sum(rangeOf(bounds))
    asked.push({ ...bounds, sum: { count, print: wirePrint(sum) } })
  }
  const { told, position } = await client.ranges(asked, signal)
  if (told.ranges.length < asked.length) return undefined
  // Of a mirror in which others write all the time no place is the newest for long.
  if (told.ranges.every(({ kind }) => kind === 'same')) return 'same'
  if (!isQuiet(position)) return undefined
  return told.ranges
    .map((range, i) => `${textOf(asked[i]!.sum)} ${textOf(sumOf(range, asked[i]!.sum))}`)
    .join()
}

function sumOf(told: ToldRange, own: WireSum): WireSum {
  if (told.kind === 'same') return own
  if (told.kind === 'ids') return { count: told.ids.length, print: addPrints(told.ids) }
  return { count: told.parts.reduce((sum, { count }) => sum + count, 0), print: addPrints(told.parts) }
}

function textOf({ count, print }: WireSum): string {
  return `${count}:${print.join('.')}`
}
