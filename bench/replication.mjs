// The entry of `npm run bench:replication`: what copying, pushing and following cost, beside PouchDB.
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setUp } from '../scripts/set-up.mjs'
import { install } from './src/install.mjs'

const help = `What copying, pushing and following cost, beside PouchDB with a PouchDB server.

  npm run bench:replication -- [options]

  --documents N   readings to copy and to push (100000)
  --writes N      readings put one by one while another replica follows (220, of which 20 to warm up)
  --rounds N      times that all is measured, the two in turns; figures are medians (3)
  --only NAMES    only these, by comma: copy, push, live, mynah, pouchdb
  --seed N        of the readings (1)
  --data DIR      where the databases are made, and removed again (bench)
  --help          this

Server and replicas are processes of their own, on loopback. Takes some five minutes. Prints markdown.`

const measurements = ['copy', 'push', 'live']
const systems = ['mynah', 'pouchdb']

function positiveInteger(name, text, least = 1) {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least)
    throw new RangeError(`--${name} takes a whole number from ${least}`)
  return value
}

async function main(args) {
  const { values } = parseArgs({
    args,
    options: {
      documents: { type: 'string', default: '100000' },
      writes: { type: 'string', default: '220' },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
      seed: { type: 'string', default: '1' },
      data: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(`${help}\n`)
    return
  }
  const only = values.only.split(',').filter((name) => name !== '')
  const unknown = only.find((name) => ![...measurements, ...systems].includes(name))
  if (unknown !== undefined) throw new RangeError(`--only takes no ${unknown}`)
  const chosen = (names) =>
    names.some((name) => only.includes(name)) ? names.filter((name) => only.includes(name)) : names
  const options = {
    documents: positiveInteger('documents', values.documents),
    writes: positiveInteger('writes', values.writes, 21),
    rounds: positiveInteger('rounds', values.rounds),
    seed: positiveInteger('seed', values.seed),
    measurements: chosen(measurements),
    systems: chosen(systems),
  }
  await setUp({ tools: false })
  await install()
  const parent = mkdtempSync(
    path.join(path.resolve(values.data ?? fileURLToPath(new URL('.', import.meta.url))), 'replication-'),
  )
  process.once('exit', () => rmSync(parent, { recursive: true, force: true }))
  // Loaded only now: what it imports has just been installed and compiled.
  const { measureReplication } = await import('./src/replication/main.mjs')
  await measureReplication({ ...options, parent })
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error instanceof Error && error.shown ? error.message : (error.stack ?? error)}\n`)
  process.exitCode = 1
})
