import {
  type Change,
  type Database,
  type DerivedStore,
  type Document,
  MynahError,
  type Read,
  type Storage,
} from '@mynah/core'
import { type LogRecord, type RangeSum, type Replica, replicaOf } from '@mynah/core/replica'
import { describe, expect, test } from 'vitest'
import type { Parts } from '../src/ground.js'
import { type Profile, profiles } from '../src/profile.js'
import { run } from '../src/run.js'

/** The same object, but for some members. */
function altered<T extends object>(target: T, members: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(target, {
    get(whole, name) {
      if (Object.hasOwn(members, name)) return members[name as keyof T]
      const member: unknown = Reflect.get(whole, name, whole)
      return typeof member === 'function' ? member.bind(whole) : member
    },
  })
}

/** True every so many calls. */
function every(calls: number): () => boolean {
  let count = 0
  return () => ++count % calls === 0
}

function withReplica(db: Database, alter: (replica: Replica) => Partial<Replica>): Database {
  const replica = replicaOf(db)
  return altered(db as Database & { replica: Replica }, { replica: altered(replica, alter(replica)) })
}

function withReads(db: Database, alter: (found: Read) => Read): Database {
  return altered(db, { read: async (...args: Parameters<Database['read']>) => alter(await db.read(...args)) })
}

/** A disk that acknowledges before it syncs. */
function lyingDisk(storage: Storage): Storage {
  return altered(storage, { sync: async () => undefined })
}

/** Bodies that are damaged, and that nobody compares with a checksum. */
function uncheckedBodies(db: Database): Database {
  const now = every(20)
  return withReads(db, (found) => {
    const { doc } = found
    return doc === undefined || !now() ? found : { ...found, doc: { ...doc, at: `${String(doc.at)}?` } }
  })
}

/** A merge that drops what loses, rather than keep it as a conflict. */
function droppedLosers(db: Database): Database {
  return withReplica(db, (replica) => ({
    merge: async (records, options) => {
      const kept: LogRecord[] = []
      for (const record of records) {
        const [winner] = await replica.leaves(record.id)
        const loses = winner !== undefined && !record.path.includes(winner.rev) && record.rev < winner.rev
        if (!loses) kept.push(record)
      }
      const report = await replica.merge(kept, options)
      const outcomes = records.map((record) => {
        const index = kept.indexOf(record)
        return index < 0 ? { result: 'known' as const } : report.outcomes[index]!
      })
      return { ...report, outcomes }
    },
  }))
}

/** A mirror that answers a push before it has taken it, and then does not: the sender's checkpoint moves too early. */
function hastyMirror(db: Database, mode: 'peer' | 'mirror'): Database {
  if (mode === 'peer') return db
  const now = every(3)
  return withReplica(db, (replica) => ({
    merge: async (records, options) => {
      if (options?.from !== 'peer' || !now()) return replica.merge(records, options)
      const position = replica.position()
      return { outcomes: records.map(() => ({ result: 'new' as const })), before: position.seq, position }
    },
  }))
}

/** A cache that now and then gives what it had first. */
function staleReads(db: Database): Database {
  const now = every(10)
  const cache = new Map<string, Document & { readonly id: string; readonly rev: string }>()
  return withReads(db, (found) => {
    if (found.doc === undefined) return found
    const cached = cache.get(found.doc.id)
    if (cached === undefined) cache.set(found.doc.id, found.doc)
    return cached !== undefined && now() ? { ...found, doc: cached } : found
  })
}

/** A feed whose watermark covers a document that it has not brought yet. */
function hastyFeed(db: Database): Database {
  const now = every(10)
  return withReplica(db, (replica) => ({
    feed: async (options) => {
      const page = await replica.feed(options)
      const last = page.records.at(-1)?.id
      return now() ? { ...page, records: page.records.filter(({ id }) => id !== last) } : page
    },
  }))
}

/** An index whose watermark is written before some of its new entries: they come with the next batch, or never. */
function hastyWatermark(level: DerivedStore): DerivedStore {
  const now = every(3)
  let late: readonly (readonly [key: Uint8Array, value: Uint8Array])[] = []
  return altered(level, {
    batch: () => {
      const batch = level.batch()
      const kept: [Uint8Array, Uint8Array][] = []
      const newer = new Set<string>()
      const write = batch.write.bind(batch)
      Object.assign(batch, {
        write: async (options?: object) => {
          // An entry that changed since comes with what it is now, or not at all: never as it was.
          for (const [key, value] of late) if (!newer.has(String(key))) batch.put(key, value)
          await write(options as never)
          late = kept
        },
      })
      const chained: typeof batch = altered(batch, {
        put: (key: Uint8Array, value: Uint8Array) => {
          newer.add(String(key))
          if (key[0] === 1 && level.getSync(key) === undefined && now())
            kept.push([key.slice(), value.slice()])
          else batch.put(key, value)
          return chained
        },
      })
      return chained
    },
  })
}

/** A feed of changes that leaves one out now and then. */
function forgetfulChanges(db: Database): Database {
  const now = every(7)
  return altered(db, {
    changes: async function* (...args: Parameters<Database['changes']>): AsyncGenerator<Change> {
      for await (const change of db.changes(...args)) if (!now()) yield change
    },
  })
}

/** Tombstones that do not travel. */
function keptDocuments(db: Database): Database {
  return withReplica(db, (replica) => ({
    feed: async (options) => {
      const page = await replica.feed(options)
      return options.bodies ? { ...page, records: page.records.filter(({ deleted }) => !deleted) } : page
    },
  }))
}

