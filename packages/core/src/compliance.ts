export type { ComplianceCheck } from './compliance/check.js'
export { type DocumentsSubject, documentsCompliance } from './compliance/documents.js'
export { type PowerCutSubject, powerCutCompliance } from './compliance/power-cut.js'
export { type ReplicaSubject, replicaCompliance } from './compliance/replica.js'
export { type StorageSubject, storageCompliance } from './compliance/storage.js'
export {
  type DiskDamage,
  type DiskFault,
  type DiskOperation,
  MemoryDisk,
  type MemoryDiskOptions,
  type RandomSource,
} from './storage/memory-disk.js'
