/** Two replicas that know the same but for some documents, and what the exchange without a checkpoint costs. */

import { cp, mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { nodeEnv, open } from '../../packages/core/dist/index.js'
import { replicaOf } from '../../packages/core/dist/replica.js'
import { replicate } from '../../packages/replication/dist/index.js'
import { liveLines, serveRequest } from '../../packages/replication/dist/serve.js'

const BATCH = 1_000
const LACKING = 1_000
const url = 'http://mirror.test/v1/bench'

/** A mirror without a network, that counts. */
function mirrorOf(database) {
  const opened = { name: 'bench', database, replica: replicaOf(database) }
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
      return { status: 200, headers, body: liveLines(opened.replica, { env: nodeEnv, signal }) }
    },
    async close() {},
  }
}

/** Ids as of a fleet that writes at all times: 4 random bytes, then a number. */
function idOf(n) {
  return `${((n * 2_654_435_761) >>> 0).toString(16).padStart(8, '0')}-${n.toString(36)}`
}

/** The peer and the mirror, each in a folder, open or not. */
class Pair {
  #folder
  here
  there

  constructor(folder) {
    this.#folder = folder
  }

  async open() {
    this.here = await open(path.join(this.#folder, 'here'))
    this.there = await open(path.join(this.#folder, 'there'), { mode: 'mirror' })
  }

  async close() {
    await this.here.close()
    await this.there.close()
  }

  async reopen() {
    await this.close()
    await this.open()
  }

  /** The mirror's folder, copied while it is closed. */
  async copyMirror(from, to) {
    await rm(path.join(this.#folder, to), { recursive: true, force: true })
    await cp(path.join(this.#folder, from), path.join(this.#folder, to), { recursive: true })
  }

  /** The same documents on both sides, written apart: their revs are the same. */
  async fill(documents) {
    for (const [name, database] of [
      ['here', this.here],
      ['there', this.there],
    ])
      for (let n = 0; n < documents; n += BATCH) {
        const count = Math.min(BATCH, documents - n)
        await database.putMany(Array.from({ length: count }, (_, i) => ({ id: idOf(n + i), n: n + i })))
        if (process.stderr.isTTY && n % 100_000 === 0) process.stderr.write(`\r${name}: ${n} documents `)
      }
    if (process.stderr.isTTY) process.stderr.write('\r')
  }

  /** Has no checkpoint hold any more, as after a restore from elsewhere. */
  async void() {
    const nowhere = { incarnation: 'f'.repeat(32), seq: 1 }
    const replica = replicaOf(this.here)
    const { id } = replicaOf(this.there)
    for (const [key, direction] of [
      ['', 'push'],
      [' used *', 'pull'],
      [' used * first', 'pull'],
    ])
      await replica.setCheckpoint(id + key, direction, { source: nowhere, target: nowhere })
  }

  /** One session, from its first request until both sides know the same. */
  async sync() {
    const mirror = mirrorOf(this.there)
    const cpu = process.cpuUsage()
    const begun = performance.now()
    const replication = await replicate(this.here, { mirrors: [url], transport: mirror, live: false })
    await replication.sync()
    const { user, system } = process.cpuUsage(cpu)
    const seconds = (performance.now() - begun) / 1e3
    await replication.close()
    const sums = await Promise.all([this.here, this.there].map((db) => replicaOf(db).sum({})))
    if (Buffer.compare(sums[0].sum, sums[1].sum) !== 0) throw new Error('the sums are not the same')
    return { ...mirror.traffic, cpuSeconds: (user + system) / 1e6, seconds }
  }
}

async function exchange(name, pair) {
  const { asked, bytes, cpuSeconds, seconds } = await pair.sync()
  const isAround = (one) => one === 'GET ' || one === 'GET /records'
  const own = asked.filter((one) => !isAround(one))
  if (!own.includes('POST /ranges')) throw new Error(`${name}: nothing was compared`)
  const figures = [own.length, asked.length, bytes, cpuSeconds.toFixed(2), seconds.toFixed(2)]
  process.stdout.write(`| ${name} | ${figures.join(' | ')} |\n`)
}

/** Changes so many documents, at random or from a place on, some here and some there. */
async function differ({ here, there }, count, pick) {
  for (let i = 0; i < count; i++) {
    const id = await pick(i)
    if (i % 3 === 0) await here.put({ id, changed: performance.now() }, { overwrite: true })
    else if (i % 3 === 1) await there.put({ id: `${id}-new`, i }, { overwrite: true })
    else await there.delete(id)
  }
}

async function atRandom(pair, documents, differences, name) {
  await pair.void()
  await differ(pair, differences, () => idOf(Math.floor(Math.random() * documents)))
  await exchange(`${differences} at random, ${name}`, pair)
}

async function sideBySide(pair, documents, differences) {
  await pair.void()
  const ids = []
  const gte = idOf(Math.floor(Math.random() * documents))
  for await (const { id } of pair.here.list({ gte, limit: differences })) ids.push(id)
  await differ(pair, ids.length, (i) => ids[i])
  await exchange(`${differences} side by side`, pair)
}

async function lacking(pair) {
  await pair.void()
  await pair.here.putMany(Array.from({ length: LACKING }, (_, i) => ({ id: `${idOf(7 * i)}-lacking` })))
  await exchange(`the mirror lacks ${LACKING} ids`, pair)
  await pair.void()
  await pair.there.putMany(Array.from({ length: LACKING }, (_, i) => ({ id: `${idOf(11 * i)}-lacked` })))
  await exchange(`the peer lacks ${LACKING} ids`, pair)
}

/** The mirror comes back as it was before the last thousand documents: no checkpoint has to be forgotten by hand. */
async function putBack(pair) {
  await pair.close()
  await pair.copyMirror('there', 'copy')
  await pair.open()
  await pair.here.putMany(Array.from({ length: LACKING }, (_, i) => ({ id: `${idOf(13 * i)}-since` })))
  await pair.sync()
  await pair.close()
  await pair.copyMirror('copy', 'there')
  await pair.open()
  await exchange(`the mirror is put back by ${LACKING} documents`, pair)
}

export async function reconcileBench({ documents, differences, data }) {
  const folder = await mkdtemp(path.join(data, 'reconcile-'))
  const pair = new Pair(folder)
  try {
    await pair.open()
    await pair.fill(documents)
    // What gathers in order of no ids is cut into pages when all is quiet, or now.
    const cpu = process.cpuUsage()
    for (const db of [pair.here, pair.there]) await replicaOf(db).parts({}, () => 128)
    const { user, system } = process.cpuUsage(cpu)
    process.stdout.write(`${documents} documents on each side\n\n`)
    process.stdout.write(
      `pages cut after the writes, on both sides: ${((user + system) / 1e6).toFixed(2)} CPU s\n\n`,
    )
    process.stdout.write(
      '| | round trips | with greeting and pull | bytes | CPU s | wall s |\n|---|---:|---:|---:|---:|---:|\n',
    )
    await pair.reopen()
    await exchange('nothing differs, just opened', pair)
    await pair.void()
    await exchange('nothing differs, again', pair)
    await pair.reopen()
    await atRandom(pair, documents, differences, 'just opened')
    await atRandom(pair, documents, differences, 'again')
    await sideBySide(pair, documents, differences)
    await lacking(pair)
    await putBack(pair)
    await pair.close()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
