/**
 * The stores, each behind the same few calls. `put` and `putBatch` resolve when the store acknowledges;
 * `updateBatch` reads what it replaces; `scan` gives every document; `settle` does what the store wants done once writing is over; `shrink` makes it as small as it gets, and closes it.
 */
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openLevel, openLmdb, openNedb } from './stores-more.mjs'

const require = createRequire(import.meta.url)

async function openMynah(folder) {
  const { open } = await import('@mynah/core')
  const db = await open(folder)
  return {
    put: (reading) => db.put(reading),
    async putBatch(readings) {
      for (const outcome of await db.putMany(readings)) if (!outcome.ok) throw outcome.error
    },
    async updateBatch(docs) {
      const found = await db.getMany(docs.map(({ id }) => id))
      const changed = docs.map((doc, i) => ({ ...doc, rev: found[i].rev }))
      for (const outcome of await db.putMany(changed)) if (!outcome.ok) throw outcome.error
    },
    get: (id) => db.get(id),
    scan: () => db.list(),
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

/** Documents asked of PouchDB at a time: all at once would take them all into memory. */
const SCAN_PAGE = 1_000

function openPouch(folder) {
  const PouchDB = require('pouchdb')
  mkdirSync(folder, { recursive: true })
  const db = new PouchDB(join(folder, 'pouch'))
  return {
    put: (reading) => db.put(toPouch(reading)),
    async putBatch(readings) {
      for (const outcome of await db.bulkDocs(readings.map(toPouch))) if (outcome.error) throw outcome
    },
    async updateBatch(docs) {
      const { rows } = await db.allDocs({ keys: docs.map(({ id }) => id), include_docs: true })
      const changed = docs.map((doc, i) => ({ ...toPouch(doc), _rev: rows[i].doc._rev }))
      for (const outcome of await db.bulkDocs(changed)) if (outcome.error) throw outcome
    },
    get: (id) => db.get(id),
    async *scan() {
      for (let after = {}; ; ) {
        const { rows } = await db.allDocs({ ...after, include_docs: true, limit: SCAN_PAGE })
        for (const { doc } of rows) yield doc
        if (rows.length < SCAN_PAGE) return
        after = { startkey: rows.at(-1).id, skip: 1 }
      }
    },
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
  const update = db.prepare('UPDATE documents SET json = ? WHERE id = ?')
  const all = db.prepare('SELECT json FROM documents ORDER BY id').pluck()
  const insertAll = db.transaction((readings) => {
    for (const reading of readings) insert.run(reading.id, JSON.stringify(reading))
  })
  const updateAll = db.transaction((docs) => {
    for (const doc of docs) {
      JSON.parse(select.get(doc.id))
      update.run(JSON.stringify(doc), doc.id)
    }
  })
  return {
    put: async (reading) => insert.run(reading.id, JSON.stringify(reading)),
    putBatch: async (readings) => insertAll(readings),
    updateBatch: async (docs) => updateAll(docs),
    get: async (id) => JSON.parse(select.get(id)),
    async *scan() {
      for (const json of all.iterate()) yield JSON.parse(json)
    },
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
    updateBatch: async () => undefined,
    get: async () => undefined,
    async *scan() {},
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
  lmdb: {
    title: 'LMDB',
    open: async (f) => openLmdb(f),
    load: async () => require('lmdb'),
    part: () => 'all',
  },
  nedb: { title: 'NeDB', open: openNedb, load: async () => require('@seald-io/nedb'), part: () => 'all' },
  level: { title: 'Level', open: openLevel, load: async () => require('level'), part: () => 'all' },
  nothing: {
    title: 'harness alone',
    open: async () => openNothing(),
    load: async () => undefined,
    part: () => 'all',
  },
}
