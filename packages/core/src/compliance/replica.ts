import type { Replica } from '../database/replica.js'
import type { ComplianceCheck } from './check.js'
import { bodyChecks } from './replica-bodies.js'
import { feedChecks } from './replica-feed.js'
import { heldUnderChecks } from './replica-held-under.js'
import { mergeChecks } from './replica-merge.js'
import { partChecks } from './replica-parts.js'
import { placeChecks } from './replica-places.js'
import { sumChecks } from './replica-sums.js'
import { transactionChecks } from './replica-transactions.js'

/** A new, empty database for one check. */
export interface ReplicaSubject {
  readonly replica: Replica
  /** Closes it and opens the same database again. */
  reopen(): Promise<Replica>
  close(): Promise<void>
}

/** What replication expects of any replica, as checks to be run by any test runner, each on a new database. */
export function replicaCompliance(make: () => Promise<ReplicaSubject>): readonly ComplianceCheck[] {
  const all = {
    ...mergeChecks,
    ...feedChecks,
    ...partChecks,
    ...bodyChecks,
    ...heldUnderChecks,
    ...placeChecks,
    ...sumChecks,
    ...transactionChecks,
  }
  return Object.entries(all).map(([name, check]) => ({
    name,
    run: async () => {
      const subject = await make()
      try {
        await check(subject.replica, () => subject.reopen())
      } finally {
        await subject.close()
      }
    },
  }))
}
