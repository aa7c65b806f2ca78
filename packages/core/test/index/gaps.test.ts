import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareUtf8 } from '../../src/bytes/compare.js'
import { nodeEnv } from '../../src/env/node-env.js'
import { DocumentIndex } from '../../src/index/document-index.js'
import { Gaps } from '../../src/index/gaps.js'
import { openMemoryLevel } from '../../src/index/level.js'

const ids = Array.from(
  { length: 400 },
  (_, i) => `${'aÿ\uffee😀'.at(i % 5) ?? 'b'}/${String(i).padStart(3, '0')}`,
)
const someIds = fc.array(fc.constantFrom(...ids), { minLength: 32, maxLength: 80 })

/** The id that follows in a set, as an index tells it. */
function followerIn(known: ReadonlySet<string>): (id: string) => Promise<{ next: string | undefined }> {
  return async (id) => ({
    next: [...known].filter((one) => compareUtf8(one, id) > 0).sort(compareUtf8)[0],
  })
}

test('an id that is known is never in a gap, whatever was learned, became known or changed while something was learned', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.record({ kind: fc.constant('write' as const), some: fc.array(fc.constantFrom(...ids)) }),
          fc.record({ kind: fc.constant('learn' as const), some: someIds }),
          fc.record({ kind: fc.constant('race' as const), some: someIds }),
        ),
      ),
      async (steps) => {
        const gaps = new Gaps()
        const known = new Set<string>()
        const write = (id: string) => {
          known.add(id)
          gaps.close(id)
        }
        for (const { kind, some } of steps) {
          if (kind === 'write') for (const id of some) write(id)
          else {
            const absent = some.filter((id) => !known.has(id))
            let unchanged = true
            const learning = gaps.learn(absent, followerIn(new Set(known)), () => unchanged)
            if (kind === 'race') {
              unchanged = false
              for (const id of absent) write(id)
            }
            await learning
          }
          expect([...known].filter((id) => gaps.has(id))).toEqual([])
        }
      },
    ),
  )
})

test('streams of rising ids need few look-ups, and what is looked up is told right all the same', async () => {
  const store = openMemoryLevel()
  await store.open()
  let looked = 0
  const getMany = store.getMany.bind(store)
  Object.assign(store, {
    getMany: (keys: Uint8Array[]) => {
      looked += keys.length
      return getMany(keys)
    },
  })
  const index = await DocumentIndex.open({
    store,
    env: { ...nodeEnv, setTimer: () => ({ cancel: () => undefined }) },
    cacheBytes: 10_000,
    whenSynced: () => Promise.resolve(),
  })
  let seq = 0
  const idOf = (stream: number, n: number) => `s${(stream * 37) % 100}/${String(n).padStart(9, '0')}`
  const write = async (some: readonly string[]) => {
    const found = await index.lookup(some)
    expect(found.size).toBe(0)
    const changes = some.map((id) => {
      seq += 1
      const leaf = {
        rev: `1-${'0'.repeat(24)}${String(seq).padStart(8, '0')}`,
        deleted: false,
        seq,
        bodySeq: seq,
      }
      return { id, before: undefined, after: { leaves: [leaf] } }
    })
    index.apply({ changes, superseded: [], seq })
    if (index.flushDue) await index.flush()
  }
  for (let n = 0; n < 200; n += 2) {
    await write(Array.from({ length: 100 }, (_, stream) => idOf(stream, n)))
  }
  expect(looked).toBeLessThan(1_000)
  const all = Array.from({ length: 200 }, (_, n) => idOf(n % 100, n))
  const found = await index.lookup(all)
  expect([...found.keys()].sort()).toEqual(all.filter((_, n) => n % 2 === 0).sort())
  await index.close()
})
