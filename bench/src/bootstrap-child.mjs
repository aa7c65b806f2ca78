// A process of `npm run bench:bootstrap`: the mirror, or a replica that takes a first copy of it.
import { open } from '../../packages/core/dist/index.js'
import { createMirror } from '../../packages/mirror-server/dist/index.js'
import { httpTransport, replicate } from '../../packages/replication/dist/index.js'
import { createReadings, inBatches } from './readings.mjs'

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

async function mirror({ documents, seed, folder }) {
  const db = await open(`${folder}/readings`, { mode: 'mirror' })
  for (const batch of inBatches(createReadings({ count: documents, seed, ids: 'uuid' }), 1_000)) {
    await db.putMany(batch)
  }
  await db.seal()
  const { sealedBytes } = await db.stats()
  await db.close()
  const server = await createMirror({ data: folder })
  const base = await server.listen({ port: 0, host: '127.0.0.1' })
  process.on('message', () => process.send({ cpu: cpuSeconds() }))
  process.send({ url: `${base}/v1/readings`, sealedBytes, mirrorCpu: cpuSeconds() })
}

/** A transport to a mirror that has no shards to give. */
function withoutShards(transport) {
  const request = (asked) => transport.request({ ...asked, url: asked.url.replace('/shards', '/unknown') })
  return { ...transport, request }
}

async function replica({ mode, way, url, documents, folder }) {
  const db = await open(folder, { mode })
  const http = httpTransport()
  const begun = performance.now()
  const replication = await replicate(db, {
    mirrors: [url],
    transport: way === 'shards' ? http : withoutShards(http),
  })
  await replication.sync()
  const seconds = (performance.now() - begun) / 1_000
  if ((await db.count()) !== documents) throw new Error(`${await db.count()} documents came`)
  const { bytesDown, bytesUp } = replication.status()
  await replication.close()
  await db.close()
  const maxRssMiB = process.resourceUsage().maxRSS / 1_024
  process.send({ seconds, cpuSeconds: cpuSeconds(), bytesDown, bytesUp, maxRssMiB })
  process.disconnect()
}

const task = JSON.parse(process.argv[2])
await (task.role === 'mirror' ? mirror(task) : replica(task))
