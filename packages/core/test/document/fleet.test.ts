import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyRecord, leafKey } from '../../src/document/tree.js'
import { limits } from '../../src/limits.js'
import type { LogRecord } from '../../src/log/record.js'
import { grow, growths, naiveLeaves, Replica, revision, stubOf } from './forest.js'

/** One arrival: which revision, with how much of its path, with or without its body. */
const arrivals = fc.array(
  fc.record({ which: fc.nat(), cut: fc.option(fc.nat({ max: 4 })), stub: fc.boolean() }),
  { maxLength: 30 },
)

/** Lets a revision arrive as a feed brings it: perhaps with a cut path, whole when that does not attach. */
function arrive(replica: Replica, record: LogRecord, cut: number | null, stub: boolean): void {
  const sent = stub ? stubOf(record) : record
  // Without its parent a native revision is refused, and no feed sends it.
  const kept = Math.max(cut ?? 0, record.bodyHash === undefined ? 1 : 0)
  const whole = cut === null || kept >= record.path.length
  const plan = replica.receive(whole ? sent : { ...sent, path: record.path.slice(0, kept) }, whole)
  if (plan.result === 'detached') expect(replica.receive(sent, true).result).not.toBe('detached')
}

/** Everybody sends all leaves to everybody, until nothing changes; returns the number of rounds. */
function exchange(replicas: readonly Replica[]): number {
  for (let round = 1; round < 20; round++) {
    let changed = false
    for (const from of replicas) {
      for (const to of replicas) {
        for (const record of from.send()) changed = to.receive(record, true).result !== 'known' || changed
      }
    }
    if (!changed) return round
  }
  throw new Error('the exchange does not end')
}

test('in any order, with whole or cut paths, all replicas have the leaves and the winner of the naive model', () => {
  fc.assert(
    fc.property(growths, fc.array(arrivals, { minLength: 2, maxLength: 3 }), (plan, schedules) => {
      const forest = grow(plan)
      for (const schedule of schedules) {
        const replica = new Replica()
        const arrived: LogRecord[] = []
        for (const { which, cut, stub } of schedule) {
          const record = forest[which % forest.length]!
          arrive(replica, record, cut, stub)
          arrived.push(record)
          expect(replica.keys).toEqual(naiveLeaves(arrived))
        }
        for (const record of forest) arrive(replica, record, null, false)
        expect(replica.keys).toEqual(naiveLeaves(forest))
        expect(replica.leaves.every((leaf) => leaf.bodySeq > 0)).toBe(true)
      }
    }),
    { numRuns: 600 },
  )
})

test('merging twice changes nothing', () => {
  fc.assert(
    fc.property(growths, arrivals, (plan, schedule) => {
      const forest = grow(plan)
      const replica = new Replica()
      for (const { which, cut } of schedule) arrive(replica, forest[which % forest.length]!, cut, false)
      const { leaves } = replica
      for (const { which } of schedule) {
        expect(replica.receive(forest[which % forest.length]!, true)).toEqual({ result: 'known' })
        expect(replica.receive(stubOf(forest[which % forest.length]!), true)).toEqual({ result: 'known' })
      }
      expect(replica.leaves).toEqual(leaves)
    }),
  )
})

test('a replay of the log, also with each record applied twice, gives the same leaves', () => {
  fc.assert(
    fc.property(growths, arrivals, (plan, schedule) => {
      const forest = grow(plan)
      const replica = new Replica()
      for (const { which, cut, stub } of schedule) arrive(replica, forest[which % forest.length]!, cut, stub)
      expect(replica.replayed()).toEqual(replica.leaves)
      let twice: typeof replica.leaves = []
      for (const [i, record] of replica.log.entries()) {
        twice = applyRecord(twice, i + 1, record).leaves
        expect(applyRecord(twice, i + 1, record)).toEqual({ leaves: twice, superseded: [] })
      }
      expect(twice).toEqual(replica.leaves)
    }),
  )
})

test('what a record supersedes are the leaves that it takes away', () => {
  fc.assert(
    fc.property(growths, arrivals, (plan, schedule) => {
      const forest = grow(plan)
      const replica = new Replica()
      for (const { which, cut, stub } of schedule) {
        const before = replica.leaves
        const { length } = replica.log
        arrive(replica, forest[which % forest.length]!, cut, stub)
        if (replica.log.length === length) continue
        const { leaves, superseded } = applyRecord(before, length + 1, replica.log.at(-1)!)
        const after = new Set(leaves.map(leafKey))
        expect(superseded.map(leafKey)).toEqual(before.map(leafKey).filter((key) => !after.has(key)))
      }
    }),
  )
})

