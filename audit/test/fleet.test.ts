import { expect, test } from 'vitest'
import { auditFleet } from '../src/fleet-audit.js'

/** Other choices in each run; a failure tells them. */
const seed = Date.now() % 2 ** 32
const least = {
  restarts: 20,
  connectionCuts: 30,
  documents: 10_000,
  edits: 200,
  transactions: 100,
  evicted: 100,
}

test('two peers and a mirror agree on every leaf soon after the last fault', {
  timeout: 400_000,
}, async () => {
  const report = await auditFleet({ seed, ...least })
  expect(report.faults, `seed ${seed}`).toEqual([])
  for (const name of Object.keys(least) as (keyof typeof least)[])
    expect(report[name], name).toBeGreaterThanOrEqual(least[name])
  expect(report.convergedMs).toBeLessThanOrEqual(30_000)
})
