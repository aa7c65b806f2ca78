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
import type { MergeOptions, MergeOutcome, TakeCommit, TakeReport } from './replica.js'

/** Seqs that a peer's shard may use up for each of its records. */
const PEER_SPAN = 2

type From = NonNullable<MergeOptions['from']>

/**
 * Takes shards of another log, one after another. Those that fit go behind this log as they lie, as many at once as
 * follow each other; the records of others are merged. Everything is checked before anything of it is stored.
 */
export async function takeShards(
  context: Context,
  queue: CommitQueue,
  shards: readonly Uint8Array[],
  from: From,
): Promise<TakeReport> {
  const opened: OpenedShard[] = []
  for (const bytes of shards) opened.push(await openShard(bytes, context.env))
  const taking = new Taking(context, queue, from)
  for (let at = 0; at < opened.length; ) {
    at += await taking.asTheyLie(opened.slice(at))
    // Where one of a peer's does not fit, what follows is mostly known as well: it is not looked up again and again.
    const misfits = from === 'peer' ? opened.slice(at) : opened.slice(at, at + 1)
    for (const misfit of misfits) await taking.merge(misfit)
    at += misfits.length
  }
  return taking
}

class Taking implements TakeReport {
  readonly commits: TakeCommit[] = []
  readonly refused: MynahError[] = []
  readonly detached: string[] = []
  readonly changed: string[] = []
  readonly left: number[] = []
  merged = 0
  taken = 0
  readonly #context: Context
  readonly #queue: CommitQueue
  readonly #from: From
  /** Records of the shards that were looked at. */
  #passed = 0

  constructor(context: Context, queue: CommitQueue, from: From) {
    this.#context = context
    this.#queue = queue
    this.#from = from
  }

  /** How many of the first were taken so. */
  async asTheyLie(shards: readonly OpenedShard[]): Promise<number> {
    const { budget } = this.#context
    const misfit = shards.findIndex((shard) => !this.#isSound(shard))
    const ready = misfit < 0 ? shards : shards.slice(0, misfit)
    // Who counts what it holds has to see the bodies.
    if (budget !== undefined || ready.length === 0 || !this.#isWorthIt(ready)) return 0
    let count = 0
    await this.#queue.commit(async () => {
      const { index, log } = this.#context
      if (index.pending > PENDING_ENTRIES_MAX) await index.flush()
      const ids = new Set<string>()
      for (const { heads } of ready) for (const { id } of heads) ids.add(id)
      const entries = await index.lookup([...ids])
      const fit = new Fit(this.#context, entries, { head: log.head, from: this.#from })
      const fitting = await fit.count(ready)
      const some = ready.slice(0, fitting)
      if (fitting === 0 || !this.#isWorthIt(some)) return
      await this.#append(some, entries)
      count = fitting
      this.taken += fit.fresh
      for (const { heads } of some) this.#passed += heads.length
    })
    return count
  }

  #isSound({ sound, whole, span, heads }: OpenedShard): boolean {
    return sound && (this.#from === 'mirror' || (whole && span <= PEER_SPAN * heads.length))
  }

  /**
   * They become a segment of their own. Of peers there may be many, and each brings little at a time: what is less than
   * one shard is better sealed with what others bring.
   */
  #isWorthIt(shards: readonly OpenedShard[]): boolean {
    const rawBytes = shards.reduce((sum, shard) => sum + shard.rawBytes, 0)
    return this.#from === 'mirror' || rawBytes >= this.#context.log.shardBytes
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
    const all = await recordsOfShard(shard, this.#context.env)
    const first = this.#passed
    this.#passed += all.length
    this.merged += 1
    // What only says that a body is gone says nothing here; a peer's push has no such records.
    const isEviction = ({ kind, supplies }: LogRecord) => kind === 'stub' && supplies
    const records = this.#from === 'peer' ? all : all.filter((record) => !isEviction(record))
    if (records.length === 0) return
    const { outcomes, before, position } = await mergeRecords(this.#context, this.#queue, records, {
      from: this.#from,
    })
    const changed = new Set<string>()
    for (const [at, outcome] of outcomes.entries()) {
      this.#tell(records[at]!, outcome, changed)
      const { result } = outcome
      if (this.#from === 'peer' && (result === 'refused' || result === 'detached')) this.left.push(first + at)
    }
    this.commits.push({ before, position, given: false })
    this.changed.push(...changed)
  }

  #tell({ id }: LogRecord, outcome: MergeOutcome, changed: Set<string>) {
    if (outcome.result === 'new' || outcome.result === 'supplied') this.taken += 1
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
