// The entry of `npm run bench:compact`: what updates leave on the disk, and what compaction makes of it.
import { fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setUp } from '../scripts/set-up.mjs'

const help = `What updates leave on the disk, and what compaction makes of it.

  npm run bench:compact -- [options]

  --documents N   readings to store (100000)
  --updates N     updates of random ones of them, a part of their number (0.2)
  --mixed         the updates between the inserts, not after them
  --seed N        of the readings and of what is updated (1)
  --data DIR      where the databases are made, and removed again (bench)
  --help          this

Each phase is a process of its own. A fresh store holds the same live documents: put in the order in which they were
first put, or last. All stores are compacted, left alone for some seconds, closed and opened again.`

const child = fileURLToPath(new URL('src/compact-child.mjs', import.meta.url))

function run(task) {
  return new Promise((resolve, reject) => {
    const running = fork(child, [JSON.stringify(task)])
    let result
    running.on('message', (message) => {
      result = message
    })
    running.on('error', reject)
    running.on('exit', (code, signal) => {
      if (code === 0 && result) resolve(result)
      else reject(new Error(`${task.phase}: the process ended with ${signal ?? code}`))
    })
  })
}

const write = (text) => process.stdout.write(`${text}\n`)
const bytes = (count) => count.toLocaleString('en')

function sizeLine(name, { diskBytes, indexBytes }, fresh) {
  const logBytes = diskBytes - indexBytes
  const columns = [bytes(logBytes), bytes(indexBytes), bytes(diskBytes)]
  if (fresh) {
    columns[0] += ` (${(logBytes / (fresh.diskBytes - fresh.indexBytes)).toFixed(3)}×)`
    columns[1] += ` (${(indexBytes / fresh.indexBytes).toFixed(3)}×)`
    columns[2] += ` (${(diskBytes / fresh.diskBytes).toFixed(3)}×)`
  }
  write(`| ${name} | ${columns.join(' | ')} |`)
}

async function measure(base, parent) {
  const folder = (name) => {
    const made = path.join(parent, name)
    mkdirSync(made)
    return made
  }
  const [compacted, first, last] = ['compacted', 'first', 'last'].map(folder)
  const filled = await run({ ...base, phase: 'fill', folder: compacted })
  const compaction = await run({ ...base, phase: 'compact', folder: compacted })
  await run({ ...base, phase: 'fresh', order: 'first', folder: first })
  await run({ ...base, phase: 'fresh', order: 'last', folder: last })
  const after = await run({ ...base, phase: 'check', folder: compacted })
  const freshFirst = await run({ ...base, phase: 'check', folder: first })
  const freshLast = await run({ ...base, phase: 'check', folder: last })
  write('| bytes | log | index | disk |\n| --- | ---: | ---: | ---: |')
  sizeLine('before', filled.stats)
  sizeLine('compacted', after.stats)
  sizeLine('fresh, in order of first puts', freshFirst.stats)
  sizeLine('fresh, in order of last puts', freshLast.stats)
  write('\n| compacted, part of | log | index | disk |\n| --- | ---: | ---: | ---: |')
  sizeLine('fresh, in order of first puts', after.stats, freshFirst.stats)
  sizeLine('fresh, in order of last puts', after.stats, freshLast.stats)
  const total = filled.writtenBytes + compaction.writtenBytes
  write(`
| compaction | |
| --- | ---: |
| records, and bodies of others, that went | ${bytes(compaction.report.recordsDropped)}, ${bytes(compaction.report.bodiesDropped)} |
| time | ${compaction.seconds.toFixed(1)} s |
| peak RSS of its process | ${Math.round(compaction.peakRssBytes / 1024 / 1024)} MiB |
| event loop late, p99 and max | ${compaction.late.p99.toFixed(1)} and ${compaction.late.max.toFixed(1)} ms |
| JSON of all puts | ${bytes(filled.jsonBytes)} bytes |
| written until sealed and closed, times that | ${(filled.writtenBytes / filled.jsonBytes).toFixed(2)} |
| written by compaction, times that | ${(compaction.writtenBytes / filled.jsonBytes).toFixed(2)} |
| write amplification in all | ${(total / filled.jsonBytes).toFixed(2)} |`)
}

async function main(args) {
  const { values } = parseArgs({
    args,
    options: {
      documents: { type: 'string', default: '100000' },
      updates: { type: 'string', default: '0.2' },
      mixed: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      data: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    write(help)
    return
  }
  const base = {
    documents: Number(values.documents),
    updates: Number(values.updates),
    seed: Number(values.seed),
    mixed: values.mixed,
  }
  if (!Number.isSafeInteger(base.documents) || base.documents < 1_000)
    throw new RangeError('--documents takes 1000 or more')
  if (!(base.updates >= 0 && base.updates <= 10)) throw new RangeError('--updates takes 0 to 10')
  await setUp({ tools: false })
  const parent = mkdtempSync(
    path.join(path.resolve(values.data ?? fileURLToPath(new URL('.', import.meta.url))), 'compact-'),
  )
  try {
    await measure(base, parent)
  } finally {
    rmSync(parent, { recursive: true, force: true })
  }
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.stack ?? error}\n`)
  process.exitCode = 1
})
