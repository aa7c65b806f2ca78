/** All bytes are those of files and payloads, counted. */
export interface LogStats {
  readonly hotRecords: number
  /** Of records that are not sealed yet, in RAM: about as many as they take as JSON. */
  readonly hotBytes: number
  readonly sealedRecords: number
  /** Of the shards. */
  readonly sealedBytes: number
  /** Of the shards' blocks before compression. */
  readonly rawBytes: number
  /** Of all hot files and segments. */
  readonly diskBytes: number
  readonly segments: number
  readonly shards: number
  readonly lostRecords: number
  /** Groups that were appended since the database was opened, and how long that took together, with their fsyncs, milliseconds. */
  readonly commits: number
  readonly commitMs: number
  /** Batches of shards that were sealed since, and how long that took together, milliseconds. */
  readonly seals: number
  readonly sealMs: number
  /** Of decoded shards in RAM. */
  readonly cacheBytes: number
  readonly cacheHits: number
  readonly cacheMisses: number
}
