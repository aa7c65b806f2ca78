// The entry of `npm run bench:conflicts`: what a document with many conflicts costs, and finding one among many.
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { setUp } from '../scripts/set-up.mjs'

const help = `What a document with many conflicts costs, and finding one among many documents. In RAM.

  npm run bench:conflicts -- [options]

  --leaves N      edits of one document that know nothing of each other (1000)
  --documents N   among which conflicts() looks (100000)
  --help          this`

const { values } = parseArgs({
  options: {
    leaves: { type: 'string', default: '1000' },
    documents: { type: 'string', default: '100000' },
    help: { type: 'boolean', short: 'h' },
  },
})

const write = (text) => process.stdout.write(`${text}\n`)

async function timed(name, run) {
  const began = performance.now()
  await run()
  write(`| ${name} | ${(performance.now() - began).toFixed(1)} |`)
}

async function countConflicts(db) {
  let count = 0
  for await (const _ of db.conflicts()) count += 1
  return count
}

/** Edits of one revision, as other replicas would send them. */
async function edits(db, count, { deriveRev }) {
  let base = await db.put({ id: 'x', n: -1 })
  for (let n = 0; n < 20; n++) base = await db.put({ ...base, n: -n })
  return Array.from({ length: count }, (_, n) => ({
    kind: 'revision',
    id: 'x',
    rev: deriveRev(base.rev, false, { n }),
    path: [base.rev],
    deleted: false,
    at: 1,
    origin: 'a'.repeat(32),
    supplies: false,
    continues: false,
    body: { n },
  }))
}

async function oneDocument(core, leaves) {
  for (const atOnce of [true, false]) {
    const db = await core.open(':memory:')
    const records = await edits(db, leaves, core)
    const replica = core.replicaOf(db)
    const how = atOnce ? 'in one merge' : 'a merge and a commit each'
    await timed(`merge ${leaves} leaves, ${how}`, async () => {
      if (atOnce) await replica.merge(records)
      else for (const record of records) await replica.merge([record])
    })
    await timed('resolve them', () => db.resolve('x', (conflict) => ({ n: conflict.leaves.length })))
    await db.close()
  }
}

async function amongMany({ open, replicaOf }, documents) {
  const [db, other] = [await open(':memory:'), await open(':memory:')]
  for (let start = 0; start < documents; start += 1_000) {
    const batch = Array.from({ length: Math.min(1_000, documents - start) }, (_, n) => ({
      id: `d${start + n}`,
      n,
    }))
    await db.putMany(batch)
  }
  await timed(`conflicts() among ${documents}, of none`, () => countConflicts(db))
  await other.put({ id: 'd0', other: true })
  await replicaOf(db).merge(await replicaOf(other).leaves('d0'), { whole: true })
  await timed(`conflicts() among ${documents}, of one`, () => countConflicts(db))
  await Promise.all([db.close(), other.close()])
}

async function main() {
  const [leaves, documents] = [Number(values.leaves), Number(values.documents)]
  if (!Number.isInteger(leaves) || leaves < 2 || !Number.isInteger(documents) || documents < 1)
    throw new Error('--leaves is a whole number from 2, --documents one from 1')
  await setUp({ tools: false })
  const core = {
    ...(await import('../packages/core/dist/index.js')),
    ...(await import('../packages/core/dist/replica.js')),
    ...(await import('../packages/core/dist/document/revision.js')),
  }
  write('| | ms |\n| --- | ---: |')
  await oneDocument(core, leaves)
  await amongMany(core, documents)
}

if (values.help) write(help)
else await main()
