import fc from 'fast-check'
import { bodyHash, deriveRev, generationOf } from '../../src/document/revision.js'
import {
  applyRecord,
  checkRevision,
  type Leaf,
  leafKey,
  type MergePlan,
  needsKnowledge,
  planMerge,
} from '../../src/document/tree.js'
import { limits } from '../../src/limits.js'
import type { LogRecord } from '../../src/log/record.js'

const ID = 'doc'

/** How to grow one revision: on which of the earlier ones, and of what kind. */
export interface Growth {
  /** Index of the parent among the earlier revisions, modulo their number and one for none. */
  readonly parent: number
  readonly deleted: boolean
  readonly foreign: boolean
  /** Foreign only: takes the rev of another child of the same parent, with another body. */
  readonly twin: boolean
  readonly body: number
}

export const growths = fc.array(
  fc.record({
    parent: fc.nat(),
    deleted: fc.boolean(),
    foreign: fc.boolean(),
    twin: fc.boolean(),
    body: fc.nat({ max: 3 }),
  }),
  { minLength: 1, maxLength: 14 },
)

/** The revisions of a forest, each with its whole path; parents first, none twice. */
export function grow(plan: readonly Growth[]): LogRecord[] {
  const forest = new Map<string, LogRecord>()
  for (const growth of plan) {
    const all = [...forest.values()]
    const parent = all[growth.parent % (all.length + 1)]
    const path = parent === undefined ? [] : [parent.rev, ...parent.path]
    const body = { n: growth.body }
    const { deleted, foreign } = growth
    const rev = foreign
      ? `${path.length + 1}-F${parent === undefined ? '' : all.indexOf(parent)}x${growth.twin ? '' : growth.body}`
      : deriveRev(path[0], deleted, body)
    const hash = foreign ? { bodyHash: bodyHash(deleted, body) } : {}
    const record = revision({ rev, path, deleted, body, ...hash })
    if (!forest.has(leafKey(record))) forest.set(leafKey(record), record)
  }
  return [...forest.values()]
}

export function revision(fields: Partial<LogRecord>): LogRecord {
  const origin = '0'.repeat(32)
  return {
    kind: 'revision',
    id: ID,
    rev: '1-x',
    path: [],
    deleted: false,
    at: 0,
    origin,
    supplies: false,
    continues: false,
    ...fields,
  }
}

export function stubOf(record: LogRecord): LogRecord {
  const { body, ...rest } = record
  return { ...rest, kind: 'stub' }
}

/** The naive model: what has arrived, less all ancestors of what has arrived; the winner first. */
export function naiveLeaves(arrived: readonly LogRecord[]): string[] {
  const ancestors = new Set(arrived.flatMap((record) => record.path))
  const leaves = new Map(
    arrived.filter(({ rev }) => !ancestors.has(rev)).map((record) => [leafKey(record), record]),
  )
  // '!' is below all digits and letters, so that a digest goes before those that begin with it.
  const text = (leaf: LogRecord) =>
    `${String(generationOf(leaf.rev)).padStart(10, '0')}-${leafKey(leaf).split('-')[1]!.replace(':', '!')}`
  const better = (a: LogRecord, b: LogRecord) =>
    Number(a.deleted) - Number(b.deleted) || (text(a) < text(b) ? 1 : -1)
  return [...leaves.values()].sort(better).map(leafKey)
}

/** A replica of one document: a log, and leaves that follow it. */
export class Replica {
  readonly log: LogRecord[] = []
  leaves: readonly Leaf[] = []

  get keys(): string[] {
    return this.leaves.map(leafKey)
  }

  receive(incoming: LogRecord, whole: boolean): MergePlan {
    checkRevision(incoming)
    const plan = this.plan(incoming, whole)
    if (plan.result === 'new') this.#append({ ...incoming, path: plan.path })
    if (plan.result === 'supplied') this.#append({ ...incoming, path: [], supplies: true })
    return plan
  }

  plan(incoming: LogRecord, whole: boolean): MergePlan {
    const needed = needsKnowledge(this.leaves, incoming)
    const asked = (answer: () => boolean): boolean => {
      if (!needed) throw new Error('asked for more than the leaves')
      return answer()
    }
    return planMerge({
      leaves: this.leaves,
      incoming,
      whole,
      isRecorded: (rev) => asked(() => this.#recordOf(rev) !== undefined),
      isAncestor: (rev) => asked(() => this.leaves.some((leaf) => this.pathOf(leaf).includes(rev))),
    })
  }

  /** The leaf's ancestors, followed from record to record. */
  pathOf(leaf: Leaf): readonly string[] {
    const path = [...this.log[leaf.seq - 1]!.path]
    while (path.length < limits.ancestors) {
      const more = path.length === 0 ? [] : (this.#recordOf(path.at(-1)!)?.path ?? [])
      if (more.length === 0) break
      path.push(...more)
    }
    return path.slice(0, limits.ancestors)
  }

  /** All leaves, each with its whole path, and its body where it is held. */
  send(): LogRecord[] {
    return this.leaves.map((leaf) => {
      const record = this.log[(leaf.bodySeq || leaf.seq) - 1]!
      return { ...record, path: this.pathOf(leaf), supplies: false }
    })
  }

  /** The leaves as a replay of the log gives them. */
  replayed(): readonly Leaf[] {
    let leaves: readonly Leaf[] = []
    for (const [i, record] of this.log.entries()) leaves = applyRecord(leaves, i + 1, record).leaves
    return leaves
  }

  #recordOf(rev: string): LogRecord | undefined {
    return this.log.find((record) => record.rev === rev && !record.supplies)
  }

  #append(record: LogRecord): void {
    this.log.push(record)
    this.leaves = applyRecord(this.leaves, this.log.length, record).leaves
  }
}
