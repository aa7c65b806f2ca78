import { expect, test } from 'vitest'
import { auditRestarts } from '../src/restart-audit.js'

test('restarts under load lose nothing, and end in time though clients do not', {
  timeout: 120_000,
}, async () => {
  const report = await auditRestarts({ restarts: 3, writers: 8, writesBetween: 50 })
  expect(report.faults).toEqual([])
  expect(report.restarts).toBe(3)
  expect(report.acknowledged).toBeGreaterThanOrEqual(150)
  expect(report.repeated).toBeGreaterThan(0)
  // A control: there were clients that a stop had to cut off, after its grace of 8 s.
  expect(report.slowestStopMs).toBeGreaterThan(7_500)
})
