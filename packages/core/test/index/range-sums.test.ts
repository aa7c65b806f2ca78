import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteWriter } from '../../src/bytes/byte-writer.js'
import { compareUtf8 } from '../../src/bytes/compare.js'
import { toHex } from '../../src/bytes/hex.js'
import type { Leaf } from '../../src/document/tree.js'
import type { Env } from '../../src/env/env.js'
import { nodeEnv } from '../../src/env/node-env.js'
import { IndexCorruptError } from '../../src/errors.js'
import { halfSipHash, isBorder } from '../../src/index/border.js'
import { withChecksum } from '../../src/index/checksum.js'
import { DocumentIndex } from '../../src/index/document-index.js'
import { type Entry, writeEntry } from '../../src/index/entry.js'
import { addFingerprint, fingerprint } from '../../src/index/fingerprint.js'
import type { IndexCommit } from '../../src/index/index-commit.js'
import { entryKey, pageBounds, pageKey, rootKey } from '../../src/index/keys.js'
import { type DerivedStore, openMemoryLevel } from '../../src/index/level.js'
import { boundsOf, type IdRange } from '../../src/index/range.js'
import type { PageSum, RangeSum } from '../../src/index/range-sums.js'

const salt = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const env: Env = {
  ...nodeEnv,
  randomBytes: () => salt.slice(),
  setTimer: () => ({ cancel: () => undefined }),
}
const openIn = (store: DerivedStore, given = env) =>
  DocumentIndex.open({ store, env: given, cacheBytes: 10_000, whenSynced: () => Promise.resolve() })

function encodeEntry(entry: Entry): Uint8Array {
  const writer = new ByteWriter()
  writeEntry(writer, entry)
  return writer.finish()
}

async function freshStore(): Promise<DerivedStore> {
  const store = openMemoryLevel()
  await store.open()
  return store
}

/** So many that some are borders, few enough that histories meet at the same ids. */
const ids = Array.from(
  { length: 3_000 },
  (_, i) => `${'abcÿ\uffee😀'.at(i % 5)}/${String(i).padStart(5, '0')}`,
)
const borders = ids.filter((id) => isBorder(salt, id))
/** Borders and their neighbours are where mistakes would be. */
const someId = fc.oneof(
  fc.constantFrom(...ids),
  fc.constantFrom(...borders),
  fc.constantFrom(...borders).map((id) => ids[(ids.indexOf(id) + 5) % ids.length]!),
)
const run = fc.record({
  kind: fc.constant('run' as const),
  start: fc.nat(ids.length - 1),
  count: fc.nat(400),
})
const step = fc.oneof(
  { weight: 4, arbitrary: run },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('write' as const), id: someId, deleted: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fork' as const), id: someId }) },
  ...(['flush', 'crash', 'rebuild', 'sum'] as const).map((kind) => ({
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant(kind), id: someId }),
  })),
)
const range: fc.Arbitrary<IdRange> = fc.record(
  {
    prefix: fc.constantFrom('', 'a', 'ÿ/', '😀', '\uffee/0'),
    gte: someId,
    lt: someId,
    gt: someId,
    lte: someId,
  },
  { requiredKeys: [] },
)

class Model {
  readonly leaves = new Map<string, readonly Leaf[]>()
  seq = 0

  commit(change: (id: string) => readonly Leaf[], some: readonly string[]): IndexCommit {
    const changes = some.map((id) => {
      const leaves = this.leaves.get(id)
      this.seq += 1
      const after = { leaves: change(id) }
      this.leaves.set(id, after.leaves)
      return { id, before: leaves && { leaves }, after }
    })
    return { changes, superseded: [], seq: this.seq }
  }

  leaf(id: string, deleted = false): Leaf {
    const digest = Buffer.from(`${id}${this.seq}`.padEnd(16)).subarray(-16).toString('hex')
    return { rev: `${this.seq}-${digest}`, deleted, seq: this.seq, bodySeq: this.seq }
  }

