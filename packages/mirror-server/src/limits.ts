import { limits } from '@mynah/core'

/**
 * Every bound of what this server takes on at a time, in one table. What a single message may hold is the
 * protocol's (`wireLimits`), what a document may hold is core's (`limits`).
 */
export const serverLimits = {
  /** A request's headers must be here by then, milliseconds after the first byte. */
  headersTimeoutMs: 10_000,
  /** A whole request must be here by then, milliseconds. */
  requestTimeoutMs: 60_000,
  /** How often the two above are looked at; Node's own 30 s would make them meaningless. */
  connectionsCheckingIntervalMs: 1_000,
  /** A socket on which nothing moves either way is dropped, milliseconds; above the heartbeat of live streams. */
  socketIdleMs: 120_000,
  /** An idle connection between two requests is kept for so long, milliseconds. */
  keepAliveMs: 72_000,
  /** Open connections. */
  connections: 20_000,
  /** What is in flight at a stop may take so long to finish, milliseconds. */
  stopGraceMs: 8_000,
  /** Bytes of requests' and answers' bodies in memory at a time; beyond, a request is asked to come again. */
  bodyBytesInFlight: 256 * 1024 * 1024,
  /** Shards decoded, merged or encoded at a time; others wait. Each may take `limits.blockBytes` of core's. */
  shardsInWork: 8,
  /** Two lines of one live stream are at least so far apart, milliseconds: what comes between is one line. */
  liveRestMs: 10,
  /** Less than `stalledBytes` in so long, of a body or an answer that is not over, and the connection is dropped. */
  stalledMs: 20_000,
  stalledBytes: 16 * 1024,
  stalledLookMs: 5_000,
  /** Room on the disk that is kept free, unless the mirror is told otherwise. */
  diskReserveBytes: 64 * 1024 * 1024,
  /** Of the memory that there is, and of what Node gives values, so much may be in use. */
  memoryShare: 0.85,
  /** How often it is looked how much is in use, milliseconds. */
  memoryLookMs: 500,
  /** How often it is looked how much room the disk has, milliseconds. */
  diskLookMs: 1_000,
  /** A database that failed to open is not tried again for so long, milliseconds. */
  reopenMs: 5_000,
  /** Databases here, up to which those are made that other mirrors name; more are followed where they are here already. */
  followedDatabases: 1_000,
  /** Wrong tokens from one address in a minute; beyond, they are answered 429. */
  wrongTokensPerMinute: 60,
  /** Bytes of a key's value; the rest of its document is a few bytes, and the longest content type. */
  valueBytes: limits.bodyBytes - 4_096,
  /** Characters of a value's content type. */
  contentTypeCharacters: 256,
  /** Documents in a page of a list, and keys, unless `limit` says otherwise. */
  listedDocuments: 100,
  listedKeys: 1_000,
  /** Values are read to tell how long they are: a page of keys ends after so many bytes of them. */
  listedValueBytes: 16 * 1024 * 1024,
  /** A client that is told to come again should wait so long, seconds. */
  retryAfterS: 1,
} as const
