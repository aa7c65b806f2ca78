import type { Documents } from '../database/documents.js'
import type { ComplianceCheck, DocumentsChecks } from './check.js'
import { argumentChecks } from './documents-arguments.js'
import { readChecks } from './documents-reads.js'
import { scanChecks } from './documents-scans.js'
import { writeChecks } from './documents-writes.js'

/** A new, empty database for one check. */
export interface DocumentsSubject {
  readonly documents: Documents
  close(): Promise<void>
}

/** What an application expects of any `Documents`, local or remote, as checks to be run by any test runner. */
export function documentsCompliance(make: () => Promise<DocumentsSubject>): readonly ComplianceCheck[] {
  const all: DocumentsChecks = { ...writeChecks, ...readChecks, ...scanChecks, ...argumentChecks }
  return Object.entries(all).map(([name, check]) => ({
    name,
    run: async () => {
      const subject = await make()
      try {
        await check(subject.documents)
      } finally {
        await subject.close()
      }
    },
  }))
}
