import { open } from '@mynah/core'
import type { FleetLedger } from './fleet-ledger.js'
import { digestOf, leavesOf } from './leaves.js'

/** Opens the databases of a fleet that was stopped, and holds them against each other and all that was ever written. */
export async function compareFleet(
  ledger: FleetLedger,
  replicas: readonly { readonly name: string; readonly folder: string; readonly holdsAll: boolean }[],
): Promise<string[]> {
  const faults: string[] = []
  const summaries: string[] = []
  for (const { name, folder, holdsAll } of replicas) {
    const db = await open(folder, { createIfMissing: false })
    try {
      const { root, documents, tombstones, conflicts, notHeld } = await db.stats()
      const leaves = await leavesOf(db, { bodies: true })
      faults.push(...ledger.faults(name, leaves))
      if (holdsAll && notHeld > 0) faults.push(`${name} is to hold all, and lacks ${notHeld} bodies`)
      summaries.push(JSON.stringify({ root, documents, tombstones, conflicts, ...digestOf(leaves) }))
      const { findings } = await db.verify()
      for (const { file, fault } of findings) faults.push(`${name}: verify: ${file}: ${fault}`)
    } finally {
      await db.close()
    }
  }
  if (new Set(summaries).size !== 1) faults.push(`they do not agree: ${summaries.join(' ')}`)
  return faults
}
