import { expect, test } from 'vitest'
import { sweepDamage } from '../src/damage-sweep.js'

/** The same choices in each run; `npm run audit -- --damage N` makes others, and tells them. */
const seed = 33

test('damage to any file is survived, named, and healed from a mirror', { timeout: 240_000 }, async () => {
  const report = await sweepDamage({ seed, damages: 64 })
  expect(report.faults, `seed ${seed}`).toEqual([])
  expect(report.damages).toBeGreaterThanOrEqual(60)
  expect(report.deaths).toBe(0)
  expect(report.harmful).toBeGreaterThan(3)
  for (const [sort, count] of Object.entries(report.bySort)) expect(count, sort).toBeGreaterThan(0)
})
