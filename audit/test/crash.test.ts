import { expect, test } from 'vitest'
import { auditCrashes } from '../src/crash-audit.js'

/** Other choices in each run; a failure tells them. */
const seed = Date.now() % 2 ** 32
const timeout = 240_000

test('what was acknowledged survives kill -9 and power cuts, and nothing else appears', {
  timeout,
}, async () => {
  const report = await auditCrashes({ seed, kills: 40, cuts: 12, documents: 10_000 })
  expect(report.faults, `seed ${seed}`).toEqual([])
  expect(report.kills).toBeGreaterThanOrEqual(40)
  expect(report.cuts).toBeGreaterThanOrEqual(12)
  expect(report.documents).toBeGreaterThanOrEqual(10_000)
  expect(report.inspections).toBeGreaterThan(10)
  expect(report.transactions).toBeGreaterThan(100)
})

test('a disk that does not sync is found out by power cuts', { timeout }, async () => {
  const { faults } = await auditCrashes({ seed, kills: 0, cuts: 30, lying: true })
  expect(faults.join('\n'), `seed ${seed}`).toMatch(/ is lost| was lost|is not held here|ManifestCorrupt/)
})

test('a disk that does not sync is not found out by kills alone', { timeout }, async () => {
  const report = await auditCrashes({ seed, kills: 4, cuts: 0, lying: true })
  expect(report.faults, `seed ${seed}`).toEqual([])
})
