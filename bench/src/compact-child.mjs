/** One phase of the compaction run, alone in its process. Started by `compact.mjs` with the task as JSON. */

import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { open } from '../../packages/core/dist/index.js'
import { peakRssBytes, watchEventLoop, writtenBytes } from './measure.mjs'
import { createRandom, createReadings } from './readings.mjs'

const BATCH = 1_000
/** What a store does by itself in a pause is done by then. */
const IDLE_MS = 4_000
const task = JSON.parse(process.argv[2])
const { documents, updates, seed, mixed } = task
const random = createRandom(seed + 6)

/** The live documents as they come to be: in the order of their first puts, or of their last. */
const live = { first: new Map(), last: new Map() }

function remember(reading) {
  live.first.set(reading.id, reading)
  live.last.delete(reading.id)
  live.last.set(reading.id, reading)
  return reading
}

/** Another battery, and another status, for one of the first `among` readings. */
function update(readings, among) {
  const { id } = readings[Math.floor(random() * among)]
  const battery = Math.round(random() * 4_000) / 1_000
  return remember({ ...live.first.get(id), battery, status: `state-${Math.floor(random() * 7)}` })
}

/** All that is put, in batches. */
function* batches() {
  const readings = createReadings({ seed, ids: 'device', times: 'ms', count: documents })
  let due = 0
  for (let i = 0; i < documents; i += BATCH) {
    yield readings.slice(i, i + BATCH).map(remember)
    if (!mixed) continue
    for (due += BATCH * updates; due >= BATCH; due -= BATCH)
      yield Array.from({ length: BATCH }, () => update(readings, Math.min(documents, i + BATCH)))
  }
  if (mixed) return
  for (let left = Math.round(documents * updates); left > 0; left -= BATCH)
    yield Array.from({ length: Math.min(BATCH, left) }, () => update(readings, documents))
}

async function put(db, batch) {
  const outcomes = await db.putMany(batch, { overwrite: true })
  const failed = outcomes.find((outcome) => !outcome.ok)
  if (failed) throw failed.error
}

const phases = {
  async fill() {
    let jsonBytes = 0
    const db = await open(task.folder)
    for (const batch of batches()) {
      jsonBytes += Buffer.byteLength(batch.map((one) => JSON.stringify(one)).join(''))
      await put(db, batch)
    }
    await db.seal()
    const stats = await db.stats()
    await db.close()
    return { stats, jsonBytes, writtenBytes: writtenBytes() }
  },

  async compact() {
    const db = await open(task.folder)
    const ended = watchEventLoop()
    const start = performance.now()
    const report = await db.compact()
    const seconds = (performance.now() - start) / 1e3
    const late = ended()
    await wait(IDLE_MS)
    await db.close()
    return { report, seconds, late, writtenBytes: writtenBytes() }
  },

  async fresh() {
    for (const _ of batches());
    const all = [...live[task.order].values()]
    const db = await open(task.folder)
    for (let i = 0; i < all.length; i += BATCH) await put(db, all.slice(i, i + BATCH))
    await db.compact()
    await wait(IDLE_MS)
    await db.close()
    return {}
  },

  /** Opens again, and compares every document with what was put. */
  async check() {
    for (const _ of batches());
    const db = await open(task.folder)
    const stats = await db.stats()
    let count = 0
    for await (const { rev: _, ...doc } of db.list()) {
      assert.deepEqual({ ...doc }, live.first.get(doc.id))
      count += 1
    }
    assert.equal(count, live.first.size)
    await db.close()
    return { stats }
  },
}

const result = await phases[task.phase]()
process.send({ ...result, peakRssBytes: peakRssBytes() }, () => process.disconnect())
