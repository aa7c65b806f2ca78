import { type GatheredKnowledge, knowledgeOf } from '../changes/ancestry.js'
import { positionAt } from '../changes/positions.js'
import { valueBytes } from '../codec/value-size.js'
import { checkRevision, needsAncestors, needsKnowledge } from '../document/tree.js'
import { acceptBody } from '../document/validate.js'
import { MynahError, RevisionRefusedError } from '../errors.js'
import type { LogRecord } from '../log/record.js'
import type { CommitQueue } from './commit-queue.js'
import type { Context } from './context.js'
import type { GroupPlan } from './plan.js'
import type { MergeOptions, MergeOutcome, MergeReport } from './replica.js'

/** Takes revisions from elsewhere as one commit: checks each, plans what is new, and resolves when it is durable. */
export async function mergeRecords(
  context: Context,
  queue: CommitQueue,
  records: readonly LogRecord[],
  options: MergeOptions = {},
): Promise<MergeReport> {
  const parts = partsOf(records, options).map((part) => checkPart(part, options))
  const accepted = parts.flatMap(({ taken }) => taken)
  let before = 0
  let after = 0
  const outcomes = await queue.submit({
    ids: accepted.map((record) => record.id),
    bytes: accepted.reduce((sum, record) => sum + valueBytes(record.body ?? null), 0),
    sync: true,
    prepare: (plan) => gather(context, plan, accepted),
    plan(plan, gathered) {
      const knowledge = new Map(gathered)
      before = plan.lastSeq
      const results = parts.flatMap(({ taken, refused }) =>
        refused.length > 0 ? refused : mergePart(plan, taken, knowledge, options),
      )
      after = plan.lastSeq
      return results
    },
  })
  if (context.pins.size > 0) {
    const stubs = records.filter(({ kind }, at) => kind === 'stub' && outcomes[at]?.result === 'new')
    context.pins.lack(stubs.map(({ id }) => id))
  }
  return { outcomes, before, position: positionAt(context.log.incarnations, after) }
}

type Knowledge = Map<string, GatheredKnowledge>

/** Records that are taken together or not at all. */
interface Part {
  readonly records: readonly LogRecord[]
  /** It ended before it was said to. */
  readonly torn: boolean
}

/** A part whose records were looked at one by one: all of them are taken on, or all refused. */
interface CheckedPart {
  readonly taken: readonly LogRecord[]
  readonly refused: readonly MergeOutcome[]
}

/**
 * Only a peer's push has transactions. Between mirrors, and from one, each record counts by itself: what a neighbour in
 * a page does must not keep replicas apart.
 */
function partsOf(records: readonly LogRecord[], { from }: MergeOptions): readonly Part[] {
  if (from !== 'peer') return records.map((record) => ({ records: [record], torn: false }))
  const parts: Part[] = []
  let part: LogRecord[] = []
  for (const record of records) {
    part.push(record)
    if (record.continues) continue
    parts.push({ records: part, torn: false })
    part = []
  }
  if (part.length > 0) parts.push({ records: part, torn: true })
  return parts
}

function checkPart({ records, torn }: Part, options: MergeOptions): CheckedPart {
  const checked = records.map((record) =>
    torn ? refusal(record, 'its transaction does not end here') : check(record, options),
  )
  const first = checked.find((one) => one instanceof MynahError)
  if (first === undefined) return { taken: checked as LogRecord[], refused: [] }
  return { taken: [], refused: records.map((record, at) => refusedWith(first, record, checked[at])) }
}

/** All of a part, or nothing: then each has the reason of the first, or asks for its whole path. */
function mergePart(
  plan: GroupPlan,
  records: readonly LogRecord[],
  knowledge: Knowledge,
  options: MergeOptions,
): readonly MergeOutcome[] {
  const [only] = records
  if (only !== undefined && records.length === 1) return [plan.merge(only, knowledge.get(only.id), options)]
  const ids = [...new Set(records.map(({ id }) => id))]
  // What is learned of a part that is not taken must be forgotten with it.
  const learned: Knowledge = new Map()
  for (const id of ids) {
    const known = knowledge.get(id)
    if (known) learned.set(id, { recorded: new Set(known.recorded), ancestors: new Set(known.ancestors) })
  }
  let outcomes: readonly MergeOutcome[] = []
  plan.together(() =>
    plan.wholly(ids, () => {
      outcomes = records.map((record) => plan.merge(record, learned.get(record.id), options))
      return outcomes.every(({ result }) => result !== 'refused' && result !== 'detached')
    }),
  )
  const first = outcomes.find((outcome) => outcome.result === 'refused')
  if (first) {
    return records.map((record, at) => {
      const own = outcomes[at]!
      return refusedWith(first.error, record, own.result === 'refused' ? own.error : undefined)
    })
  }
  if (outcomes.some(({ result }) => result === 'detached')) return records.map(() => ({ result: 'detached' }))
  for (const [id, known] of learned) knowledge.set(id, known)
  return outcomes
}

/** Its own reason, where it has one, else that of the first of its transaction. */
function refusedWith(first: MynahError, record: LogRecord, own: unknown): MergeOutcome {
  const error =
    own instanceof MynahError ? own : refusal(record, `its transaction is refused: ${first.message}`)
  return { result: 'refused', error }
}

function refusal({ id, rev }: LogRecord, detail: string): RevisionRefusedError {
  return new RevisionRefusedError(id, rev, detail)
}

/** The record with its body copied and checked as a put's would be, or why it is refused. */
function check(given: LogRecord, options: MergeOptions): LogRecord | MynahError {
  try {
    const { body } = given
    const record =
      body === undefined || body instanceof Uint8Array ? given : { ...given, body: acceptBody(body) }
    checkRevision(record)
    if (options.from === 'peer' && body === undefined) {
      return new RevisionRefusedError(record.id, record.rev, 'a push carries bodies')
    }
    return record
  } catch (error) {
    if (error instanceof MynahError) return error
    throw error
  }
}

/** For documents where the leaves alone do not tell what a record is: all that is known of their revisions. */
async function gather(
  { log, index }: Context,
  plan: GroupPlan,
  records: readonly LogRecord[],
): Promise<ReadonlyMap<string, GatheredKnowledge>> {
  const seen = new Set<string>()
  const unclear = new Map<string, { ancestors: boolean }>()
  for (const record of records) {
    const { id } = record
    const leaves = plan.leaves(id)
    if (seen.has(id)) unclear.set(id, { ancestors: true })
    else if (needsKnowledge(leaves, record)) unclear.set(id, { ancestors: needsAncestors(leaves, record) })
    seen.add(id)
  }
  const knowledge = new Map<string, GatheredKnowledge>()
  for (const [id, options] of unclear) {
    knowledge.set(id, await knowledgeOf(log, index, id, (await index.get(id))?.leaves ?? [], options))
  }
  // Parts of this group that were planned before are not in the log yet.
  for (const record of plan.records) {
    const known = knowledge.get(record.id)
    known?.recorded.add(record.rev)
    for (const rev of record.path) known?.ancestors.add(rev)
  }
  return knowledge
}
