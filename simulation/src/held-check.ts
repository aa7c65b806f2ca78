import type { LeafRef, LogRecord, Replica } from '@mynah/core/replica'
import type { Computer, Ground, Process } from './ground.js'
import { Violation } from './violation.js'

/** A replica as it is served, whose word that it holds something for good is looked at. */
export function checkedReplica(ground: Ground, machine: Computer, { db, replica }: Process): Replica {
  const held: Replica['held'] = async (leaves) => {
    const answer = await replica.held(leaves)
    const claimed = leaves.filter((_, at) => answer.held[at])
    ground.count('answers about what is held')
    if (claimed.length === 0 || answer.mode !== 'mirror') return answer
    for (const { id, rev } of await without(replica, claimed)) {
      // It may have been superseded meanwhile, or the disk fails just now.
      const isLeaf = (await replica.leaves(id)).some((leaf) => leaf.rev === rev)
      if (isLeaf && db.mode === 'mirror' && !machine.diskFailed)
        ground.fail(new Violation('what a mirror says to hold it holds', `${machine.name}: ${id} ${rev}`))
    }
    return answer
  }
  return new Proxy(replica, {
    get(whole, name) {
      if (name === 'held') return held
      const member: unknown = Reflect.get(whole, name, whole)
      return typeof member === 'function' ? member.bind(whole) : member
    },
  })
}

/** Those of the leaves whose bodies are not held. */
export async function without(replica: Replica, leaves: readonly LeafRef[]): Promise<readonly LeafRef[]> {
  const found = new Set((await replica.bodies(leaves)).map(({ id, rev }) => `${rev} ${id}`))
  return leaves.filter(({ id, rev }) => !found.has(`${rev} ${id}`))
}

/** All leaves whose bodies a replica holds. */
export async function heldBy(replica: Replica): Promise<readonly LogRecord[]> {
  const records: LogRecord[] = []
  for (let since = 0; ; ) {
    const page = await replica.feed({ since, bodies: true, whole: true })
    records.push(...page.records.filter(({ kind }) => kind === 'revision'))
    if (!page.more) return records
    since = page.position.seq
  }
}
