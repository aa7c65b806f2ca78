import { type Position, positionAt } from '../changes/positions.js'
import type { MynahError } from '../errors.js'
import { printsOf } from '../index/root.js'
import type { LogRecord, Sequenced } from '../log/record.js'
import { type CommitQueue, PENDING_ENTRIES_MAX } from './commit-queue.js'
import type { Context } from './context.js'
import { Fit } from './fit.js'
import { mergeRecords } from './merge.js'
import { type OpenedShard, openShard, recordsOfShard } from './opened-shard.js'
import { GroupPlan } from './plan.js'
import type { TakeCommit, TakeReport } from './replica.js'

/**
 * Takes shards of a mirror's log, one after another. Those that fit go behind this log as they lie, as many at once as
 * follow each other; the records of others are merged. Everything is checked before anything of it is stored.
 */
export async function takeShards(
  context: Context,
  queue: CommitQueue,
  shards: readonly Uint8Array[],
): Promise<TakeReport> {
  const opened: OpenedShard[] = []
  for (const bytes of shards) opened.push(await openShard(bytes, context.env))
  const taking = new Taking(context, queue)
  for (let at = 0; at < opened.length; ) {
    at += await taking.asTheyLie(opened.slice(at))
    const misfit = opened[at]
    if (misfit === undefined) break
    await taking.merge(misfit)
    at += 1
  }
  return taking
}

class Taking implements TakeReport {
  readonly commits: TakeCommit[] = []
  readonly refused: MynahError[] = []
  readonly detached: string[] = []
  readonly changed: string[] = []
  merged = 0
  readonly #context: Context
  readonly #queue: CommitQueue

  constructor(context: Context, queue: CommitQueue) {
    this.#context = context
    this.#queue = queue
  }

  /** How many of the first were taken so. */
  async asTheyLie(shards: readonly OpenedShard[]): Promise<number> {
    const { budget } = this.#context
    // Who counts what it holds has to see the bodies.
    if (budget !== undefined || shards[0]?.sound !== true) return 0
    let count = 0
    await this.#queue.commit(async () => {
      const { index, log } = this.#context
      if (index.pending > PENDING_ENTRIES_MAX) await index.flush()
      const sound = shards.findIndex((shard) => !shard.sound)
      const ready = sound < 0 ? shards : shards.slice(0, sound)
      const ids = new Set<string>()
      for (const { heads } of ready) for (const { id } of heads) ids.add(id)
      const entries = await index.lookup([...ids])
      count = await new Fit(this.#context, entries, log.head).count(ready)
      if (count > 0) await this.#append(ready.slice(0, count), entries)
    })
    return count
  }

  async #append(
    shards: readonly OpenedShard[],
    entries: Awaited<ReturnType<Context['index']['lookup']>>,
  ): Promise<void> {
    const { index, log, env, pins } = this.#context
    const before = log.head
    const records: Sequenced[] = []
    let seq = before + 1
    for (const { heads, offsets, span } of shards) {
      for (const [at, record] of heads.entries()) records.push({ seq: seq + offsets[at]!, record })
      seq += span
    }
    const commit = { ...GroupPlan.replay(records, entries), seq: seq - 1 }
    // Beside the disk's work.
    const printed = env.yield().then(() => printsOf(commit.changes))
    const [prints] = await Promise.all([printed, log.take(shards)])
    index.apply(commit, prints)
    if (pins.size > 0) pins.lack(records.filter(isStub).map(({ record }) => record.id))
    const given = commit.changes.every(
      ({ after: { leaves } }) => leaves.length === 1 && leaves[0]!.bodySeq !== 0,
    )
    this.commits.push({ before, position: this.#positionAt(seq - 1), given })
    for (const { id } of commit.changes) this.changed.push(id)
  }

  async merge(shard: OpenedShard): Promise<void> {
    const records = await recordsOfShard(shard, this.#context.env)
    this.merged += 1
    if (records.length === 0) return
    const { outcomes, before, position } = await mergeRecords(this.#context, this.#queue, records, {
      from: 'mirror',
    })
    const changed = new Set<string>()
    for (const [at, outcome] of outcomes.entries()) this.#tell(records[at]!, outcome, changed)
    this.commits.push({ before, position, given: false })
    this.changed.push(...changed)
  }

  #tell(
    { id }: LogRecord,
    outcome: Awaited<ReturnType<typeof mergeRecords>>['outcomes'][number],
    changed: Set<string>,
  ) {
    if (outcome.result === 'new') changed.add(id)
    else if (outcome.result === 'refused') this.refused.push(outcome.error)
    else if (outcome.result === 'detached') this.detached.push(id)
  }

  #positionAt(seq: number): Position {
    return positionAt(this.#context.log.incarnations, seq)
  }
}

function isStub({ record }: Sequenced): boolean {
  return record.kind === 'stub'
}
