/** The two that are measured, each with the same few words. What a replica does is done as its documentation tells. */
import path from 'node:path'
import { open } from '../../../packages/core/dist/index.js'
import { replicate } from '../../../packages/replication/dist/index.js'

const cli = new URL('../../../packages/mirror-server/dist/cli.js', import.meta.url)
const pouchServer = new URL('pouchdb-server.mjs', import.meta.url)

/** The one database that a server has. */
const NAME = 'readings'

function failedOf(outcomes) {
  return outcomes.find((outcome) => outcome.error)
}

async function once(db, options, url) {
  const replication = await replicate(db, { mirrors: [url], live: false, ...options })
  await replication.sync()
  await replication.close()
}

const mynah = {
  title: 'Mynah',
  urlOf: (port) => `http://127.0.0.1:${port}/v1/${NAME}`,
  server: (folder, port) => [cli, 'serve', '--data', folder, '--port', String(port), '--create', NAME],
  /** Where the server keeps the database. */
  databaseIn: (folder) => path.join(folder, NAME),
  open: (folder) => open(folder),
  async insert(db, readings) {
    const failed = failedOf(await db.putMany(readings))
    if (failed) throw failed.error
  },
  put: (db, reading) => db.put(reading),
  settle: (db) => db.seal(),
  count: (db) => db.count(),
  close: (db) => db.close(),
  pull: (db, url) => once(db, { hold: 'all' }, url),
  push: (db, url) => once(db, { scope: { prefixes: [] } }, url),
  /** Resolves when both ways are up to date and followed. */
  async follow(db, url) {
    const replication = await replicate(db, { mirrors: [url], hold: 'all' })
    await replication.sync()
  },
  async onChange(db, tell) {
    for await (const { id } of db.changes({ since: 'now', live: true })) tell(id)
  },
}

const pouchdb = {
  title: 'PouchDB',
  urlOf: (port) => `http://127.0.0.1:${port}/${NAME}`,
  server: (folder, port) => [pouchServer, folder, String(port), NAME],
  databaseIn: (folder) => path.join(folder, NAME),
  async open(folder) {
    const { default: PouchDB } = await import('pouchdb')
    const db = new PouchDB(folder)
    await db.info()
    return db
  },
  async insert(db, readings) {
    const failed = failedOf(await db.bulkDocs(readings.map(({ id, ...body }) => ({ _id: id, ...body }))))
    if (failed) throw new Error(failed.reason ?? failed.message)
  },
  put: (db, { id, ...body }) => db.put({ _id: id, ...body }),
  settle: async () => undefined,
  count: async (db) => (await db.info()).doc_count,
  close: (db) => db.close(),
  async pull(db, url) {
    await db.replicate.from(url)
  },
  async push(db, url) {
    await db.replicate.to(url)
  },
  follow(db, url) {
    const sync = db.sync(url, { live: true, retry: true })
    return new Promise((resolve, reject) => sync.once('paused', resolve).once('error', reject))
  },
  async onChange(db, tell) {
    db.changes({ since: 'now', live: true }).on('change', ({ id }) => tell(id))
  },
}

export const systems = { mynah, pouchdb }
