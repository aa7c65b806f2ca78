import { MemoryDisk } from './memory-disk.js'
import type { Storage } from './storage.js'

/** Files in RAM, gone with the object: a `MemoryDisk` to which nothing happens. */
export function memoryStorage(): Storage {
  return new MemoryDisk().storage()
}
