import { expect, test } from 'vitest'
import { profiles } from '../src/profile.js'
import { run } from '../src/run.js'

/** Bugs that the simulation has found, with seeds that showed them as the code was then. */
const found: readonly (readonly [bug: string, profile: keyof typeof profiles, seeds: readonly number[]])[] = [
  ['a body that was deleted came back while its successor was not held', 'short', [5024, 5032]],
  ['a tombstone stood for a live leaf that was not held, and update tried for ever', 'calm', [1]],
  ['what the disk refused to read of the index was an untyped error', 'short', [5001, 5033]],
  ['a scan that the reopening of the index cut off was an untyped error', 'everything', [1043]],
  ['four and more mirrors fell into islands that never met', 'everything', [20007]],
  ['an acknowledged write was lost under a revision that nobody held', 'everything', [7058]],
]

for (const [bug, profile, seeds] of found) {
  test(`no more: ${bug}`, { timeout: 120_000 }, async () => {
    for (const seed of seeds) {
      const { violation } = await run({ seed, profile: profiles[profile] })
      expect(violation?.message, `seed ${seed}, profile ${profile}`).toBeUndefined()
    }
  })
}
