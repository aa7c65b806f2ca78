// The entry of `npm run bench:scope -- [documents]`: what a feed of a part of the ids costs beside the whole feed. After a build.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from '../packages/core/dist/index.js'
import { replicaOf } from '../packages/core/dist/replica.js'

const documents = Number(process.argv[2] ?? 200_000)
const BATCH = 10_000
const folder = await mkdtemp(join(tmpdir(), 'mynah-scope-'))
const db = await open(join(folder, 'db'), { mode: 'mirror' })

/** One in a hundred is in the part; they lie all over the log. */
const docOf = (n, value = n) => ({ id: `site-${n % 100}/${n}`, value, at: new Date(1_700_000_000_000 + n) })
for (let n = 0; n < documents; n += BATCH)
  await db.putMany(Array.from({ length: BATCH }, (_, i) => docOf(n + i)))
await db.seal()
const replica = replicaOf(db)
const prefixes = ['site-7/']

async function feed(what, options) {
  const begun = performance.now()
  let next = { since: options.since }
  let told = 0
  for (let page; page === undefined || page.more; ) {
    page = await replica.feed({ bodies: false, ...options, ...next })
    told += page.records.length
    const { position, after } = page
    next =
      after === undefined
        ? { since: position.seq }
        : { since: next.since, resume: { until: position.seq, after } }
  }
  console.log(`${what}: ${told} records, ${(performance.now() - begun).toFixed(1)} ms`)
}

await feed(`all of ${documents}`, { since: 0 })
await feed('the part, cold', { since: 0, prefixes })
await feed('the part again', { since: 0, prefixes })
const { seq } = replica.position()
await db.putMany(
  Array.from({ length: BATCH }, (_, i) => docOf(i, -1)).filter(({ id }) => !id.startsWith('site-7/')),
  { overwrite: true },
)
await feed('what others wrote, by the whole feed', { since: seq })
await feed('nothing changed in the part', { since: seq, prefixes })
await db.put(docOf(7, -1), { overwrite: true })
await feed('one document of the part changed', { since: seq, prefixes })
await db.close()
await rm(folder, { recursive: true })
