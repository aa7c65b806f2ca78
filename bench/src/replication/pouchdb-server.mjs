/** A PouchDB server with its data in a folder: the least of express-pouchdb that PouchDB replicates with. */
import express from 'express'
import expressPouchdb from 'express-pouchdb'
import PouchDB from 'pouchdb'

const [folder, port, name] = process.argv.slice(2)
const Local = PouchDB.defaults({ prefix: `${folder}/` })
const db = new Local(name)
await db.info()
const app = express()
app.get('/health', (_request, response) => response.end())
app.use('/', expressPouchdb(Local, { mode: 'minimumForPouchDB', inMemoryConfig: true }))
app.listen(Number(port), '127.0.0.1')