/** A feed of a part of the ids that passes one over now and then. */
function forgetfulScopes(db: Database, mode: 'peer' | 'mirror'): Database {
  if (mode === 'peer') return db
  const now = every(3)
  return withReplica(db, (replica) => ({
    feed: async (options) => {
      const page = await replica.feed(options)
      const last = page.records.at(-1)?.id
      if (options.prefixes === undefined || last === undefined || !now()) return page
      return { ...page, records: page.records.filter(({ id }) => id !== last) }
    },
  }))
}

/** Sums that say nothing: whoever compares them takes both sides to know the same. */
function emptySums(db: Database): Database {
  const empty = (sum: RangeSum) => ({ ...sum, count: 0, sum: new Uint8Array(32) })
  return withReplica(db, (replica) => ({
    sum: async (range) => empty(await replica.sum(range)),
    sums: async (range, borders) => (await replica.sums(range, borders)).map(empty),
  }))
}

/** A comparison id by id that leaves out one of the own ids now and then. */
function skippedIds(db: Database, mode: 'peer' | 'mirror'): Database {
  if (mode === 'mirror') return db
  const now = every(2)
  return withReplica(db, (replica) => ({
    prints: async (range, most) => {
      const prints = await replica.prints(range, most)
      return now() ? prints.slice(1) : prints
    },
  }))
}

/** Shards that lack the first of them, though they say to cover it. */
function shortCopies(db: Database): Database {
  return withReplica(db, (replica) => ({
    shards: async (options) => {
      const page = await replica.shards(options)
      return { ...page, shards: page.shards.slice(1) }
    },
  }))
}

/** Shards of peers of which the last is acknowledged and not taken. */
function shortPushes(db: Database): Database {
  return withReplica(db, (replica) => ({
    takeShards: (shards, options) =>
      replica.takeShards(options?.from === 'peer' ? shards.slice(0, -1) : shards, options),
  }))
}

/** An index that calls everything current. */
function boastfulReads(db: Database): Database {
  return withReads(db, (found) => ({ ...found, current: true }))
}

/** Many who take a copy: what it lacks others bring in time, so only a few of them show it. */
const growing: Profile = { ...profiles.short, membership: 0.2, many: 1 }

const controls: readonly (readonly [
  name: string,
  parts: () => Partial<Parts>,
  check: RegExp,
  profile?: Profile,
])[] = [
  [
    'acknowledge before the fsync',
    () => ({ storage: lyingDisk }),
    /acknowledged|goes back|opens|vanish|cursor/,
  ],
  ['a checksum that is not verified', () => ({ database: uncheckedBodies }), /only what was written is read/],
  ['a losing leaf that is dropped', () => ({ database: droppedLosers }), /converge|lost/],
  ['a checkpoint that moves too early', () => ({ database: hastyMirror }), /converge|lost/],
  ['a stale read after a newer one', () => ({ database: staleReads }), /never goes back|gives it/],
  ['a watermark before its data', () => ({ database: hastyFeed }), /converge|lost|whole/],
  ['changes that are left out', () => ({ database: forgetfulChanges }), /changes miss nothing/],
  ['deletes that do not travel', () => ({ database: keptDocuments }), /converge|lost|superseded/],
  ['a scope that passes a document over', () => ({ database: forgetfulScopes }), /converge|lost|fetched/],
  ['a reconcile that believes any sum', () => ({ database: emptySums }), /converge|lost|whole/],
  ['a reconcile that skips ids', () => ({ database: skippedIds }), /converge|lost|whole/],
  ['a copy that lacks a shard', () => ({ database: shortCopies }), /converge|lost|whole/, growing],
  ['a push of shards that leaves one out', () => ({ database: shortPushes }), /converge|lost|whole/],
  ['everything called current', () => ({ database: boastfulReads }), /current|vanish/],
]

/** Seeds within which each of them must be found. */
const SEEDS = 24

describe('the checks notice', () => {
  for (const [name, parts, check, profile = profiles.short] of controls) {
    test(name, { timeout: 120_000 }, async () => {
      const found: (string | undefined)[] = []
      for (let seed = 1; seed <= SEEDS && found.length === 0; seed++) {
        const { violation } = await run({ seed, profile, parts: parts() })
        if (violation !== undefined) found.push(violation.message)
      }
      expect(found).toEqual([expect.stringMatching(check)])
    })
  }
})

function isScanCutOff(violation: Error | undefined): boolean {
  const { cause } = violation ?? {}
  return cause instanceof MynahError && cause.code === 'MYNAH_INDEX_CORRUPT'
}

test('an index whose watermark is before its data is noticed by the database, which derives it anew', {
  timeout: 120_000,
}, async () => {
  const locations = new Set<string>()
  const level: Parts['level'] = (store, location) => {
    locations.add(location)
    // The next one is whole: a disk on which no index ever is keeps replication from beginning.
    return location.endsWith('index-1') ? hastyWatermark(store) : store
  }
  for (let seed = 1; seed <= 8; seed++) {
    const { violation } = await run({ seed, profile: profiles.short, parts: { level } })
    // A scan that meets it ends, and may be begun again: that is told too.
    if (!isScanCutOff(violation)) expect(violation).toBeUndefined()
  }
  expect([...locations].filter((location) => !location.endsWith('index-1')).length).toBeGreaterThanOrEqual(1)
})
