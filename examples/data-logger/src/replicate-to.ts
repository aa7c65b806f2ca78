import type { Database } from '@mynah/core'
import { mirrorAddress, type ReplicateOptions, type Replication, replicate } from '@mynah/replication'

/**
 * Replication with this mirror and no other: those of earlier runs are forgotten. Only pushes: nothing that the mirror
 * has comes here.
 */
export async function replicateTo(
  db: Database,
  mirror: string,
  options: Pick<ReplicateOptions, 'transport'> = {},
): Promise<Replication> {
  const address = mirrorAddress(mirror)
  const replication = await replicate(db, { ...options, mirrors: [address], scope: { prefixes: [] } })
  for (const { url } of replication.mirrors()) if (url !== address) await replication.removeMirror(url)
  return replication
}
