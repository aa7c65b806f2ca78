export { type ComplianceCheck, type StorageSubject, storageCompliance } from './compliance/storage.js'
export {
  type DiskDamage,
  type DiskFault,
  type DiskOperation,
  MemoryDisk,
  type MemoryDiskOptions,
  type RandomSource,
} from './storage/memory-disk.js'