test('replicas that knew different parts agree after an exchange of all leaves with their paths', () => {
  fc.assert(
    fc.property(growths, fc.array(arrivals, { minLength: 2, maxLength: 4 }), (plan, schedules) => {
      const forest = grow(plan)
      const arrived: LogRecord[] = []
      const replicas = schedules.map((schedule) => {
        const replica = new Replica()
        for (const { which, cut, stub } of schedule) {
          arrived.push(forest[which % forest.length]!)
          arrive(replica, arrived.at(-1)!, cut, stub)
        }
        return replica
      })
      expect(exchange(replicas)).toBeLessThanOrEqual(3)
      for (const replica of replicas) expect(replica.keys).toEqual(naiveLeaves(arrived))
    }),
  )
})

test('replicas agree also where their sources remembered different lengths of foreign histories', () => {
  fc.assert(
    fc.property(growths, fc.array(arrivals, { minLength: 2, maxLength: 4 }), (plan, schedules) => {
      const forest = grow(plan.map((growth) => ({ ...growth, foreign: true })))
      const replicas = schedules.map((schedule) => {
        const replica = new Replica()
        for (const { which, cut } of schedule) {
          const record = forest[which % forest.length]!
          replica.receive({ ...record, path: record.path.slice(0, cut ?? undefined) }, true)
        }
        return replica
      })
      exchange(replicas)
      for (const replica of replicas) expect(new Set(replica.keys)).toEqual(new Set(replicas[0]!.keys))
    }),
    { numRuns: 500 },
  )
})

test('past the limit of ancestors a spurious conflict is allowed, disagreement is not', () => {
  const revs = Array.from({ length: limits.ancestors + 200 }, (_, i) => `${i + 1}-F${i}`)
  const at = (generation: number): LogRecord =>
    revision({
      kind: 'stub',
      rev: revs[generation - 1]!,
      path: revs
        .slice(0, generation - 1)
        .reverse()
        .slice(0, limits.ancestors),
      bodyHash: new Uint8Array(32),
    })
  const [old, stepwise, late] = [new Replica(), new Replica(), new Replica()]
  old.receive(at(100), true)
  for (let generation = 1; generation <= revs.length; generation++) {
    const record = at(generation)
    stepwise.receive({ ...record, path: record.path.slice(0, 1) }, generation === 1)
  }
  expect(stepwise.pathOf(stepwise.leaves[0]!)).toEqual(at(revs.length).path)
  late.receive(at(revs.length), true)
  expect(exchange([old, stepwise, late])).toBeLessThanOrEqual(3)
  for (const replica of [old, stepwise, late]) expect(replica.keys.length).toBe(2)
  expect(old.keys).toEqual(stepwise.keys)
  expect(late.keys).toEqual(stepwise.keys)
})

test('a known leaf that is not held is supplied, and nothing else of it changes', () => {
  const [record] = grow([{ parent: 0, deleted: false, foreign: false, twin: false, body: 1 }])
  const replica = new Replica()
  replica.receive(stubOf(record!), true)
  const [stub] = replica.leaves
  expect(replica.receive(record!, true)).toEqual({ result: 'supplied' })
  expect(replica.leaves).toEqual([{ ...stub, bodySeq: 2 }])
  expect(replica.receive(record!, true)).toEqual({ result: 'known' })
})

test('two foreign revisions with one rev and different bodies are both kept, until a child follows the rev', () => {
  const twin = { parent: 0, deleted: false, foreign: true, twin: true }
  const child = { parent: 0, deleted: false, foreign: false, twin: false, body: 0 }
  const [a, b, c] = grow([{ ...twin, body: 1 }, { ...twin, parent: 1, body: 2 }, child])
  expect(a!.rev).toBe(b!.rev)
  const replica = new Replica()
  for (const record of [a, b]) expect(replica.receive(record!, true).result).toBe('new')
  expect(replica.leaves.length).toBe(2)
  expect(replica.receive(c!, true).result).toBe('new')
  expect(replica.leaves.map((leaf) => leaf.rev)).toEqual([c!.rev])
  for (const record of [a, b]) expect(replica.receive(record!, true).result).toBe('known')
})
