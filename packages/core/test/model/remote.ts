import type { LogRecord, MergeOutcome } from '../../src/replica.js'
import { aBody, anId, ids } from './drawing.js'
import type { History } from './history.js'
import { done, type Recorded } from './model.js'
import { foreignRevision, keyOf, nativeRevision, type Revision, recordOf } from './revision.js'
import { show } from './show.js'
import type { Write } from './writes.js'

/** The other replica goes on by itself: from any of its revisions, or from nothing, so that branches come about. */
export async function grow({ chance, remote }: History): Promise<void> {
  const id = anId(chance)
  for (let more = chance.between(1, 3); more > 0; more--) {
    const known = remote.recorded(id)
    const parent =
      known.length === 0 || chance.is(0.15)
        ? undefined
        : chance.is(0.6)
          ? remote.winner(id)
          : chance.pick(known)
    const body = chance.is(0.2) ? undefined : aBody(chance)
    const revision = chance.is(0.2)
      ? // Of two with one digest, the bodies differ.
        foreignRevision(id, parent, chance.pick(['X', 'Y1', 'abc']), body)
      : nativeRevision(id, parent, body)
    take(remote, revision)
  }
}

function take(remote: History['remote'], revision: Revision): void {
  remote.merge(revision, recordOf(revision, { body: true }), { whole: true, from: 'mirror', at: 0 })
}

/** The other replica takes what is held here. */
export async function push({ chance, model, remote, replica, same }: History): Promise<void> {
  for (const id of chance.some(ids, 3)) {
    const sent = await replica.bodies(model.leaves(id), { whole: true })
    const held = model.leaves(id).filter((leaf) => leaf.held)
    same(`bodies of ${id}`, sent.map(named), held.map(named))
    for (const leaf of held) take(remote, leaf)
  }
}

function named({ rev, path, deleted, body }: LogRecord | Recorded): unknown {
  return { rev, path, deleted, body }
}

/** Some revisions come from the other replica, in any order, whole or cut, with bodies or without. */
export function aMerge({ chance, remote }: History): Write {
  const from = chance.is(0.3) ? 'peer' : 'mirror'
  const whole = chance.is(0.7)
  const sent = aFewOf(chance, remote).map((revision) => {
    const body = from === 'peer' ? chance.is(0.95) : chance.is(0.6)
    const least = Math.min(1, revision.path.length)
    const path = whole ? revision.path.length : chance.between(least, revision.path.length)
    return { revision, record: recordOf(revision, { body, path }) }
  })
  const records = sent.map(({ record }) => record)
  const names = records.map(({ kind, id, rev, path }) => `${kind} ${id} ${rev} on ${path.join()}`)
  return {
    text: `merge from a ${from}, ${whole ? 'whole' : 'cut'}: ${show(names)}`,
    sync: true,
    run: async ({ replica }) =>
      (await replica.merge(records, { whole, from })).outcomes.map(({ result }: MergeOutcome) => result),
    predict: (model, at) =>
      done(sent.map(({ revision, record }) => model.merge(revision, record, { whole, from, at }))),
  }
}

function aFewOf(chance: History['chance'], remote: History['remote']): readonly Revision[] {
  const id = anId(chance)
  const pool = chance.is(0.7)
    ? [...ids.flatMap((one) => remote.leaves(one))]
    : [...remote.leaves(id), ...remote.recorded(id)]
  const few = chance.some(pool, chance.between(1, 4))
  // Once in a while somebody sends the same twice.
  return chance.is(0.1) && few[0] !== undefined ? [...few, few[0]] : few
}

/** What the database asks for of the other's leaves is what it lacks. */
export async function missing({ remote, model, replica, same }: History): Promise<void> {
  const leaves = ids.flatMap((id) => remote.leaves(id))
  const expected = leaves.map(
    (wanted) => model.leaves(wanted.id).find((leaf) => keyOf(leaf) === keyOf(wanted))?.held !== true,
  )
  same('missing', await replica.missing(leaves), expected)
}