  sum(within: IdRange): RangeSum {
    const sum = new Uint8Array(32)
    let count = 0
    for (const [id, leaves] of this.leaves) {
      const { prefix = '', gt, gte, lt, lte } = within
      if (!id.startsWith(prefix) || (gte !== undefined && compareUtf8(id, gte) < 0)) continue
      if ((gt !== undefined && compareUtf8(id, gt) <= 0) || (lt !== undefined && compareUtf8(id, lt) >= 0))
        continue
      if (lte !== undefined && compareUtf8(id, lte) > 0) continue
      count += 1
      addFingerprint(sum, fingerprint(id, leaves))
    }
    return { count, sum }
  }
}

/** A range in parts that begin at those of the borders that lie in it, as the index and the model have them. */
async function checkSums(index: DocumentIndex, model: Model, within: IdRange, some: readonly string[]) {
  const { from, to } = boundsOf(within)
  const isInside = (id: string) => compareUtf8(id, from) > 0 && (to === undefined || compareUtf8(id, to) < 0)
  const inside = [...new Set(some)].filter(isInside).sort(compareUtf8)
  const starts = [from, ...inside]
  const expected = starts.map((gte, i) => {
    const lt = starts[i + 1] ?? to
    return model.sum({ ...within, gte, ...(lt !== undefined && { lt }) })
  })
  expect(await index.sums.sums({ from, to }, inside)).toEqual(expected)
}

async function all<T>(some: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const one of some) list.push(one)
  return list
}

/** The pages that the ids known make under the salt, whatever their history. */
function pagesOf(model: Model): PageSum[] {
  const firsts = ['', ...[...model.leaves.keys()].filter((id) => isBorder(salt, id)).sort(compareUtf8)]
  return firsts.map((from, i) => {
    const to = firsts[i + 1]
    const known = model.sum({ gte: from, ...(to !== undefined && { lt: to }) })
    return { from, to, ...known, seq: 0 }
  })
}

const withoutSeq = (pages: readonly PageSum[]) => pages.map((page) => ({ ...page, seq: 0 }))

test('the sum kept equals the sum computed from nothing, after any history, crashes and rebuilds, for any range', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.array(range, { minLength: 8, maxLength: 8 }),
      fc.array(someId, { maxLength: 12 }),
      async (steps, ranges, cuts) => {
        let store = await freshStore()
        let index = await openIn(store)
        const model = new Model()
        const commits: IndexCommit[] = []
        const apply = (commit: IndexCommit) => {
          commits.push(commit)
          index.apply(commit)
        }
        for (const one of steps) {
          if (one.kind === 'run') {
            apply(model.commit((id) => [model.leaf(id)], ids.slice(one.start, one.start + one.count)))
          } else if (one.kind === 'write')
            apply(model.commit((id) => [model.leaf(id, one.deleted)], [one.id]))
          else if (one.kind === 'fork')
            apply(
              model.commit((id) => [model.leaf(id), ...(model.leaves.get(id) ?? [])].slice(0, 3), [one.id]),
            )
          else if (one.kind === 'flush') await index.flush()
          else if (one.kind === 'sum')
            expect(await index.sum({ gte: one.id })).toEqual(model.sum({ gte: one.id }))
          else {
            if (one.kind === 'rebuild') store = await freshStore()
            index = await openIn(store)
            const watermark = index.root.seq
            for (const commit of commits) if (commit.seq > watermark) index.apply(commit)
          }
        }
        for (const within of ranges) expect(await index.sum(within)).toEqual(model.sum(within))
        for (const within of ranges) await checkSums(index, model, within, cuts)
        const pages = await all(index.pages({}))
        expect(withoutSeq(pages)).toEqual(pagesOf(model))
        for (const { from, to, seq } of pages) {
          for await (const [, { leaves }] of index.range({ gte: from, ...(to !== undefined && { lt: to }) }))
            for (const leaf of leaves) expect(leaf.seq).toBeLessThanOrEqual(seq)
        }
        await index.flush()
        const again = await openIn(store)
        // Of pages that are not checked yet.
        for (const within of ranges) await checkSums(again, model, within, cuts)
        for (const within of ranges) expect(await again.sum(within)).toEqual(model.sum(within))
        expect(await again.get('nobody')).toBeUndefined()
        expect(await again.recount()).toEqual({ counted: index.root, kept: index.root })
      },
    ),
    { numRuns: 30 },
  )
}, 60_000)

