/** One phase of the large run, alone in its process. Started by `million.mjs` with the task as JSON. */

import { performance } from 'node:perf_hooks'
import { open } from '../../packages/core/dist/index.js'
import { peakRssBytes } from './measure.mjs'
import { generateReadings } from './readings.mjs'

const BATCH = 1_000
const task = JSON.parse(process.argv[2])
const readings = () => generateReadings({ seed: task.seed, ids: 'device', times: 'ms' })
const secondsSince = (start) => (performance.now() - start) / 1e3
const tell = (message) => process.send(message)

/** Batches of readings, from number `from` on, `count` of them. */
function* batches(from, count) {
  let batch = []
  let n = 0
  for (const reading of readings()) {
    if (n++ < from) continue
    batch.push(reading)
    if (batch.length === BATCH || n === from + count) {
      yield batch
      batch = []
    }
    if (n >= from + count) return
  }
}

async function write(db, from, count) {
  let acknowledged = from
  for (const batch of batches(from, count)) {
    const outcomes = await db.putMany(batch)
    const failed = outcomes.find((outcome) => !outcome.ok)
    if (failed) throw failed.error
    acknowledged += batch.length
    tell({ acknowledged })
  }
}

/** Opens and reads one document; the time of both. */
async function opened(expected) {
  const [[reading]] = batches(500, 1)
  const start = performance.now()
  const db = await open(task.folder, { createIfMissing: false })
  const doc = await db.get(reading.id)
  const readyMs = performance.now() - start
  if (doc?.pressure !== reading.pressure) throw new Error(`${reading.id} is not as it was written`)
  const documents = await db.count()
  if (documents < expected) throw new Error(`${documents} documents are there, ${expected} were acknowledged`)
  return { db, readyMs, documents }
}

const phases = {
  async insert() {
    const db = await open(task.folder)
    const start = performance.now()
    await write(db, 0, task.documents)
    const insertSeconds = secondsSince(start)
    const insertRssBytes = peakRssBytes()
    await db.seal()
    await db.close()
    return { insertSeconds, insertRssBytes, settleSeconds: secondsSince(start) - insertSeconds }
  },
  async open() {
    const { db, readyMs } = await opened(task.documents)
    await db.close()
    return { readyMs }
  },
  /** Never ends by itself: it is killed. */
  async kill() {
    const { db } = await opened(task.documents)
    tell({ ready: true })
    await write(db, task.documents, task.documents)
    return {}
  },
  async reopen() {
    const { db, readyMs, documents } = await opened(task.expected)
    await db.close()
    return { readyMs, documents }
  },
  /** The index's folder is gone: it is derived from the log anew. */
  async rebuild() {
    const start = performance.now()
    const { db, documents } = await opened(task.expected)
    const rebuildSeconds = secondsSince(start)
    await db.close()
    return { rebuildSeconds, documents }
  },
  async verify() {
    const { db } = await opened(task.expected)
    const start = performance.now()
    const { ok, findings } = await db.verify()
    if (!ok) throw new Error(`verify found ${JSON.stringify(findings)}`)
    const verifySeconds = secondsSince(start)
    await db.close()
    return { verifySeconds }
  },
  /** Every document, in order of ids. */
  async scan() {
    const { db } = await opened(task.expected)
    const start = performance.now()
    let documents = 0
    for await (const { id } of db.list()) if (id !== '') documents += 1
    if (documents < task.expected) throw new Error(`a scan gave ${documents} documents`)
    const scanSeconds = secondsSince(start)
    await db.close()
    return { scanSeconds, documents }
  },
}

const result = await phases[task.phase]()
process.send({ result: { ...result, peakRssBytes: peakRssBytes() } }, () => process.disconnect())
