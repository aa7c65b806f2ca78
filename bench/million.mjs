// The entry of `npm run bench:million`: what a million documents cost to write, open, repair and read, and in how much memory.
import { fork } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setUp } from '../scripts/set-up.mjs'

const help = `What a million documents cost.

  npm run bench:million -- [options]

  --documents N   readings to store (1000000)
  --seed N        of the readings (1)
  --data DIR      where the database is made, and removed again (bench)
  --help          this

Each phase is a process of its own; its memory is the largest resident set of that process.`

const bytesMax = 200 * 1024 * 1024
const child = fileURLToPath(new URL('src/million-child.mjs', import.meta.url))

/** Runs one phase; with `killAfterMs` it is killed so long after it said that it is ready. */
function run(task, killAfterMs) {
  return new Promise((resolve, reject) => {
    const running = fork(child, [JSON.stringify(task)])
    let result
    let acknowledged = 0
    running.on('message', (message) => {
      result = message.result ?? result
      acknowledged = message.acknowledged ?? acknowledged
      if (message.ready && killAfterMs !== undefined) setTimeout(() => running.kill('SIGKILL'), killAfterMs)
      if (message.acknowledged && process.stderr.isTTY) {
        process.stderr.write(`\r${task.phase}: ${acknowledged} documents`)
      }
    })
    running.on('error', reject)
    running.on('exit', (code, signal) => {
      if (killAfterMs !== undefined && signal === 'SIGKILL') resolve({ acknowledged })
      else if (code === 0 && result) resolve(result)
      else reject(new Error(`${task.phase}: the process ended with ${signal ?? code}`))
    })
  })
}

const megabytes = (bytes) => `${Math.round(bytes / 1024 / 1024)} MiB`
const line = (name, figure, result) =>
  process.stdout.write(
    `| ${name} | ${figure} | ${megabytes(result.peakRssBytes)}${result.peakRssBytes > bytesMax ? ' **over 200**' : ''} |\n`,
  )

async function measure({ documents, seed, folder }) {
  const base = { documents, seed, folder }
  process.stdout.write('| phase | | peak RSS |\n| --- | ---: | ---: |\n')
  const insert = await run({ ...base, phase: 'insert' })
  line('insert, batches of 1,000', `${Math.round(documents / insert.insertSeconds)} documents/s`, {
    peakRssBytes: insert.insertRssBytes,
  })
  line('seal and close', `${insert.settleSeconds.toFixed(1)} s`, insert)
  const clean = await run({ ...base, phase: 'open' })
  line('open to first get, after a clean end', `${Math.round(clean.readyMs)} ms`, clean)
  const { acknowledged } = await run({ ...base, phase: 'kill' }, 3_000)
  const expected = Math.max(documents, acknowledged)
  const reopened = await run({ ...base, phase: 'reopen', expected })
  line('open to first get, after kill -9 while writing', `${Math.round(reopened.readyMs)} ms`, reopened)
  const { verifySeconds, ...verify } = await run({ ...base, phase: 'verify', expected })
  line('verify', `${verifySeconds.toFixed(1)} s`, verify)
  const { scanSeconds, ...scan } = await run({ ...base, phase: 'scan', expected })
  line('list of all documents', `${Math.round(scan.documents / scanSeconds)} documents/s`, scan)
  for (const name of readdirSync(folder)) {
    if (name.startsWith('index-')) rmSync(path.join(folder, name), { recursive: true })
  }
  const rebuild = await run({ ...base, phase: 'rebuild', expected })
  line(
    'open with the index gone: derived from the log',
    `${rebuild.rebuildSeconds.toFixed(1)} s, ${Math.round(rebuild.documents / rebuild.rebuildSeconds)} documents/s`,
    rebuild,
  )
}

async function main(args) {
  const { values } = parseArgs({
    args,
    options: {
      documents: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '1' },
      data: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(`${help}\n`)
    return
  }
  const [documents, seed] = [Number(values.documents), Number(values.seed)]
  if (!Number.isSafeInteger(documents) || documents < 1_000)
    throw new RangeError('--documents takes 1000 or more')
  await setUp({ tools: false })
  const parent = path.resolve(values.data ?? fileURLToPath(new URL('.', import.meta.url)))
  const folder = mkdtempSync(path.join(parent, 'million-'))
  try {
    await measure({ documents, seed, folder })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.stack ?? error}\n`)
  process.exitCode = 1
})
