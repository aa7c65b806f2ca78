import type { Database } from '../../src/index.js'
import { type BodySource, type LeafRef, type LogRecord, replicaOf } from '../../src/replica.js'

/** What replication would ask a mirror, asked of a database in this process. */
export class MirrorSource implements BodySource {
  readonly mirror: Database
  /** Leaves that were fetched. */
  fetched = 0
  /** Leaves that were to be confirmed. */
  asked = 0
  /** Runs before an answer is given. */
  meanwhile: () => Promise<unknown> = async () => undefined

  constructor(mirror: Database) {
    this.mirror = mirror
  }

  async fetch(leaves: readonly LeafRef[]): Promise<readonly LogRecord[]> {
    this.fetched += leaves.length
    return replicaOf(this.mirror).bodies(leaves, { whole: true })
  }

  async fetchDocument(id: string): Promise<readonly LogRecord[]> {
    return replicaOf(this.mirror).leaves(id)
  }

  async confirm(leaves: readonly LeafRef[]): Promise<readonly boolean[]> {
    this.asked += leaves.length
    const { mode, held } = await replicaOf(this.mirror).held(leaves)
    await this.meanwhile()
    return held.map((one) => one && mode === 'mirror')
  }

  covers(): boolean {
    return true
  }

  asOf(): Date {
    return new Date(7)
  }
}

/** All that one database knows and holds, told to another. */
export async function tellAll(from: Database, to: Database, options: { bodies: boolean }): Promise<void> {
  const { records } = await replicaOf(from).feed({ since: 0, whole: true, bytes: 2 ** 40, ...options })
  if (records.length > 0) await replicaOf(to).merge(records, { whole: true })
}
