import { expect, test } from 'vitest'
import { runSeeds } from '../src/job.js'
import { Tally } from '../src/tally.js'

const seeds = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i).values()

test('a fleet keeps its promises whatever goes wrong', { timeout: 240_000 }, async () => {
  const tally = new Tally()
  await runSeeds(seeds(1, 60), 2, { profile: 'short' }, (summary) => tally.add(summary))
  const replay = (seed: number) => `npm run simulate -- --seed ${seed} --profile short --verbose`
  expect(tally.failures.map(({ seed, failure, lines }) => [replay(seed), failure?.stack, lines])).toEqual([])
  expect(tally.seeds).toBe(60)
  expect(tally.lacking()).toEqual([])
})

test('one seed is one history, in whatever process', { timeout: 120_000 }, async () => {
  const digests = async () => {
    const found = new Map<number, string>()
    const note = ({ seed, digest }: { readonly seed: number; readonly digest: string }) =>
      void found.set(seed, digest)
    await runSeeds(seeds(201, 4), 2, { profile: 'short' }, note)
    return [...found].sort()
  }
  const first = await digests()
  expect(new Set(first.map(([, digest]) => digest)).size).toBe(4)
  expect(await digests()).toEqual(first)
})
