import { MynahError, nodeEnv } from '@mynah/core'
import {
  decodeRecords,
  type LogRecord,
  type MergeOptions,
  type MergeOutcome,
  type MergeReport,
  type Replica,
  type TakeReport,
} from '@mynah/core/replica'

/** What of a push is not taken. */
export interface Refusals {
  /** A reason refuses the record. */
  refuses(id: string): string | undefined
  /** Whether no record with ancestors can be attached, unless its path is whole. */
  readonly detaches: boolean
}

/** A mirror's refusal, with a reason of the test's own. */
class Refusal extends MynahError {
  constructor(reason: string) {
    super('MYNAH_REVISION_REFUSED', reason)
  }
}

/** The parts of a replica that take a push, but for what is refused. */
export function refusing(replica: Replica, refusals: Refusals): Pick<Replica, 'merge' | 'takeShards'> {
  const refusal = ({ id, path }: LogRecord, options: MergeOptions): MergeOutcome | undefined => {
    const reason = refusals.refuses(id)
    if (reason !== undefined) return { result: 'refused', error: new Refusal(reason) }
    const detached = refusals.detaches && options.whole !== true && path.length > 0
    return detached ? { result: 'detached' } : undefined
  }
  const merge = async (records: readonly LogRecord[], options: MergeOptions = {}): Promise<MergeReport> => {
    const outcomes = records.map((record) => refusal(record, options))
    const accepted = records.filter((_, index) => outcomes[index] === undefined)
    const report = await replica.merge(accepted, options)
    const merged = report.outcomes.values()
    return { ...report, outcomes: outcomes.map((outcome) => outcome ?? merged.next().value!) }
  }
  /** As they lie, unless something of them is to be refused. */
  const takeShards: Replica['takeShards'] = async (shards, options): Promise<TakeReport> => {
    const read = (shard: Uint8Array) => decodeRecords(shard, nodeEnv).catch((): LogRecord[] => [])
    const records = (await Promise.all(shards.map(read))).flat()
    if (!records.some((record) => refusal(record, {}))) return replica.takeShards(shards, options)
    const { outcomes, before, position } = await merge(records, { from: 'peer' })
    const left = outcomes.flatMap(({ result }, at) =>
      result === 'refused' || result === 'detached' ? [at] : [],
    )
    const taken = outcomes.filter(({ result }) => result === 'new' || result === 'supplied').length
    const commits = [{ before, position, given: false }]
    return { commits, left, taken, changed: [], detached: [], refused: [], merged: shards.length }
  }
  return { merge, takeShards }
}
