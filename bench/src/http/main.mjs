import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startServer } from '../replication/server.mjs'
import { load } from './load.mjs'

const DOCUMENTS = 1_000

const reading = (n) => ({
  device: `pump-${n % 50}`,
  at: '2026-11-21T08:00:00.000Z',
  temperature: 21 + (n % 97) / 16,
  humidity: 48.5,
  pressure: 1013.25,
  state: 'running',
  counters: { starts: n % 1_000, hours: 9_120 },
})
const idOf = (n) => `reading/${String(n).padStart(6, '0')}`

const systems = {
  mynah: {
    title: 'Mynah',
    server: (folder, port) => [
      new URL('../../../packages/mirror-server/dist/cli.js', import.meta.url),
      'serve',
      '--data',
      join(folder, 'data'),
      '--port',
      String(port),
      '--create',
      'notes',
    ],
    pathOf: (id) => `/v1/notes/docs/${id}`,
  },
  bare: {
    title: 'bare fastify',
    server: (folder, port) => [new URL('bare-server.mjs', import.meta.url), folder, String(port)],
    pathOf: (id) => `/v1/notes/docs/${id}`,
  },
  pouchdb: {
    title: 'PouchDB server',
    server: (folder, port) => [
      new URL('../replication/pouchdb-server.mjs', import.meta.url),
      folder,
      String(port),
      'notes',
    ],
    create: (port) => fetch(`http://127.0.0.1:${port}/notes`, { method: 'PUT' }),
    pathOf: (id) => `/notes/${encodeURIComponent(id)}`,
  },
}

/** Requests a second of one system, freshly started. */
async function measure(system, { seconds, connections, parent }) {
  const folder = mkdtempSync(join(parent, 'server-'))
  const server = await startServer({ ...system, urlOf: (port) => String(port) }, folder)
  const port = Number(server.url)
  const get = (n) => `GET ${system.pathOf(idOf(n % DOCUMENTS))} HTTP/1.1\r\nhost: x\r\n\r\n`
  const put = (n) => {
    const body = JSON.stringify(reading(n))
    return `PUT ${system.pathOf(idOf(n))} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  }
  try {
    await system.create?.(port)
    let written = 0
    const next = () => put(written++)
    const puts = { connections, requestOf: next, statuses: [201] }
    while (written < DOCUMENTS) await load(port, { ...puts, seconds: 1 })
    const gets = { connections, requestOf: get, statuses: [200] }
    // Code that runs often gets faster for some seconds.
    await load(port, { ...gets, seconds })
    const timed = async (requests) => {
      const before = server.cost().cpuSeconds
      const perSecond = await load(port, { ...requests, seconds })
      return {
        perSecond,
        cpuMicroseconds: ((server.cost().cpuSeconds - before) * 1e6) / (perSecond * seconds),
      }
    }
    return { get: await timed(gets), put: await timed(puts) }
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

/** Prints what came of all rounds: medians, and each bar with the ratio that it is about. */
export async function measureHttp({ rounds, seconds, connections }) {
  const parent = mkdtempSync(fileURLToPath(new URL('../../http-', import.meta.url)))
  process.once('exit', () => rmSync(parent, { recursive: true, force: true }))
  const results = Object.fromEntries(Object.keys(systems).map((name) => [name, []]))
  for (let round = 0; round < rounds; round++)
    for (const [name, system] of Object.entries(systems))
      results[name].push(await measure(system, { seconds, connections, parent }))
  const of = (name, kind, figure = 'perSecond') => median(results[name].map((result) => result[kind][figure]))
  console.log(
    `| ${connections} connections, median of ${rounds} | GET of a document, requests/s | CPU each, µs | durable PUT, requests/s | CPU each, µs |`,
  )
  console.log('| --- | --- | --- | --- | --- |')
  const whole = (value) => Math.round(value).toLocaleString('en')
  for (const [name, { title }] of Object.entries(systems)) {
    const figures = ['get', 'put'].flatMap((kind) => [of(name, kind), of(name, kind, 'cpuMicroseconds')])
    console.log(`| ${title} | ${figures.map(whole).join(' | ')} |`)
  }
  console.log('\nPouchDB’s PUT is not durable: it does not wait for the disk.\n')
  for (const kind of ['get', 'put'])
    for (const [other, least] of [
      ['bare', 0.5],
      ['pouchdb', 2],
    ]) {
      const ratio = of('mynah', kind) / of(other, kind)
      console.log(
        `- ${kind.toUpperCase()}: ${ratio.toFixed(2)}x ${systems[other].title}'s, at least ${least}: ${ratio >= least ? 'met' : 'MISSED'}`,
      )
    }
}
