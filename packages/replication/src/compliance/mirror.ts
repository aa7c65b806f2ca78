import { randomBytes } from 'node:crypto'
import type { ComplianceCheck } from '@mynah/core/compliance'
import { databaseChecks } from './database-checks.js'
import { durabilityChecks } from './durability-checks.js'
import { leafChecks } from './leaf-checks.js'
import { liveChecks, patientLiveChecks, scopedLiveChecks } from './live-checks.js'
import { pullChecks } from './pull-checks.js'
import { pushChecks } from './push-checks.js'
import { pushedShardsChecks } from './pushed-shards-checks.js'
import { rangeChecks } from './range-checks.js'
import { type MirrorChecks, type MirrorSubject, RawDatabase } from './raw-database.js'
import { requestChecks, tokenChecks } from './request-checks.js'
import { scopeChecks } from './scope-checks.js'
import { sealedChecks } from './sealed-checks.js'
import { transactionChecks } from './transaction-checks.js'

/** One rule of docs/protocol.md, as a sentence, and what finds out whether a mirror keeps it. */
export interface MirrorCheck extends ComplianceCheck {
  /** It waits for what a mirror does now and then: some 15 s. */
  readonly patient: boolean
}

/**
 * What docs/protocol.md demands of a mirror, as checks to be run by any test runner, in any order or at the same time.
 * Each makes databases of its own and asks for their deletion, which a mirror may refuse.
 */
export function mirrorCompliance(subject: MirrorSubject): readonly MirrorCheck[] {
  const { token, restart } = subject
  const all: MirrorChecks = {
    ...databaseChecks,
    ...pushChecks,
    ...transactionChecks,
    ...pullChecks,
    ...scopeChecks,
    ...leafChecks,
    ...rangeChecks,
    ...sealedChecks,
    ...pushedShardsChecks,
    ...liveChecks,
    ...scopedLiveChecks,
    ...requestChecks,
    ...(token !== undefined && tokenChecks),
    ...(restart !== undefined && durabilityChecks(restart)),
  }
  return [...checksOf(subject, all, false), ...checksOf(subject, patientLiveChecks, true)]
}

function checksOf(subject: MirrorSubject, checks: MirrorChecks, patient: boolean): readonly MirrorCheck[] {
  const { databaseName = randomName } = subject
  return Object.entries(checks).map(([name, check]) => ({
    name,
    patient,
    run: async () => {
      const made: RawDatabase[] = []
      const another = (): RawDatabase => {
        const db = new RawDatabase(subject, databaseName(), another)
        made.push(db)
        return db
      }
      try {
        await check(another())
      } finally {
        for (const db of made) await db.open('DELETE', '').catch(() => undefined)
      }
    },
  }))
}

function randomName(): string {
  return `compliance-${randomBytes(8).toString('hex')}`
}
