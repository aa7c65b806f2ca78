import { LockedError, StorageError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import { type ComplianceCheck, holds, same } from './check.js'

/** A new, empty place for one check. */
export interface StorageSubject {
  readonly storage: Storage
  /** Closes it and opens the same place again, as after a restart. */
  reopen(): Promise<Storage>
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

/** What the port promises, as checks to be run by any test runner, each on a new place. */
export function storageCompliance(make: () => Promise<StorageSubject>): readonly ComplianceCheck[] {
  const check = (name: string, run: (subject: StorageSubject) => Promise<void>): ComplianceCheck => ({
    name,
    run: async () => {
      const subject = await make()
      const opened = [subject.storage]
      try {
        await run({
          storage: subject.storage,
          reopen: async () => {
            const again = await subject.reopen()
            opened.push(again)
            return again
          },
        })
      } finally {
        await Promise.all(opened.map((storage) => storage.close()))
      }
    },
  })
  return [
    check('a new place is empty', async ({ storage }) => {
      same(await storage.list(), [])
    }),
    check('what is appended is read back, in any part, and listed with its length', async ({ storage }) => {
      await storage.append('a', 0, bytes(1, 2, 3))
      await storage.append('a', 3, bytes(4, 5))
      await storage.append('b.2-x', 0, bytes(9))
      same([...(await storage.read('a', 0, 5))], [1, 2, 3, 4, 5])
      same([...(await storage.read('a', 2, 2))], [3, 4])
      same(
        [...(await storage.list())].sort((x, y) => (x.name < y.name ? -1 : 1)),
        [
          { name: 'a', length: 5 },
          { name: 'b.2-x', length: 1 },
        ],
      )
    }),
    check('a read past the end gives what there is', async ({ storage }) => {
      await storage.append('a', 0, bytes(1, 2, 3))
      same([...(await storage.read('a', 2, 10))], [3])
      same([...(await storage.read('a', 7, 10))], [])
    }),
    check('much is appended, and read back in any part while more is appended', async ({ storage }) => {
      const part = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251)
      for (let i = 0; i < 8; i++) {
        const [, sum] = await Promise.all([
          storage.append('a', i * part.length, part),
          storage.read('a', 0, i * part.length).then(
            (read) => read.length,
            () => 0,
          ),
        ])
        holds(sum === i * part.length, `read ${sum} bytes of the ${i * part.length} that were there before`)
      }
      for (const offset of [0, 299_999, 1_234_567]) {
        const read = await storage.read('a', offset, 300_000)
        same(read.length, 300_000)
        const wrong = read.findIndex((byte, i) => byte !== ((offset + i) % part.length) % 251)
        same(wrong, -1, `byte ${wrong} from ${offset} on`)
      }
    }),
    check('bytes handed in and out are copies', async ({ storage }) => {
      const given = bytes(1, 2)
      await storage.append('a', 0, given)
      await storage.replace('b', given)
      given[0] = 7
      const taken = await storage.read('a', 0, 2)
      same([...taken, ...(await storage.read('b', 0, 2))], [1, 2, 1, 2])
      taken[0] = 8
      same([...(await storage.read('a', 0, 2))], [1, 2])
    }),
    check('an append to another length than expected is refused and changes nothing', async ({ storage }) => {
      await storage.append('a', 0, bytes(1, 2, 3))
      for (const length of [0, 2, 4]) await rejects(storage.append('a', length, bytes(9)), StorageError)
      await rejects(storage.append('none', 1, bytes(9)), StorageError)
      same([...(await storage.read('a', 0, 9))], [1, 2, 3])
      same(
        (await storage.list()).map((file) => file.name),
        ['a'],
      )
      await storage.append('a', 3, bytes(4))
      same([...(await storage.read('a', 0, 9))], [1, 2, 3, 4])
    }),
    check('an empty append makes a file', async ({ storage }) => {
      await storage.append('a', 0, bytes())
      same(await storage.list(), [{ name: 'a', length: 0 }])
      await storage.append('a', 0, bytes(1))
      same([...(await storage.read('a', 0, 9))], [1])
    }),
    check('a file that is not there can neither be read nor synced', async ({ storage }) => {
      await rejects(storage.read('none', 0, 1), StorageError)
      await rejects(storage.sync('none'), StorageError)
      const error: unknown = await storage.read('none', 0, 1).catch((reason: unknown) => reason)
      const told = error instanceof StorageError && error.file.includes('none') && error.operation !== ''
      holds(told, 'the error does not name the file and what was tried')
    }),
    check('replace takes the place of the whole file, and makes one', async ({ storage }) => {
      await storage.replace('a', bytes(1, 2, 3))
      await storage.replace('a', bytes(4))
      same([...(await storage.read('a', 0, 9))], [4])
      await storage.append('a', 1, bytes(5))
      await storage.replace('a', bytes(6))
      same([...(await storage.read('a', 0, 9))], [6])
      same(await storage.list(), [{ name: 'a', length: 1 }])
    }),
    check(
      'a removed file is gone, removing it again is harmless, and its name can be used',
      async ({ storage }) => {
        await storage.append('a', 0, bytes(1, 2))
        await storage.remove('a')
        await storage.remove('a')
        same(await storage.list(), [])
        await rejects(storage.read('a', 0, 1), StorageError)
        await storage.append('a', 0, bytes(3))
        await storage.sync('a')
        same([...(await storage.read('a', 0, 9))], [3])
      },
    ),
    check('all is there after opening again', async ({ storage, reopen }) => {
      await storage.append('a', 0, bytes(1, 2))
      await storage.sync('a')
      await storage.replace('b', bytes(3))
      const again = await reopen()
      same([...(await again.read('a', 0, 9)), ...(await again.read('b', 0, 9))], [1, 2, 3])
      await again.append('a', 2, bytes(4))
      await again.sync('a')
      same([...(await again.read('a', 0, 9))], [1, 2, 4])
    }),
    check(
      'a durable append, where there is one, goes with the others, and is refused as they are',
      async ({ storage, reopen }) => {
        if (storage.appendDurably === undefined) return
        await storage.append('a', 0, bytes(1))
        await storage.sync('a')
        await storage.appendDurably('a', 1, bytes(2, 3))
        for (const length of [0, 2, 4])
          await rejects(storage.appendDurably('a', length, bytes(9)), StorageError)
        await storage.append('a', 3, bytes(4))
        await storage.sync('a')
        await storage.appendDurably('a', 4, bytes(5))
        same([...(await storage.read('a', 0, 9))], [1, 2, 3, 4, 5])
        const again = await reopen()
        await again.appendDurably?.('a', 5, bytes(6))
        await again.appendDurably?.('a', 6, bytes(7))
        same([...(await again.read('a', 0, 9))], [1, 2, 3, 4, 5, 6, 7])
      },
    ),
    check('many files can be in use at once', async ({ storage }) => {
      const names = Array.from({ length: 100 }, (_, index) => `file-${index}`)
      await Promise.all(names.map((name, index) => storage.append(name, 0, bytes(index))))
      await Promise.all(names.map((name) => storage.sync(name)))
      const read = await Promise.all([...names, ...names].map((name) => storage.read(name, 0, 1)))
      same(
        read.map((part) => part[0]),
        [...names.keys(), ...names.keys()],
      )
    }),
    check('the lock is held by one, until it is released', async ({ storage, reopen }) => {
      const lock = await storage.lock()
      await rejects(storage.lock(), LockedError)
      await lock.release()
      await lock.release()
      await (await storage.lock()).release()
      await (await (await reopen()).lock()).release()
    }),
  ]
}

async function rejects(
  result: Promise<unknown>,
  type: typeof StorageError | typeof LockedError,
): Promise<void> {
  const error: unknown = await result.then(
    () => new Error('it resolved'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof type)) throw new Error(`expected ${type.name}`, { cause: error })
}
