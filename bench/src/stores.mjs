/**
 * The stores, each behind the same few calls. `put` and `putBatch` resolve when the store acknowledges;
 * `settle` does what the store wants done once writing is over; `shrink` makes it as small as it gets, and closes it.
 */
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'

const require = createRequire(import.meta.url)

async function openMynah(folder) {
  const { open } = await import('@mynah/core')
  const db = await open(folder)
  return {
    put: (reading) => db.put(reading),
    async putBatch(readings) {
      for (const outcome of await db.putMany(readings)) if (!outcome.ok) throw outcome.error
    },
    get: (id) => db.get(id),
    count: () => db.count(),
    settle: () => db.seal(),
    shrink: () => db.close(),
    close: () => db.close(),
  }
}

const toPouch = ({ id, ...members }) => ({ _id: id, ...members })

/** PouchDB's compaction drops old revisions only, and leaves the Level below larger; this is what Level itself can do. */
async function compactLevel(folder) {
  const db = require('leveldown')(folder)
  await promisify(db.open).call(db, { createIfMissing: false })
  await promisify(db.compactRange).call(db, '\x00', '\xff\xff')
  await promisify(db.close).call(db)
}

function openPouch(folder) {
  const PouchDB = require('pouchdb')
  mkdirSync(folder, { recursive: true })
  const db = new PouchDB(join(folder, 'pouch'))
  return {
    put: (reading) => db.put(toPouch(reading)),
    async putBatch(readings) {
      for (const outcome of await db.bulkDocs(readings.map(toPouch))) if (outcome.error) throw outcome
    },
    get: (id) => db.get(id),
    count: async () => (await db.info()).doc_count,
    settle: () => Promise.resolve(),
    async shrink() {
      await db.compact()
      await db.close()
      await compactLevel(join(folder, 'pouch'))
    },
    close: () => db.close(),
  }
}

function openSqlite(folder) {
  const Database = require('better-sqlite3')
  mkdirSync(folder, { recursive: true })
  const db = new Database(join(folder, 'readings.sqlite'))
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec('CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID')
  const insert = db.prepare('INSERT INTO documents (id, json) VALUES (?, ?)')
  const select = db.prepare('SELECT json FROM documents WHERE id = ?').pluck()
  const count = db.prepare('SELECT count(*) FROM documents').pluck()
  const insertAll = db.transaction((readings) => {
    for (const reading of readings) insert.run(reading.id, JSON.stringify(reading))
  })
  return {
    put: async (reading) => insert.run(reading.id, JSON.stringify(reading)),
    putBatch: async (readings) => insertAll(readings),
    get: async (id) => JSON.parse(select.get(id)),
    count: async () => count.get(),
    settle: async () => db.pragma('wal_checkpoint(TRUNCATE)'),
    shrink: async () => db.exec('VACUUM').close(),
    close: async () => db.close(),
  }
}

/** Keeps nothing: what the harness itself costs. */
function openNothing() {
  let count = 0
  return {
    put: async () => count++,
    putBatch: async (readings) => {
      count += readings.length
    },
    get: async () => undefined,
    count: async () => count,
    settle: async () => undefined,
    shrink: async () => undefined,
    close: async () => undefined,
  }
}

/** Where a file of the store belongs in the account of bytes on disk. */
const mynahPart = (path) => (path.includes('index') ? 'index' : 'log')

export const stores = {
  mynah: { title: 'Mynah', open: openMynah, load: () => import('@mynah/core'), part: mynahPart },
  pouchdb: {
    title: 'PouchDB',
    open: async (f) => openPouch(f),
    load: async () => require('pouchdb'),
    part: () => 'all',
  },
  sqlite: {
    title: 'SQLite',
    open: async (f) => openSqlite(f),
    // The package loads its binary only when a database is made.
    load: async () => new (require('better-sqlite3'))(':memory:').close(),
    part: () => 'all',
  },
  nothing: {
    title: 'harness alone',
    open: async () => openNothing(),
    load: async () => undefined,
    part: () => 'all',
  },
}
