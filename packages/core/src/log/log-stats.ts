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
  /** Of decoded shards in RAM. */
  readonly cacheBytes: number
  readonly cacheHits: number
  readonly cacheMisses: number
}
