// Writes the database that later versions must open: node scripts/make-fixture-database.mjs FOLDER
// A new format gets a new folder beside the old ones, which are never changed.
import { rm } from 'node:fs/promises'
import { open } from '../packages/core/dist/index.js'
import { replicaOf } from '../packages/core/dist/replica.js'

const folder = process.argv[2]
if (folder === undefined) throw new Error('usage: node scripts/make-fixture-database.mjs FOLDER')

const hash = (await import('../packages/core/dist/document/revision.js')).bodyHash
const other = await open(':memory:')
const db = await open(folder, { mode: 'mirror', shardBytes: 2_000 })

const values = {
  id: 'values',
  nothing: null,
  yes: true,
  text: 'ä😀',
  big: 2n ** 70n,
  at: new Date(1_763_683_200_000),
}
await db.put({ ...values, bytes: Uint8Array.of(0, 255), list: [1, 2.5, [{ deep: -1e300 }]], empty: {} })
await db.put(JSON.parse('{"id":"names","__proto__":{"a":1},"constructor":2,"":3}'))
const readings = Array.from({ length: 60 }, (_, i) => ({ id: `reading/${i}`, t: 20 + i / 10, n: i }))
await db.putMany(readings)
for (const { id, n } of readings.slice(0, 10)) await db.update(id, (doc) => ({ ...doc, n: n + 100 }))
await db.delete('reading/59')

// A conflict: the same document written in two places.
await db.put({ id: 'conflict', here: 1 })
await other.put({ id: 'conflict', there: 2 })
await replicaOf(db).merge(await replicaOf(other).leaves('conflict'), { whole: true })

// A leaf that is known and not held, and one of another system.
const known = await other.put({ id: 'known', n: 1 })
const { body: _, ...rest } = (await replicaOf(other).leaves('known'))[0]
await replicaOf(db).merge([{ ...rest, kind: 'stub' }], { whole: true })
const body = { from: 'elsewhere' }
const foreign = { ...rest, id: 'foreign', rev: '3-abcXYZ', path: ['2-def', '1-ghi'], kind: 'revision', body }
await replicaOf(db).merge([{ ...foreign, bodyHash: hash(false, body) }], { whole: true })

await db.seal()
await db.putMany(Array.from({ length: 5 }, (_, i) => ({ id: `hot/${i}`, i })))
const { root, seq } = await db.stats()
console.log(JSON.stringify({ id: db.id, seq, root, known: known.rev }))
await db.close()
await other.close()
await rm(`${folder}/lock`, { recursive: true, force: true })
