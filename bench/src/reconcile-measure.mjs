/** Two replicas that know the same but for some documents, and what the exchange without a checkpoint costs. */

import { performance } from 'node:perf_hooks'
import { nodeEnv, open } from '../../packages/core/dist/index.js'
import { replicaOf } from '../../packages/core/dist/replica.js'
import { replicate } from '../../packages/replication/dist/index.js'
import { liveLines, serveRequest } from '../../packages/replication/dist/serve.js'

const BATCH = 1_000
const url = 'http://mirror.test/v1/bench'

/** A mirror without a network, that counts. */
function mirrorOf(database) {
  const replica = replicaOf(database)
  const opened = { name: 'bench', database, replica }
  const databases = {
    names: async () => ['bench'],
    get: async () => opened,
    create: async () => ({ opened, created: false }),
  }
  const traffic = { bytes: 0, asked: [] }
  return {
    traffic,
    async request(request) {
      const answer = await serveRequest({ databases, version: '0', env: nodeEnv }, request)
      traffic.asked.push(`${request.method} ${new URL(request.url).pathname.slice('/v1/bench'.length)}`)
      traffic.bytes += (request.body?.length ?? 0) + answer.body.length
      return answer
    },
    async stream({ signal }) {
      const headers = { 'content-type': 'application/x-ndjson' }
      return { status: 200, headers, body: liveLines(replica, { env: nodeEnv, signal }) }
    },
    async close() {},
  }
}

/** Ids as of a fleet that writes at all times: 4 random bytes, then a number. */
function idOf(n) {
  return `${((n * 2_654_435_761) >>> 0).toString(16).padStart(8, '0')}-${n.toString(36)}`
}

async function fill(here, there, documents) {
  for (let n = 0; n < documents; n += BATCH) {
    const count = Math.min(BATCH, documents - n)
    await here.putMany(Array.from({ length: count }, (_, i) => ({ id: idOf(n + i) })))
    const { records } = await replicaOf(here).feed({ since: n, bodies: true, bytes: 1 << 30 })
    await replicaOf(there).merge(records)
    if (n % 100_000 === 0) process.stderr.write(`\r${n} documents`)
  }
  process.stderr.write('\r')
}

async function exchange(name, here, mirror) {
  const { traffic } = mirror
  const replica = replicaOf(here)
  traffic.bytes = 0
  traffic.asked.length = 0
  const cpu = process.cpuUsage()
  const begun = performance.now()
  const replication = await replicate(here, { mirrors: [url], transport: mirror, live: false })
  await replication.sync()
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - begun) / 1e3
  await replication.close()
  const asked = traffic.asked.filter((one) => one !== 'GET ' && one !== 'GET /records')
  const cpuSeconds = (user + system) / 1e6
  process.stdout.write(
    `| ${name} | ${asked.length} | ${traffic.asked.length} | ${traffic.bytes} | ${cpuSeconds.toFixed(2)} | ${seconds.toFixed(2)} |\n`,
  )
  // As after a restore: no checkpoint holds.
  const nowhere = { incarnation: 'f'.repeat(32), seq: 1 }
  const { id } = mirror
  for (const [key, direction] of [
    ['', 'push'],
    [' used *', 'pull'],
    [' used * first', 'pull'],
  ])
    await replica.setCheckpoint(id + key, direction, { source: nowhere, target: nowhere })
}

export async function reconcileBench({ documents, differences }) {
  const [here, there] = [await open(':memory:'), await open(':memory:', { mode: 'mirror' })]
  await fill(here, there, documents)
  const mirror = { ...mirrorOf(there), id: replicaOf(there).id }
  process.stdout.write(`${documents} documents on each side, ${differences} differences\n\n`)
  process.stdout.write(
    '| | round trips | with greetings and pulls | bytes | CPU s | wall s |\n|---|---:|---:|---:|---:|---:|\n',
  )
  await exchange('nothing differs, for the first time', here, mirror)
  await exchange('nothing differs', here, mirror)
  for (const time of ['first time', 'again']) {
    for (let i = 0; i < differences; i++) {
      const id = idOf(Math.floor(Math.random() * documents))
      if (i % 3 === 0) await here.put({ id, time }, { overwrite: true })
      else if (i % 3 === 1) await there.put({ id: `${id}-new`, time }, { overwrite: true })
      else await there.delete(id)
    }
    await exchange(`${differences} at random, ${time}`, here, mirror)
  }
  const place = Math.floor(Math.random() * (documents - differences))
  const ids = []
  for await (const { id } of here.list({ gte: idOf(place), limit: differences })) ids.push(id)
  for (const id of ids) await there.put({ id, clustered: true }, { overwrite: true })
  await exchange(`${differences} side by side`, here, mirror)
  const sums = await Promise.all([here, there].map((db) => replicaOf(db).sum({})))
  if (Buffer.compare(sums[0].sum, sums[1].sum) !== 0) throw new Error('the sums are not the same')
  await here.close()
  await there.close()
}
