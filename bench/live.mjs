// The entry of `npm run bench:live`: what idle live peers cost a mirror, and how soon all of them hear of a change.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setUp } from '../scripts/set-up.mjs'
import { startServer } from './src/replication/server.mjs'

const help = `What idle live peers cost a mirror, and how soon all of them hear of a change.

  npm run bench:live -- [options]

  --peers N    that follow at once (10000)
  --changes N  that are made one by one; the slowest counts (5)
  --path P     what they follow: records/live, as peers do, or changes?live=true&since=now (records/live)
  --help       this

Each peer is a connection on loopback: both processes need so many open files (ulimit -n). Prints markdown.`

const system = {
  server: (folder, port) => [
    new URL('../packages/mirror-server/dist/cli.js', import.meta.url),
    ...['serve', '--data', join(folder, 'data'), '--port', String(port), '--create', 'notes'],
  ],
  urlOf: (port) => `http://127.0.0.1:${port}`,
}

/** A live stream: `told` is when it last brought something. */
function follow(port, path) {
  return new Promise((resolve, reject) => {
    const peer = { lines: 0, onLine: () => undefined }
    const socket = connect(port, '127.0.0.1')
    socket.on('error', reject)
    socket.write(`GET /v1/notes/${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
    socket.on('data', (chunk) => {
      const text = chunk.latin1Slice()
      if (peer.lines === 0 && !text.startsWith('HTTP/1.1 200')) return reject(new Error(text.slice(0, 200)))
      peer.lines += 1
      peer.onLine()
      resolve(peer)
    })
  })
}

async function measureLive({ peers, changes, path }) {
  const folder = mkdtempSync(fileURLToPath(new URL('live-', import.meta.url)))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const server = await startServer(system, folder)
  const rss = async () =>
    Number(
      /^process_resident_memory_bytes (.*)$/m.exec(await (await fetch(`${server.url}/metrics`)).text())[1],
    )
  try {
    const port = Number(new URL(server.url).port)
    const before = await rss()
    const all = []
    while (all.length < peers)
      all.push(
        ...(await Promise.all(
          Array.from({ length: Math.min(200, peers - all.length) }, () => follow(port, path)),
        )),
      )
    // What connecting left behind is collected when it is idle.
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    const idle = await rss()
    const delays = []
    for (let n = 0; n < changes; n++) {
      let left = peers
      const told = new Promise((resolve) => {
        for (const peer of all)
          peer.onLine = () => {
            peer.onLine = () => undefined
            left -= 1
            if (left === 0) resolve()
          }
      })
      const begin = performance.now()
      const headers = { 'content-type': 'application/json' }
      await fetch(`${server.url}/v1/notes/docs/${n}`, { method: 'PUT', headers, body: '{}' })
      await told
      delays.push(performance.now() - begin)
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
    const most = server.cost().peakRssBytes
    const MiB = 1024 * 1024
    console.log(`| ${path}, ${peers.toLocaleString('en')} peers | |\n| --- | --- |`)
    console.log(`| resident set before, MiB | ${Math.round(before / MiB)} |`)
    console.log(`| with all of them idle, MiB | ${Math.round(idle / MiB)} |`)
    console.log(`| at most, MiB | ${Math.round(most / MiB)} |`)
    console.log(`| a change told to all, ms | ${delays.map(Math.round).join(', ')} |`)
    console.log(`\n- at most 400 MiB: ${most <= 400 * MiB ? 'met' : 'MISSED'}`)
    console.log(`- told to all in under 2 s: ${Math.max(...delays) < 2_000 ? 'met' : 'MISSED'}`)
  } finally {
    await server.stop()
  }
}

async function main(args) {
  const { values } = parseArgs({
    args,
    options: {
      peers: { type: 'string', default: '10000' },
      changes: { type: 'string', default: '5' },
      path: { type: 'string', default: 'records/live' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(`${help}\n`)
    return
  }
  const [peers, changes] = [Number(values.peers), Number(values.changes)]
  if (![peers, changes].every((value) => Number.isSafeInteger(value) && value > 0))
    throw new RangeError('--peers and --changes take whole numbers from 1')
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  if (Number(limit) < peers + 100)
    throw new RangeError(`${limit} open files are too few for ${peers} peers: ulimit -n`)
  await setUp({ tools: false })
  await measureLive({ peers, changes, path: values.path })
  process.exit()
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error.stack ?? error}\n`)
  process.exit(1)
})
