import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compareUtf8 } from '../../src/bytes/compare.js'
import type { Leaf } from '../../src/document/tree.js'
import { nodeEnv } from '../../src/env/node-env.js'
import { IndexCorruptError } from '../../src/errors.js'
import { DocumentIndex } from '../../src/index/document-index.js'
import type { Entry } from '../../src/index/entry.js'
import type { IndexCommit } from '../../src/index/index-commit.js'
import { conflictBounds, conflictKey, entryKey, rootKey } from '../../src/index/keys.js'
import { type DerivedStore, openFileLevel, openMemoryLevel } from '../../src/index/level.js'
import type { IdRange } from '../../src/index/range.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mynah-index-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const options = { env: nodeEnv, cacheBytes: 10_000, whenSynced: () => Promise.resolve() }
const openIn = async (store: DerivedStore) => {
  await store.open()
  return DocumentIndex.open({ ...options, store })
}

/** Ids that meet at prefixes and where UTF-16 and UTF-8 disagree. */
const id = fc.constantFrom('a', 'aa', 'ab', 'b', 'ä', '\uffee', '😀', '😀/1', 'a/😀', 'z'.repeat(40))
const hash = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((some) => Buffer.from(some).toString('hex'))
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      id,
      hash,
      deleted: fc.boolean(),
      others: fc.nat(2),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'flush' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
)
const range: fc.Arbitrary<IdRange> = fc.record(
  { prefix: fc.constantFrom('', 'a', '😀', 'a/'), gt: id, gte: id, lt: id, lte: id },
  { requiredKeys: [] },
)

function inRange(id: string, range: IdRange): boolean {
  return (
    id.startsWith(range.prefix ?? '') &&
    (range.gt === undefined || compareUtf8(id, range.gt) > 0) &&
    (range.gte === undefined || compareUtf8(id, range.gte) >= 0) &&
    (range.lt === undefined || compareUtf8(id, range.lt) < 0) &&
    (range.lte === undefined || compareUtf8(id, range.lte) <= 0)
  )
}

async function everything(
  index: DocumentIndex,
  within: IdRange,
  reverse: boolean,
): Promise<[string, Entry][]> {
  const all: [string, Entry][] = []
  for await (const row of index.range(within, reverse)) all.push(row)
  return all
}

async function conflictsOf(index: DocumentIndex): Promise<string[]> {
  const ids: string[] = []
  for await (const one of index.conflicts()) ids.push(one)
  return ids
}

test('the index agrees with a map, its sum with one computed from nothing, after any history and any end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      range,
      fc.boolean(),
      async (steps, within, reverse) => {
        const at = join(folder, crypto.randomUUID())
        let index = await openIn(openFileLevel(at))
        const model = new Map<string, Entry>()
        const history = new Map<string, number[]>()
        let replay: IndexCommit[] = []
        let seq = 0
        for (const one of steps) {
          if (one.kind === 'flush') {
            await index.flush()
            replay = []
          } else if (one.kind === 'reopen') {
            await index.abandon()
            index = await openIn(openFileLevel(at))
            for (const commit of replay) index.apply(commit)
          } else {
            seq += 1
            const before = model.get(one.id)
            expect(await index.get(one.id)).toEqual(before)
            const leaf: Leaf = { rev: `${seq}-${one.hash}`, deleted: one.deleted, seq, bodySeq: seq }
            const others = Array.from({ length: one.others }, (_, n) => ({
              ...leaf,
              rev: `0-${n}`,
              deleted: n > 0,
            }))
            const after = { leaves: [leaf, ...others] }
            const superseded = before ? [{ id: one.id, leaf: before.leaves[0]!, until: seq }] : []
            if (before) history.set(one.id, [before.leaves[0]!.seq, ...(history.get(one.id) ?? [])])
            const commit = { changes: [{ id: one.id, before, after }], superseded, seq }
            model.set(one.id, after)
            replay.push(commit)
            index.apply(commit)
          }
        }
        const expected = [...model]
          .filter(([one]) => inRange(one, within))
          .sort(([a], [b]) => (reverse ? -1 : 1) * compareUtf8(a, b))
        expect(await everything(index, within, reverse)).toEqual(expected)
        const conflicted = [...model].filter(
          ([, { leaves }]) => leaves.filter((leaf) => !leaf.deleted).length > 1,
        )
        expect(await conflictsOf(index)).toEqual(conflicted.map(([one]) => one).sort(compareUtf8))
        expect(Object.fromEntries(await index.lookup([...model.keys(), 'nobody']))).toEqual(
          Object.fromEntries(model),
        )
        for (const one of model.keys()) {
          expect((await index.history(one)).map((row) => row.seq)).toEqual(history.get(one) ?? [])
        }
        expect(await index.recount()).toEqual({ counted: index.root, kept: index.root })
        await index.close()
      },
    ),
    { numRuns: 25 },
  )
})

