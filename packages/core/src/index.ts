export type { Fields, Scalar, Value } from './codec/value.js'
export type { CompactOptions, CompactReport } from './database/compaction.js'
export type { Conflict, ResolveOptions } from './database/conflicts.js'
export type { Database } from './database/database.js'
export type {
  Change,
  ChangesOptions,
  Document,
  Documents,
  Input,
  ListOptions,
  Moment,
  Outcome,
  PutOptions,
  Read,
  ReadOptions,
  Ref,
  Snapshot,
  Storable,
  Stored,
  Version,
} from './database/documents.js'
export { REMOVE } from './database/documents.js'
export { open } from './database/open.js'
export type { OpenOptions } from './database/open-options.js'
export type { Stats } from './database/stats.js'
export type { Transaction, TransactionOptions } from './database/transaction.js'
export type { VerifyFinding, VerifyOptions, VerifyProgress, VerifyReport } from './database/verify.js'
export type { Env, Timer } from './env/env.js'
export { nodeEnv } from './env/node-env.js'
export * from './errors.js'
export type { DerivedStore } from './index/level.js'
export { limits } from './limits.js'
export { memoryStorage } from './storage/memory-storage.js'
export { nodeStorage } from './storage/node-storage.js'
export type { Storage, StorageLock, StoredFile } from './storage/storage.js'
