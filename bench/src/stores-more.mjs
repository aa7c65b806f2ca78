/** LMDB, NeDB and plain Level behind the same calls as the others: see `stores.mjs`. */
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(import.meta.url)

/** A write is awaited until it is fsynced: `flushed`. */
export function openLmdb(folder) {
  const { open } = require('lmdb')
  mkdirSync(folder, { recursive: true })
  const db = open({ path: join(folder, 'documents.lmdb') })
  const putBatch = async (docs) => {
    for (const doc of docs) db.put(doc.id, doc)
    await db.flushed
  }
  return {
    put: async (doc) => {
      await db.put(doc.id, doc)
      await db.flushed
    },
    putBatch,
    async updateBatch(docs) {
      for (const doc of docs) if (db.get(doc.id) === undefined) throw new Error(`${doc.id} is missing`)
      await putBatch(docs)
    },
    get: async (id) => db.get(id),
    async *scan() {
      for (const { value } of db.getRange()) yield value
    },
    count: async () => db.getCount(),
    settle: async () => db.flushed,
    shrink: () => db.close(),
    close: () => db.close(),
  }
}

const toNedb = ({ id, ...members }) => ({ _id: id, ...members })

/** It keeps all documents in memory, appends to a file, and fsyncs only when it compacts that. */
export async function openNedb(folder) {
  const Datastore = require('@seald-io/nedb')
  mkdirSync(folder, { recursive: true })
  const db = new Datastore({ filename: join(folder, 'documents.nedb') })
  await db.loadDatabaseAsync()
  return {
    put: (doc) => db.insertAsync(toNedb(doc)),
    putBatch: (docs) => db.insertAsync(docs.map(toNedb)),
    async updateBatch(docs) {
      const done = await Promise.all(docs.map((doc) => db.updateAsync({ _id: doc.id }, toNedb(doc))))
      if (done.some(({ numAffected }) => numAffected !== 1)) throw new Error('a document is missing')
    },
    get: (id) => db.findOneAsync({ _id: id }),
    async *scan() {
      yield* await db.findAsync({})
    },
    count: () => db.countAsync({}),
    settle: async () => undefined,
    shrink: () => db.compactDatafileAsync(),
    close: async () => undefined,
  }
}

/** JSON by id; each batch with `sync`. */
export async function openLevel(folder) {
  const { Level } = require('level')
  mkdirSync(folder, { recursive: true })
  const db = new Level(join(folder, 'level'), { valueEncoding: 'json' })
  await db.open()
  const putBatch = (docs) =>
    db.batch(
      docs.map((doc) => ({ type: 'put', key: doc.id, value: doc })),
      { sync: true },
    )
  return {
    put: (doc) => db.put(doc.id, doc, { sync: true }),
    putBatch,
    async updateBatch(docs) {
      const found = await db.getMany(docs.map(({ id }) => id))
      if (found.includes(undefined)) throw new Error('a document is missing')
      await putBatch(docs)
    },
    get: (id) => db.get(id),
    scan: () => db.values(),
    async count() {
      let count = 0
      for await (const _ of db.keys()) count++
      return count
    },
    settle: async () => undefined,
    async shrink() {
      await db.compactRange('\x00', '\uffff')
      await db.close()
    },
    close: () => db.close(),
  }
}
