import { expect, test } from 'vitest'
import { auditStops } from '../src/stop-audit.js'

/** Other choices in each run; a failure tells them. */
const seed = Date.now() % 2 ** 32

test('what was acknowledged survives a stop after each single write', { timeout: 120_000 }, async () => {
  const report = await auditStops({ seed, disks: 2 })
  expect(report.faults, `seed ${seed}`).toEqual([])
  expect(report.stops).toBeGreaterThan(100)
  expect(report.opened).toBe(2 * report.stops)
})

test('a disk that does not sync is found out by stops', async () => {
  const report = await auditStops({ seed, disks: 3, lying: true })
  expect(report.faults.join('\n'), `seed ${seed}`).toMatch(/ is lost| was lost/)
})
