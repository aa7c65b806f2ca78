// The entry of `npm run bench:bootstrap`: what a first copy of a mirror costs, by each of its ways.
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setUp } from '../scripts/set-up.mjs'

const help = `What a first copy of a mirror costs, over HTTP on loopback.

  npm run bench:bootstrap -- [options]

  --documents N   readings that the mirror has, sealed (100000)
  --seed N        of the readings (1)
  --data DIR      where the databases are made, and removed again (the system's folder for temporary files)
  --help          this

The mirror and each replica are processes of their own. Time is from replicate() to a copy that knows all; CPU is of the
replica's process, from its start; bytes are those of the bodies of answers and requests, a document.`

const ways = {
  'shards as they lie': { mode: 'mirror', way: 'shards' },
  'feed, with bodies': { mode: 'mirror', way: 'feed' },
  'ids and revs': { mode: 'peer', way: 'feed' },
}
const child = fileURLToPath(new URL('src/bootstrap-child.mjs', import.meta.url))

/** Starts a process with a task; resolves with its first message. */
function start(task) {
  const running = fork(child, [JSON.stringify(task)])
  const told = new Promise((resolve, reject) => {
    running.once('message', resolve)
    running.once('exit', (code) => reject(new Error(`it ended with ${code}`)))
  })
  return { running, told }
}

function line({ seconds, cpuSeconds, bytesDown, bytesUp, maxRssMiB }, documents, name) {
  const figures = [
    `${Math.round(documents / seconds)} documents/s`,
    `${((1e6 * cpuSeconds) / documents).toFixed(1)} µs of CPU each`,
    `${(bytesDown / documents).toFixed(1)} bytes down, ${(bytesUp / documents).toFixed(2)} up`,
    `${Math.round(maxRssMiB)} MiB`,
  ]
  return `${name.padEnd(20)} ${figures.join(', ')}\n`
}

async function main({ documents, seed, data }) {
  const folder = mkdtempSync(path.join(data, 'mynah-bootstrap-'))
  try {
    const mirror = start({ role: 'mirror', documents, seed, folder: path.join(folder, 'mirror') })
    const { url, sealedBytes, mirrorCpu } = await mirror.told
    process.stdout.write(`${documents} readings, ${(sealedBytes / documents).toFixed(1)} bytes each sealed\n`)
    let before = mirrorCpu
    for (const [name, task] of Object.entries(ways)) {
      const replica = start({ role: 'replica', ...task, url, documents, folder: path.join(folder, name) })
      const figures = await replica.told
      mirror.running.send('cpu')
      const { cpu } = await new Promise((resolve) => mirror.running.once('message', resolve))
      process.stdout.write(line(figures, documents, name))
      process.stdout.write(
        `${''.padEnd(20)} ${((1e6 * (cpu - before)) / documents).toFixed(1)} µs of CPU each at the mirror\n`,
      )
      before = cpu
    }
    mirror.running.removeAllListeners('exit')
    mirror.running.kill()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    data: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(`${help}\n`)
else {
  await setUp({ tools: false })
  await main({ documents: Number(values.documents), seed: Number(values.seed), data: values.data })
}
