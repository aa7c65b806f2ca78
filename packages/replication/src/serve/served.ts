import type { Database, Env } from '@mynah/core'
import type { Replica } from '@mynah/core/replica'
import type { Query } from '../protocol/query.js'
import type { TransportAnswer } from '../transport/transport.js'

/** What the protocol asks of a replica. Whatever is added here, `LimitedReplica` must limit or refuse. */
export type ServedReplica = Pick<
  Replica,
  | 'id'
  | 'mode'
  | 'position'
  | 'holds'
  | 'feed'
  | 'sum'
  | 'parts'
  | 'prints'
  | 'missing'
  | 'held'
  | 'bodies'
  | 'leaves'
  | 'owed'
  | 'owedCount'
  | 'merge'
  | 'shards'
  | 'takeShards'
  | 'onCommit'
>

/** A database that a mirror serves, as the one who asks reaches it. */
export interface Served {
  readonly name: string
  readonly database: Pick<Database, 'count'>
  readonly replica: ServedReplica
  /** The ids that are within reach, where these are not all: those that begin with one of the prefixes. */
  readonly prefixes?: readonly string[]
  /** Addresses of other mirrors of the database, to be named to who asks; none without. */
  readonly mirrors?: readonly string[]
}

/** The databases of a mirror, by name. */
export interface ServedDatabases {
  names(): Promise<readonly string[]>
  /** @throws DatabaseUnknownError, DatabaseNameInvalidError */
  get(name: string): Promise<Served>
  /** The one that is there, or a new one. @throws DatabaseNameInvalidError */
  create(name: string): Promise<{ readonly opened: Served; readonly created: boolean }>
}

/** What an answer depends on, of a request whose route is known. */
export interface RequestParts {
  /** `db` is the database's name, decoded. */
  readonly params: { readonly db: string }
  readonly query: Query
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body?: unknown
}

/**
 * What is left to do for a request that was read and is well-formed: answers it from the database. Rejects with what
 * `failureOf` makes an answer of.
 */
export type Answer = (served: Served, env: Env) => Promise<TransportAnswer>

/** Reads a request and gives what answers it, before any database is looked for. @throws MessageInvalidError */
export type ReadRequest = (parts: RequestParts) => Answer
