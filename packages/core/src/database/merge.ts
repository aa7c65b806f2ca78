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
  const checked = records.map((record) => check(record, options))
  const accepted = checked.filter((one): one is LogRecord => !(one instanceof MynahError))
  let before = 0
  let after = 0
  const outcomes = await queue.submit({
    ids: accepted.map((record) => record.id),
    bytes: accepted.reduce((sum, record) => sum + valueBytes(record.body ?? null), 0),
    sync: true,
    prepare: (plan) => gather(context, plan, accepted),
    plan(plan, knowledge) {
      before = plan.lastSeq
      const results = accepted.map((record) => plan.merge(record, knowledge.get(record.id), options))
      after = plan.lastSeq
      return results
    },
  })
  if (context.pins.size > 0) {
    const stubs = accepted.filter(({ kind }, index) => kind === 'stub' && outcomes[index]?.result === 'new')
    context.pins.lack(stubs.map(({ id }) => id))
  }
  const inOrder = outcomes.values()
  return {
    outcomes: checked.map((one) =>
      one instanceof MynahError ? { result: 'refused', error: one } : (inOrder.next().value as MergeOutcome),
    ),
    before,
    position: positionAt(context.log.incarnations, after),
  }
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
