// Writes batches to a LevelDB, as an index does, until it is killed or done, and tells of each that is durable.
// Batch n sets some of the keys and `root`, all to texts that follow from n.
import { writeSync } from 'node:fs'
import { Level } from 'level'
import { batchOf } from './content.mjs'

const [folder, first, count, writeBufferSize] = process.argv.slice(2)
const level = new Level(folder, { writeBufferSize: Number(writeBufferSize) })
await level.open()
for (let n = Number(first); n < Number(first) + Number(count); n++) {
  await level.batch(batchOf(n), { sync: true })
  writeSync(1, `${n}\n`)
}
await level.close()