test('changes and flushes while a page is scanned are in the sums that follow', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(someId, { minLength: 1, maxLength: 60 }), fc.nat(6), async (some, turns) => {
      const index = await openIn(await freshStore())
      const model = new Model()
      index.apply(
        model.commit(
          (id) => [model.leaf(id)],
          ids.filter((_, i) => i % 3 === 0),
        ),
      )
      const expected = model.sum({ gte: 'b' })
      const sums = index.sum({ gte: 'b' })
      const pages = all(index.pages({}))
      // The first step of a sum may be a scan of the page that it cuts: what comes meanwhile may be in, or not.
      for (let i = 0; i < turns; i++) await Promise.resolve()
      const flushing = index.flush()
      for (const id of some) {
        index.apply(model.commit((one) => [model.leaf(one)], [id]))
        await Promise.resolve()
      }
      expect((await sums).count).toBeGreaterThanOrEqual(expected.count)
      await Promise.all([pages, flushing])
      expect(await index.sum({ gte: 'b' })).toEqual(model.sum({ gte: 'b' }))
      expect(withoutSeq(await all(index.pages({})))).toEqual(pagesOf(model))
      await index.recount()
    }),
    { numRuns: 20 },
  )
})

test('indexes that know the same leaves have the same sums, whatever their histories and salts', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(ids, { minLength: 500 }),
      fc.array(range, { minLength: 5 }),
      async (some, ranges) => {
        const other = { ...env, randomBytes: nodeEnv.randomBytes }
        const indexes = [await openIn(await freshStore()), await openIn(await freshStore(), other)]
        const orders = [some, some.toSorted(compareUtf8)]
        const leafOf = (id: string): Leaf => ({
          rev: `1-${'0f'.repeat(16)}`,
          deleted: id < 'b',
          seq: 1,
          bodySeq: 1,
        })
        for (const [i, index] of indexes.entries()) {
          for (const [at, id] of orders[i]!.entries()) {
            index.apply({
              changes: [{ id, before: undefined, after: { leaves: [leafOf(id)] } }],
              superseded: [],
              seq: at + 1,
            })
            if (at % 400 === 399) await index.flush()
          }
        }
        for (const within of ranges)
          expect(await indexes[0]!.sum(within)).toEqual(await indexes[1]!.sum(within))
      },
    ),
    { numRuns: 10 },
  )
})

/** An index of all ids, in the store. */
async function flushed(): Promise<DerivedStore> {
  const store = await freshStore()
  const index = await openIn(store)
  const model = new Model()
  index.apply(model.commit((id) => [model.leaf(id)], ids.toSorted(compareUtf8)))
  await index.flush()
  return store
}

