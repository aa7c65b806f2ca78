import { createHash } from 'node:crypto'
import { type Database, nodeEnv } from '@mynah/core'
import { decodeRecords, type LogRecord, replicaOf } from '@mynah/core/replica'
import { headers } from '@mynah/replication/protocol'

/** All leaves of each document, the winner first, each with its whole path. */
export type Leaves = ReadonlyMap<string, readonly LogRecord[]>

/** What two replicas that know the same have in common. */
export interface LeafDigest {
  readonly ids: number
  readonly leaves: number
  /** SHA-256, hex, over every id and its leaves. */
  readonly digest: string
}

/** What an open database knows, from its feed. */
export async function leavesOf(db: Database, options: { readonly bodies: boolean }): Promise<Leaves> {
  const replica = replicaOf(db)
  const leaves = new Map<string, readonly LogRecord[]>()
  for (let since = 0, more = true; more; ) {
    const page = await replica.feed({ since, bodies: options.bodies, whole: true, bytes: 4 * 1024 * 1024 })
    gather(leaves, page.records)
    since = page.position.seq
    more = page.more
  }
  return leaves
}

/** What a mirror's database knows, asked over HTTP. */
export async function leavesAt(url: string): Promise<Leaves> {
  const leaves = new Map<string, readonly LogRecord[]>()
  for (let since = '', more = true; more; ) {
    const query = `bodies=0&whole=1&bytes=4194304${since && `&since=${since}`}`
    const answer = await fetch(`${url}/records?${query}`)
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
    const bytes = new Uint8Array(await answer.arrayBuffer())
    if (bytes.length > 0) gather(leaves, await decodeRecords(bytes, nodeEnv))
    since = answer.headers.get(headers.position) ?? ''
    more = answer.headers.get(headers.more) === '1'
  }
  return leaves
}

export function digestOf(leaves: Leaves): LeafDigest {
  const hash = createHash('sha256')
  let count = 0
  for (const [id, records] of [...leaves].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(JSON.stringify([id, ...records.map(({ rev, deleted }) => [rev, deleted])]))
    count += records.length
  }
  return { ids: leaves.size, leaves: count, digest: hash.digest('hex') }
}

/** A page has all leaves of each of its documents, together; a later one of the same document is newer. */
function gather(leaves: Map<string, readonly LogRecord[]>, records: readonly LogRecord[]): void {
  const page = new Map<string, LogRecord[]>()
  for (const record of records) {
    const others = page.get(record.id)
    if (others) others.push(record)
    else page.set(record.id, [record])
  }
  for (const [id, all] of page) leaves.set(id, all)
}