test('conflicts are told by rows of their own, and by the entries where there are fewer rows', async () => {
  const store = openMemoryLevel()
  const index = await openIn(store)
  const leaf = (rev: string): Leaf => ({ rev, deleted: false, seq: 1, bodySeq: 1 })
  const changes = ['a', 'b', 'c'].map((one, n) => ({
    id: one,
    before: undefined,
    after: { leaves: ['2-b', '2-a'].slice(n % 2).map(leaf) },
  }))
  index.apply({ changes, superseded: [], seq: 1 })
  await index.flush()
  expect(await store.keys(conflictBounds).all()).toEqual([conflictKey('a'), conflictKey('c')])
  expect(await conflictsOf(index)).toEqual(['a', 'c'])
  await store.del(conflictKey('c'))
  expect(await conflictsOf(index)).toEqual(['a', 'c'])
  index.apply({
    changes: [{ ...changes[0]!, before: changes[0]!.after, after: { leaves: [leaf('3-a')] } }],
    superseded: [],
    seq: 2,
  })
  expect(await conflictsOf(index)).toEqual(['c'])
  await index.flush()
  expect(await store.keys(conflictBounds).all()).toEqual([])
  expect(await conflictsOf(index)).toEqual(['c'])
})

test('reads during a flush see what was applied before, during and after', async () => {
  const store = openMemoryLevel()
  const index = await openIn(store)
  const commit = (name: string, seq: number, before: Entry | undefined): Entry => {
    const after = { leaves: [{ rev: `${seq}-${'0'.repeat(32)}`, deleted: false, seq, bodySeq: seq }] }
    index.apply({ changes: [{ id: name, before, after }], superseded: [], seq })
    return after
  }
  const a = commit('a', 1, undefined)
  const flushing = index.flush()
  const reading = index.lookup(['a', 'b'])
  const b = commit('b', 2, undefined)
  expect(await everything(index, {}, false)).toEqual([
    ['a', a],
    ['b', b],
  ])
  await flushing
  expect((await reading).get('a')).toEqual(a)
  expect(await everything(index, {}, true)).toEqual([
    ['b', b],
    ['a', a],
  ])
  expect(index.root).toMatchObject({ seq: 2, ids: 2, documents: 2 })
})

test('what could not be written stays in RAM and is written by the next flush', async () => {
  const store = openMemoryLevel()
  let failing = true
  await store.open()
  const index = await DocumentIndex.open({
    ...options,
    store,
    whenSynced: () => (failing ? Promise.reject(new Error('no fsync')) : Promise.resolve()),
  })
  const after = { leaves: [{ rev: `1-${'0'.repeat(32)}`, deleted: false, seq: 1, bodySeq: 1 }] }
  index.apply({ changes: [{ id: 'a', before: undefined, after }], superseded: [], seq: 1 })
  await expect(index.flush()).rejects.toMatchObject({ code: 'MYNAH_STORAGE' })
  expect(await store.get(entryKey('a'))).toBeUndefined()
  expect(await index.get('a')).toEqual(after)
  failing = false
  await index.flush()
  expect(await store.get(entryKey('a'))).toBeDefined()
})

test('a damaged entry or root is IndexCorruptError', async () => {
  const store = openMemoryLevel()
  const index = await openIn(store)
  const after = { leaves: [{ rev: `1-${'0'.repeat(32)}`, deleted: false, seq: 1, bodySeq: 1 }] }
  index.apply({ changes: [{ id: 'a', before: undefined, after }], superseded: [], seq: 1 })
  await index.flush()
  for (const key of [entryKey('a'), rootKey]) {
    const value = (await store.get(key))!.slice()
    value[3]! ^= 1
    await store.put(key, value)
  }
  await expect(DocumentIndex.open({ ...options, store })).rejects.toThrow(IndexCorruptError)
  await expect(everything(index, {}, false)).rejects.toThrow(IndexCorruptError)
})

test('a note is there again after a restart', async () => {
  const at = join(folder, 'notes')
  const first = await openIn(openFileLevel(at))
  await first.setNote('checkpoint/push/x', '{"seq":1}')
  await first.close()
  const second = await openIn(openFileLevel(at))
  expect(await second.note('checkpoint/push/x')).toBe('{"seq":1}')
  expect(await second.note('checkpoint/pull/x')).toBeUndefined()
  await second.close()
})