test('an entry that vanished, returned to an older state or came from nowhere is found by a miss, a scan, a sum and a recount', async () => {
  const gone = ids[1_234]!
  const old = { leaves: [{ rev: `1-${'0f'.repeat(16)}`, deleted: false, seq: 1, bodySeq: 1 }] }
  const damages: ((store: DerivedStore) => Promise<void>)[] = [
    (store) => store.del(entryKey(gone)),
    (store) => store.put(entryKey(gone), withChecksum(entryKey(gone), encodeEntry(old))),
    (store) => store.put(entryKey(`${gone}x`), withChecksum(entryKey(`${gone}x`), encodeEntry(old))),
  ]
  for (const damage of damages) {
    const store = await flushed()
    await damage(store)
    const reads: ((index: DocumentIndex) => Promise<unknown>)[] = [
      (index) => index.get(`${gone}!`),
      (index) => all(index.range({ prefix: gone })),
      async (index) => {
        for await (const _ of index.range({ prefix: gone }, true));
      },
      (index) => all(index.range({})),
      (index) => index.sum({ gte: gone, lt: `${gone}y` }),
      (index) => index.recount(),
      (index) => all(index.pages({})),
    ]
    for (const read of reads) await expect(read(await openIn(store))).rejects.toThrow(IndexCorruptError)
    const index = await openIn(store)
    const elsewhere = ids.find((id) => Math.abs(ids.indexOf(id) - 1_234) > 1_000 && id !== gone)!
    expect(await index.get(elsewhere)).toBeDefined()
  }
})

test('a page that vanished, or is damaged, does not open', async () => {
  for (const damage of [
    (value: Uint8Array) => value.with(10, value[10]! ^ 1),
    (value: Uint8Array) => value.subarray(0, 20),
    () => undefined,
  ]) {
    for (const first of ['', borders[0]!]) {
      const store = await flushed()
      const damaged = damage((await store.get(pageKey(first)))!)
      if (damaged) await store.put(pageKey(first), damaged)
      else await store.del(pageKey(first))
      await expect(openIn(store)).rejects.toThrow(IndexCorruptError)
    }
  }
})

test('an index without pages, as written by the first version, gets them when it is opened', async () => {
  const store = await flushed()
  for await (const key of store.keys(pageBounds)) await store.del(key)
  const root = (await store.get(rootKey))!
  const body = root.slice(0, -12)
  body[0] = 1
  await store.put(rootKey, withChecksum(rootKey, body))
  const model = new Model()
  model.commit((id) => [model.leaf(id)], ids.toSorted(compareUtf8))
  const index = await openIn(store)
  expect(withoutSeq(await all(index.pages({})))).toEqual(pagesOf(model))
  await index.flush()
  expect(await all((await openIn(store)).pages({}))).toEqual(await all(index.pages({})))
})

test('ids in order, in one stream or in several, are cut into pages without a scan', async () => {
  const store = await freshStore()
  const scans: unknown[] = []
  const iterator = store.iterator.bind(store)
  store.iterator = ((options: never) => {
    scans.push(options)
    return iterator(options)
  }) as typeof store.iterator
  const index = await openIn(store)
  const opened = scans.length
  const model = new Model()
  for (const id of ids.toSorted(compareUtf8)) index.apply(model.commit((one) => [model.leaf(one)], [id]))
  expect(await all(index.pages({}))).toMatchObject(pagesOf(model).map(({ from, count }) => ({ from, count })))
  expect(scans.length).toBe(opened)
})

test('pages, root and hash are byte for byte as they were', async () => {
  const golden = JSON.parse(readFileSync(new URL('../fixtures/index-2.json', import.meta.url), 'utf8')) as {
    rows: Record<string, string>
    hashes: string[]
  }
  const store = await freshStore()
  const index = await openIn(store)
  const model = new Model()
  index.apply(model.commit((id) => [model.leaf(id)], ids.slice(0, 600).sort(compareUtf8)))
  await index.flush()
  const rows: Record<string, string> = { [toHex(rootKey)]: toHex((await store.get(rootKey))!) }
  for await (const [key, value] of store.iterator(pageBounds)) rows[toHex(key)] = toHex(value)
  expect(rows).toEqual(golden.rows)
  const bytes = Uint8Array.from({ length: 9 }, (_, i) => i)
  const hashes = [...bytes.keys()].map((n) =>
    (halfSipHash(bytes.subarray(0, 8), bytes.subarray(0, n)) >>> 0).toString(16),
  )
  expect(hashes).toEqual(golden.hashes)
})
