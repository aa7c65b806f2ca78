import { type Database, nodeEnv } from '@mynah/core'
import { type Replica, replicaOf } from '@mynah/core/replica'
import { ReplicationRunningError } from '../errors.js'
import { acceptOptions } from './accept-options.js'
import { ConflictMerger } from './conflict-merger.js'
import type { ReplicateOptions, Replication } from './replication.js'
import { Replicator } from './replicator.js'
import { settingsWith } from './settings.js'

const running = new WeakSet<Replica>()

/**
 * Begins, or resumes with what the database remembers, replication in the background. Resolves without a network. Ends
 * with the database at the latest.
 *
 * @throws ReplicationRunningError: one for each database
 * @throws TypeError when a mirror's address or token, or another option, is none; RangeError when the scope's prefixes are
 *   too many or too long, or a number is none
 */
export async function replicate(db: Database, options: ReplicateOptions = {}): Promise<Replication> {
  const replica = replicaOf(db)
  acceptOptions(options)
  if (running.has(replica)) throw new ReplicationRunningError(replica.id)
  const settings = settingsWith(replica.settings(), options)
  running.add(replica)
  let merger: ConflictMerger | undefined
  const onClosed = async () => {
    await merger?.close()
    running.delete(replica)
  }
  try {
    const replicator = await Replicator.begin(replica, settings, options, onClosed)
    const { onConflict, env = nodeEnv } = options
    if (onConflict === undefined) return replicator
    merger = new ConflictMerger({ db, env, onConflict, onError: replicator.unmerged })
    merger.start()
    return replicator
  } catch (error) {
    running.delete(replica)
    throw error
  }
}
