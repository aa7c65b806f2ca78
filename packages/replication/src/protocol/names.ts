/** The version of the protocol; a side that speaks another is not talked to. */
export const protocolVersion = 1

/** Where things are on a mirror, as patterns of a router. */
export const routes = {
  root: '/v1',
  database: '/v1/:db',
  records: '/v1/:db/records',
  live: '/v1/:db/records/live',
  missing: '/v1/:db/records/missing',
  held: '/v1/:db/records/held',
  fetch: '/v1/:db/records/fetch',
  ranges: '/v1/:db/ranges',
  owed: '/v1/:db/owed',
  shards: '/v1/:db/shards',
  collection: '/v1/:db/docs',
  documents: '/v1/:db/docs/*',
  changes: '/v1/:db/changes',
  conflicts: '/v1/:db/conflicts',
  history: '/v1/:db/history/*',
  stats: '/v1/:db/stats',
  verify: '/v1/:db/verify',
  compact: '/v1/:db/compact',
  keys: '/kv',
  key: '/kv/*',
  health: '/health',
  ready: '/ready',
  metrics: '/metrics',
  openapi: '/openapi.json',
} as const

/** What follows a database's address (`http://host:8800/v1/sensors`) in each request. */
export const subpaths = {
  database: '',
  records: '/records',
  live: '/records/live',
  missing: '/records/missing',
  held: '/records/held',
  fetch: '/records/fetch',
  ranges: '/ranges',
  owed: '/owed',
  shards: '/shards',
} as const

/** The types of what travels. */
export const mediaTypes = {
  shard: 'application/vnd.mynah.shard',
  /** Several shards, as `encodeShards` puts them together. */
  shards: 'application/vnd.mynah.shards',
  message: 'application/msgpack',
  json: 'application/json',
  /** A line of JSON each. */
  lines: 'application/x-ndjson',
  events: 'text/event-stream',
} as const

/** Headers of the protocol, as Node and undici spell them. */
export const headers = {
  /** On a push: the id of the database that sends. */
  database: 'mynah-database',
  /** As position text: on a page of records what it covers up to, on other answers that tell what is known when. */
  position: 'mynah-position',
  /** On a page of records: `1` when there was more at the time, else `0`. */
  more: 'mynah-more',
  /** On a page of records that ended within a part of the ids: its last id, as in an address (`encodeURIComponent`). */
  after: 'mynah-after',
  /**
   * On a page of records, where it is past what the page covers: the newest place, as position text, taken after all that
   * the page tells was found.
   */
  newest: 'mynah-newest',
  /** On each request, as `requestChecksum` gives it, and each answer that is no error, as `answerChecksum` does. */
  checksum: 'mynah-checksum',
} as const

/** Codes that are not an error's of this package, but an answer for one record of a push. */
export const recordCodes = {
  /** Its path ends at a revision unknown to the mirror: send it again with `whole=1`. */
  detached: 'MYNAH_DETACHED',
} as const

/** Every bound of what travels, in one table. */
export const wireLimits = {
  /** Bytes of a request's body that is a shard. */
  requestBytes: 16 * 1024 * 1024,
  /** Bytes of an answer that is a shard. */
  shardBytes: 64 * 1024 * 1024,
  /** Bytes of any other body, of a request or an answer. */
  messageBytes: 4 * 1024 * 1024,
  /** Records in one push. */
  batchRecords: 4_096,
  /** Raw bytes after which a page of records ends, unless `bytes` says otherwise. */
  pageBytes: 1024 * 1024,
  /** The most that `bytes` may ask for. */
  pageBytesMax: 8 * 1024 * 1024,
  /** Leaves in one question of `records/missing`. */
  missingLeaves: 10_000,
  /** Leaves in one question of `records/held`. */
  heldLeaves: 1_000,
  /** Leaves or documents in one request of `records/fetch`. */
  fetchLeaves: 1_000,
  /** Ranges in one question of `ranges`. */
  ranges: 512,
  /** Ids and borders in one answer about ranges. */
  rangeTexts: 16_384,
  /** Bytes of a sum, or a fingerprint, in one. */
  printBytes: 16,
  /** Leaves in one answer of `owed`; more where one document has many. */
  owedLeaves: 1_000,
  /** Addresses of other mirrors that one names. */
  mirrors: 16,
  /** Bytes of shards, and records in them, after which an answer of `shards` ends; one shard at least. */
  copyBytes: 4 * 1024 * 1024,
  copyRecords: 8_192,
  /** Shards in one. */
  copyShards: 8_192,
  /** Bytes of the blocks of all shards in one push of shards, which has at most `copyRecords` and `requestBytes`. */
  pushedRawBytes: 64 * 1024 * 1024,
  /** Positions in one `holds`. */
  holds: 16,
  /** Prefixes of one pull, and as many that it leaves out. */
  prefixes: 100,
  /** Documents in one page of a list, or lines of one write. */
  documents: 10_000,
  /** Raw bytes of documents after which a page of a list ends. */
  listBytes: 1024 * 1024,
  /** Characters of a code, a reason or an error's message. */
  textCharacters: 1_000,
  /** Bytes of one line of the live stream. */
  liveLineBytes: 1_024,
  /** A mirror sends an empty line on a live stream this often, milliseconds. */
  heartbeatMs: 15_000,
  /** A live stream without a byte for so long is dead, milliseconds. */
  silenceMs: 45_000,
} as const

/** What a database may be called on a mirror: `[a-z0-9][a-z0-9_.-]{0,127}`. */
export function isDatabaseName(name: string): boolean {
  return /^[a-z0-9][a-z0-9_.-]{0,127}$/.test(name)
}
