import { readable } from '../changes/ancestry.js'
import { HistoryGoneError, RecordLostError } from '../errors.js'
import type { Log } from '../log/log.js'
import type { Context } from './context.js'
import type { Moment } from './documents.js'

/** The seq that a moment names, at the end of its transaction. @throws RangeError, TypeError, HistoryGoneError */
export async function seqOf(
  context: Pick<Context, 'log' | 'index' | 'manifest'>,
  moment: Moment,
): Promise<number> {
  if (typeof moment !== 'object' || moment === null) throw noMoment()
  const { log, index, manifest } = context
  const known = index.root.seq
  let seq = 'seq' in moment ? checked(moment.seq, known) : await lastSeqBy(context, timeOf(moment), known)
  const { historySince, historyTime } = manifest.data
  // It lies before a record that was dropped since, which came before all that is whole.
  if (!('seq' in moment) && historyTime !== undefined && timeOf(moment) < historyTime)
    throw new HistoryGoneError(historySince)
  // Whether the last of what was lost arrived before that time, nobody knows.
  if (!('seq' in moment) && log.isLost(seq)) throw new RecordLostError(seq)
  while (seq > 0 && seq < known && (await readable(log, seq))?.continues) seq += 1
  return seq
}

function checked(seq: number, known: number): number {
  if (typeof seq !== 'number') throw noMoment()
  if (!Number.isSafeInteger(seq) || seq < 0 || seq > known)
    throw new RangeError(`There is no seq ${seq}: the last one is ${known}`)
  return seq
}

function noMoment(): TypeError {
  return new TypeError('at() takes { seq }, or { time } with a valid Date')
}

function timeOf(moment: { readonly time: Date }): number {
  const { time } = moment
  if (!(time instanceof Date) || Number.isNaN(time.getTime())) throw noMoment()
  return time.getTime()
}

/**
 * The last seq up to which nothing arrived later than at `time`. Clocks jump: what arrived after a later time counts as
 * later, so the first record past `time` ends it. The index marks stretches with their newest time; one stretch is read.
 */
async function lastSeqBy(
  { log, index }: Pick<Context, 'log' | 'index'>,
  time: number,
  known: number,
): Promise<number> {
  let passed = 0
  for await (const { seq, since, latest } of index.marks()) {
    // Also what no mark covers.
    const to = latest > time ? seq : since
    const later = await firstLater(log, passed + 1, to, time)
    if (later !== undefined) return later - 1
    passed = seq
  }
  return ((await firstLater(log, passed + 1, known, time)) ?? known + 1) - 1
}

async function firstLater(log: Log, from: number, to: number, time: number): Promise<number | undefined> {
  if (from > to) return undefined
  for await (const batch of log.scan(from, to))
    for (const { seq, record } of batch) if (record.at > time) return seq
  return undefined
}
