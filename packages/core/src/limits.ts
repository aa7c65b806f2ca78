/**
 * Every bound of the format and of what is accepted, in one table. Those marked (format) are the same everywhere
 * and for ever: two replicas that disagreed on one would diverge.
 */
export const limits = {
  /** UTF-8 bytes of an id. (format) */
  idBytes: 1_024,
  /** Levels of arrays and objects in a document, itself included. (format) */
  depth: 100,
  /** Generation of a revision; a child of the highest keeps it. (format) */
  generation: 0xffff_ffff,
  /** Characters of a foreign revision's digest. (format) */
  foreignDigestCharacters: 128,
  /** Ancestors kept and sent of a leaf. (format) */
  ancestors: 1_000,
  /** Canonical bytes of a document's body. */
  bodyBytes: 8 * 1024 * 1024,
  /** Bytes of a block of records before compression: of a shard, a group in the hot log, a batch on the wire. */
  blockBytes: 64 * 1024 * 1024,
  /** Records in one block. */
  blockRecords: 65_536,
  /** Live leaves of one document that a local put or a peer's push may create. */
  liveLeaves: 1_000,
  /** Records of one transaction: as many as one push takes. */
  transactionRecords: 4_096,
  /** Bytes of the bodies of a transaction of several records, about as many as they take as JSON: what one push takes. */
  transactionBytes: 4 * 1024 * 1024,
  /** Pinned ids: all of them are in RAM. */
  pins: 250_000,
  /** Incarnations remembered. */
  incarnations: 1_000,
} as const
