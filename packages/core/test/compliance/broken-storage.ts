import { LockedError } from '../../src/errors.js'
import type { Storage } from '../../src/storage/storage.js'

interface BrokenStorage {
  /** The check that finds it. */
  readonly found: string
  wrap(storage: Storage): Storage
}

/** Storages with one realistic fault each. */
export const brokenStorages: Readonly<Record<string, BrokenStorage>> = {
  'append takes any expected length': {
    found: 'an append to another length than expected is refused and changes nothing',
    wrap: (storage) => ({
      ...forward(storage),
      append: async (name, _, bytes) => {
        const file = (await storage.list()).find((one) => one.name === name)
        return storage.append(name, file?.length ?? 0, bytes)
      },
    }),
  },
  'a refused append leaves its bytes': {
    found: 'an append to another length than expected is refused and changes nothing',
    wrap: (storage) => ({
      ...forward(storage),
      append: async (name, expectedLength, bytes) => {
        const file = (await storage.list()).find((one) => one.name === name)
        if (file) await storage.append(name, file.length, bytes)
        if (file?.length !== expectedLength) return storage.append(name, expectedLength, bytes)
      },
    }),
  },
  'a read past the end is padded with zeros': {
    found: 'a read past the end gives what there is',
    wrap: (storage) => ({
      ...forward(storage),
      read: async (name, offset, length) => {
        const padded = new Uint8Array(length)
        padded.set(await storage.read(name, offset, length))
        return padded
      },
    }),
  },
  'replace writes over the old file and keeps its tail': {
    found: 'replace takes the place of the whole file, and makes one',
    wrap: (storage) => ({
      ...forward(storage),
      replace: async (name, bytes) => {
        const old = await storage.read(name, 0, 2 ** 20).catch(() => new Uint8Array(0))
        const whole = new Uint8Array(Math.max(old.length, bytes.length))
        whole.set(old)
        whole.set(bytes)
        await storage.replace(name, whole)
      },
    }),
  },
  'what is read is not a copy': {
    found: 'bytes handed in and out are copies',
    wrap: (storage) => {
      const cache = new Map<string, Uint8Array>()
      return {
        ...forward(storage),
        read: async (name, offset, length) => {
          const key = `${name} ${offset} ${length}`
          const bytes = cache.get(key) ?? (await storage.read(name, offset, length))
          cache.set(key, bytes)
          return bytes
        },
      }
    },
  },
  'the lock lets everybody in': {
    found: 'the lock is held by one, until it is released',
    wrap: (storage) => ({ ...forward(storage), lock: async () => ({ release: async () => undefined }) }),
  },
  'the lock is never free again': {
    found: 'the lock is held by one, until it is released',
    wrap: (storage) => {
      let taken = false
      return {
        ...forward(storage),
        lock: async () => {
          if (taken) throw new LockedError(storage.location)
          taken = true
          return { release: async () => undefined }
        },
      }
    },
  },
  'list tells no lengths of what grew': {
    found: 'what is appended is read back, in any part, and listed with its length',
    wrap: (storage) => {
      const first = new Map<string, number>()
      return {
        ...forward(storage),
        append: async (name, expectedLength, bytes) => {
          await storage.append(name, expectedLength, bytes)
          if (!first.has(name)) first.set(name, bytes.length)
        },
        list: async () =>
          (await storage.list()).map(({ name, length }) => ({ name, length: first.get(name) ?? length })),
      }
    },
  },
  'a removed file can still be read': {
    found: 'a removed file is gone, removing it again is harmless, and its name can be used',
    wrap: (storage) => {
      const removed = new Map<string, Uint8Array>()
      return {
        ...forward(storage),
        remove: async (name) => {
          removed.set(name, await storage.read(name, 0, 2 ** 20).catch(() => new Uint8Array(0)))
          await storage.remove(name)
        },
        read: (name, offset, length) =>
          storage.read(name, offset, length).catch((error: unknown) => {
            const bytes = removed.get(name)
            if (bytes === undefined) throw error
            return bytes.slice(offset, offset + length)
          }),
      }
    },
  },
  'errors of the medium come through as they are': {
    found: 'a file that is not there can neither be read nor synced',
    wrap: (storage) => {
      const bare = (error: Error): never => {
        throw error.cause
      }
      return {
        ...forward(storage),
        read: (name, offset, length) => storage.read(name, offset, length).catch(bare),
        sync: (name) => storage.sync(name).catch(bare),
      }
    },
  },
}

/** Storages that lie about what is durable. */
export const lyingStorages: Readonly<Record<string, BrokenStorage>> = {
  'sync does nothing': {
    found: 'what was synced is there after a power cut, whatever was appended to it',
    wrap: (storage) => ({ ...forward(storage), sync: async () => undefined }),
  },
  'only the first sync of a file does anything': {
    found: 'every sync counts, not only the first',
    wrap: (storage) => {
      const synced = new Set<string>()
      return {
        ...forward(storage),
        sync: async (name) => {
          if (!synced.has(name)) await storage.sync(name)
          synced.add(name)
        },
      }
    },
  },
  'replace removes, appends and syncs': {
    found: 'a replacement that a power cut meets leaves the old or the new, whole',
    wrap: (storage) => ({
      ...forward(storage),
      replace: async (name, bytes) => {
        await storage.remove(name)
        await storage.append(name, 0, bytes)
        await storage.sync(name)
      },
    }),
  },
  'replace does not wait for the disk': {
    found: 'what replace put there is there after a power cut, whole and alone',
    wrap: (storage) => ({
      ...forward(storage),
      replace: async (name, bytes) => {
        await storage.remove(name)
        await storage.append(name, 0, bytes)
      },
    }),
  },
}

function forward(storage: Storage): Storage {
  return {
    location: storage.location,
    lock: () => storage.lock(),
    list: () => storage.list(),
    append: (name, expectedLength, bytes) => storage.append(name, expectedLength, bytes),
    read: (name, offset, length) => storage.read(name, offset, length),
    sync: (name) => storage.sync(name),
    replace: (name, bytes) => storage.replace(name, bytes),
    remove: (name) => storage.remove(name),
    close: () => storage.close(),
  }
}
