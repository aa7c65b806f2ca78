import { acceptId, type Replica } from '@mynah/core/replica'
import { type Mirror, upToDateAt } from '../mirror/mirror.js'
import type { Scheduler } from '../scheduler/scheduler.js'
import { inScope, type Scope } from '../scope/scope.js'
import type { Explanation, MirrorWord } from './replication.js'

/** Why a document is as it is here, from what is known without asking anybody. @throws DocumentInvalidError for what is no id */
export async function explain(
  id: string,
  options: { readonly replica: Replica; readonly scheduler: Scheduler; readonly scope: Scope },
): Promise<Explanation> {
  const { replica, scheduler, scope } = options
  const leaves = await replica.leaves(acceptId(id))
  const mirrors: MirrorWord[] = []
  for (const mirror of scheduler.mirrors) mirrors.push(await wordOf(mirror, id, replica))
  const covered =
    mirrors.length === 0 ||
    (inScope(scope, id) && scheduler.mirrors.some(({ progress }) => progress?.covers(id) === true))
  // What left the scope is known still, and counts as forgotten.
  const isLeft = !inScope(scope, id) && leaves.every(({ kind }) => kind === 'stub')
  const facts = {
    id,
    covered,
    asOf: upToDateAt(scheduler.mirrors, id),
    leaves: (isLeft ? [] : leaves).map(({ rev, deleted, kind, origin }) => ({
      rev,
      deleted,
      held: kind === 'revision',
      written: origin === replica.id,
    })),
    mirrors,
  }
  return { state: stateOf(facts), ...facts }
}

function stateOf({ leaves, mirrors, covered }: Omit<Explanation, 'state'>): Explanation['state'] {
  const [winner] = leaves
  if (mirrors.some(({ word }) => word === 'refused')) return 'refused'
  if (winner === undefined) return 'absent'
  const isWritten = leaves.some(({ written, held }) => written && held)
  if (isWritten && mirrors.length > 0 && mirrors.every(({ word }) => word === 'waiting')) return 'waiting'
  return covered && (winner.held || winner.deleted) ? 'current' : 'stale'
}

/** What the mirror has said to the document's newest change here. */
async function wordOf(mirror: Mirror, id: string, replica: Replica): Promise<MirrorWord> {
  const url = mirror.address
  const refused = mirror.progress?.parked.find((parked) => parked.id === id)
  if (refused !== undefined) {
    const { rev, code, reason } = refused
    return { url, word: 'refused', rev, code, reason }
  }
  // Of the ids that begin with it, it is the first.
  const page = await replica.feed({ since: mirror.pushed(), bodies: false, prefixes: [id], bytes: 1 })
  if (page.records[0]?.id === id) return { url, word: 'waiting' }
  return { url, word: 'answered' }
}
