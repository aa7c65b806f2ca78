import { expect, test } from 'vitest'
import { auditRestarts } from '../src/restart-audit.js'

test('restarts under load lose nothing, and end in time though clients do not', {
  timeout: 120_000,
}, async () => {
  const report = await auditRestarts({ restarts: 4, writers: 8, writesBetween: 50 })
  expect(report.faults).toEqual([])
  expect(report.restarts).toBe(4)
  expect(report.acknowledged).toBeGreaterThanOrEqual(200)
  expect(report.repeated).toBeGreaterThan(0)
})
