import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryDisk } from '../../src/compliance.js'
import { type Database, HistoryGoneError, open, RecordLostError } from '../../src/index.js'
import { TestEnv } from '../log/support.js'

const START = 1_800_000_000_000

/** A clock that goes where it is told. */
class JumpingEnv extends TestEnv {
  clock = START
  override now(): number {
    return this.clock
  }
}

function machine() {
  const disk = new MemoryDisk({})
  const env = new JumpingEnv()
  const start = (): Promise<Database> =>
    open('db', {
      storage: disk.storage(),
      level: (location) => disk.level(location),
      shardBytes: 300,
      cacheBytes: 1,
      env,
    })
  return { disk, env, start }
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('put' as const), ms: fc.integer({ min: 0, max: 50 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('put' as const), ms: fc.integer({ min: -200, max: 200 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('many' as const), count: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'seal' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'rebuild' as const }) },
)

test('a time names the last seq whose arrival, as a running maximum, is not past it, however the clock jumps', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { disk, env, start } = machine()
      let db = await start()
      const arrivals: number[] = []
      let n = 0
      for (const one of steps) {
        if (one.kind === 'put') {
          env.clock += one.ms
          await db.put({ id: `d${n % 3}`, n: n++ }, { overwrite: true })
          arrivals.push(env.clock)
        } else if (one.kind === 'many') {
          await db.putMany(Array.from({ length: one.count }, (_, i) => ({ id: `m${n++}/${i}` })))
          for (let i = 0; i < one.count; i++) arrivals.push(env.clock)
        } else if (one.kind === 'seal') await db.seal()
        else {
          await db.close()
          if (one.kind === 'rebuild') {
            const index = disk.level('db/index-1')
            await index.open()
            await index.clear()
            await index.close()
          }
          db = await start()
        }
      }
      const times = new Set(arrivals.flatMap((at) => [at - 1, at, at + 1]))
      for (const time of times) {
        const later = arrivals.findIndex((at) => at > time)
        const expected = later < 0 ? arrivals.length : later
        expect((await db.at({ time: new Date(time) })).seq, `at ${time - START}`).toBe(expected)
      }
      expect((await db.at({ time: new Date(8.64e15) })).seq).toBe(arrivals.length)
      expect((await db.at({ time: new Date(0) })).seq).toBe(0)
      await db.close()
    }),
    { numRuns: 60 },
  )
})

test('a state by time is the state of its seq, and what is no time is refused', async () => {
  const { env, start } = machine()
  const db = await start()
  const first = await db.put({ id: 'a', n: 1 })
  env.clock += 1_000
  const second = await db.put({ ...first, n: 2 })
  expect(await (await db.at({ time: new Date(START + 999) })).get('a')).toEqual(first)
  expect(await (await db.at({ time: new Date(START + 1_000) })).get('a')).toEqual(second)
  const versions = []
  for await (const { at } of db.history('a')) versions.push(at.getTime() - START)
  expect(versions).toEqual([1_000, 0])
  await expect(db.at({ time: new Date(Number.NaN) })).rejects.toThrow(TypeError)
  await expect(db.at({} as { time: Date })).rejects.toThrow(TypeError)
  await db.close()
})

test('a time that falls into what damage took is an error, and others are as before', async () => {
  const { disk, env, start } = machine()
  let db = await start()
  for (let i = 0; i < 60; i++) {
    env.clock = START + i
    await db.put({ id: `d${i}`, text: `text ${i} `.repeat(3) })
  }
  await db.seal()
  await db.close()
  const { name, length } = disk.files().find((file) => file.name.startsWith('segment'))!
  disk.damage(name, { kind: 'zero', offset: Math.floor(length / 2), length: 100 })
  // What is told again after the damage arrives later.
  env.clock += 1_000
  db = await start()
  await db.verify()
  const seqs: unknown[] = []
  for (let i = 0; i < 60; i++) {
    const snapshot = await db.at({ time: new Date(START + i) }).catch((error: unknown) => error)
    seqs.push(snapshot instanceof RecordLostError ? 'lost' : (snapshot as { seq: number }).seq)
  }
  expect(seqs).toContain('lost')
  for (const [i, seq] of seqs.entries()) if (seq !== 'lost') expect(seq).toBe(i + 1)
  expect(seqs.filter((seq) => seq !== 'lost').length).toBeGreaterThan(30)
  await db.close()
})

test('a time names the same moment after compaction, or none, also where the clock was put back after what went', async () => {
  const { env, start } = machine()
  let db = await start()
  const put = async (ms: number, doc: { readonly id: string; readonly n: number }) => {
    env.clock = START + ms
    await db.put(doc, { overwrite: true })
  }
  await put(5, { id: 'first', n: 0 })
  await put(1_000, { id: 'a', n: 1 })
  await put(20, { id: 'a', n: 2 })
  await put(40, { id: 'b', n: 1 })
  await put(2_000, { id: 'c', n: 1 })
  await put(3_000, { id: 'd', n: 1 })
  const seqAt = async (ms: number) => (await db.at({ time: new Date(START + ms) })).seq
  expect(await Promise.all([10, 45, 1_000, 2_500, 3_500].map(seqAt))).toEqual([1, 1, 4, 5, 6])
  await db.seal()
  expect(await db.compact()).toMatchObject({ recordsDropped: 1 })
  for (let opened = 0; opened < 2; opened++) {
    for (const ms of [10, 45, 999]) await expect(seqAt(ms)).rejects.toThrow(HistoryGoneError)
    expect(await Promise.all([1_000, 2_500, 3_500].map(seqAt))).toEqual([4, 5, 6])
    await db.close()
    db = await start()
  }
  await db.close()
})
