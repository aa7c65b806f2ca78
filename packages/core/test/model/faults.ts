import type { Database, Document, Outcome, Ref, Storage, Transaction } from '../../src/index.js'
import type { Replica } from '../../src/replica.js'
import { collect } from '../log/support.js'
import { faultless, type Parts } from './machine.js'

/** The same object, but for some members. */
function but<T extends object>(original: T, others: Partial<T>): T {
  return new Proxy(original, {
    get(target, name) {
      const value: unknown = Reflect.get(name in others ? others : target, name)
      return typeof value === 'function' && !(name in others) ? value.bind(target) : value
    },
  })
}

const database = (others: (db: Database) => Partial<Database>): Parts => ({
  ...faultless,
  database: (db) => but(db, others(db)),
})
const replica = (others: (replica: Replica) => Partial<Replica>): Parts => ({
  ...faultless,
  replica: (port) => but(port, others(port)),
})
const storage = (others: (storage: Storage) => Partial<Storage>): Parts => ({
  ...faultless,
  storage: (port) => but(port, others(port)),
})

/** Every third call. */
function third(): () => boolean {
  let calls = 0
  return () => ++calls % 3 === 0
}

/** Its writes are done one by one, as they come. */
function bitByBit(db: Database): Transaction {
  return {
    get: (id) => db.get(id, { freshness: 'local' }),
    getMany: (ids) => db.getMany(ids, { freshness: 'local' }),
    put: (doc, options) => db.put(doc as never, options),
    delete: (target) => db.delete(target),
  }
}

/** Databases that do one thing wrong. The model must find each. */
export const faults: Readonly<Record<string, Parts>> = {
  'a sync that does nothing': storage(() => ({ sync: async () => undefined })),
  'a write that is acknowledged and not made': database((db) => {
    const forgets = third()
    return {
      putMany: async <T extends object>(docs: Iterable<T>, options = {}) => {
        const all = [...docs] as Document[]
        const outcomes = await db.putMany(forgets() ? all.slice(0, -1) : all, options)
        const made = outcomes.length === all.length ? [] : [{ ok: true, doc: all.at(-1) }]
        return [...outcomes, ...made] as Outcome<T>[]
      },
    }
  }),
  'a delete that takes whatever is current': database((db) => ({
    delete: (target: string | Ref) => db.delete(typeof target === 'string' ? target : target.id),
  })),
  'a transaction that is no whole': database((db) => ({
    transaction: async (run) => run(bitByBit(db)),
  })),
  'a list in order of UTF-16': database((db) => ({
    list: async function* (range) {
      const { limit, ...rest } = range ?? {}
      const all = await collect(db.list(rest))
      const sorted = all.sort((a, b) => (a.id < b.id ? -1 : 1) * (range?.reverse ? -1 : 1))
      yield* sorted.slice(0, limit) as never[]
    },
  })),
  'changes that leave out a deletion': database((db) => ({
    changes: async function* (options) {
      for await (const change of db.changes(options)) if (!change.deleted) yield change as never
    },
  })),
  'a merge that drops a losing revision': replica((port) => ({
    merge: async (records, options) => {
      const report = await port.merge(records.slice(0, 1), options)
      const dropped = records.slice(1).map(() => ({ result: 'new' }) as const)
      return { ...report, outcomes: [...report.outcomes, ...dropped] }
    },
  })),
  'an eviction that asks nobody': replica((port) => ({
    useSource: (source) =>
      port.useSource(source && but(source, { confirm: async (leaves) => leaves.map(() => true) })),
  })),
}
