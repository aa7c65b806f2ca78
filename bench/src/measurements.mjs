/**
 * What is measured, each in a process of its own: a function of the store and the task, giving plain figures.
 * The task: { folder, seed, documents, batch, ids, times, … }.
 */
import { closeSync, fdatasyncSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { createDocuments, createUpdates } from './documents.mjs'
import { createStopwatch, dropPageCache, summarise, watchEventLoop, writtenBytes } from './measure.mjs'
import { createRandom, inBatches } from './readings.mjs'

/** The documents of a task; what their making left is collected first, so that it is not charged to the store. */
function prepareReadings(task, count) {
  const readings = createDocuments(task, count)
  globalThis.gc()
  return readings
}

async function insertAll(db, batches) {
  for (const batch of batches) {
    await db.putBatch(batch)
    // A synchronous store would else never let the event loop turn, and be spared its figure.
    await nextTurn()
  }
}

/** Batches one after another, until the store has closed. */
async function insert(store, task) {
  const batches = inBatches(prepareReadings(task, task.documents), task.batch)
  const stop = watchEventLoop()
  const watch = createStopwatch()
  const db = await store.open(task.folder)
  const opened = watch.wallSeconds()
  await insertAll(db, batches)
  const acknowledged = watch.wallSeconds()
  await db.settle()
  const settled = watch.wallSeconds()
  await db.close()
  return {
    insertSeconds: acknowledged - opened,
    settleSeconds: settled - acknowledged,
    closeSeconds: watch.wallSeconds() - settled,
    cpuSeconds: watch.cpuSeconds(),
    loop: stop(),
  }
}

/** Inserting all, changing a share of them in random order, and reading all in order of their ids. */
async function update(store, task) {
  const documents = prepareReadings(task, task.documents)
  const updates = createUpdates(task, documents, task.updatedShare)
  const jsonBytes = [...documents, ...updates].reduce(
    (sum, doc) => sum + Buffer.byteLength(JSON.stringify(doc)),
    0,
  )
  const written = writtenBytes()
  const db = await store.open(task.folder)
  await insertAll(db, inBatches(documents, task.batch))
  await db.settle()
  const watch = createStopwatch()
  for (const batch of inBatches(updates, task.batch)) {
    await db.updateBatch(batch)
    await nextTurn()
  }
  const updateSeconds = watch.wallSeconds()
  await db.settle()
  const scanned = createStopwatch()
  let count = 0
  for await (const doc of db.scan()) if (doc !== undefined) count++
  const scanSeconds = scanned.wallSeconds()
  if (count !== documents.length) throw new Error(`a scan gave ${count} of ${documents.length} documents`)
  for (const doc of updates.slice(-100)) checkReading(await db.get(doc.id), doc)
  await db.close()
  return {
    updatesPerSecond: updates.length / updateSeconds,
    scannedPerSecond: count / scanSeconds,
    writeAmplification: (writtenBytes() - written) / jsonBytes,
  }
}

/** Every member as it was written; what the store adds (its revision, an id by another name) is its own affair. */
function checkReading(doc, reading) {
  for (const member of Object.keys(reading)) {
    const found = member === 'id' ? (doc.id ?? doc._id) : doc[member]
    if (!isDeepStrictEqual(found, reading[member]))
      throw new Error(`wrong ${member} in ${reading.id}: ${JSON.stringify(doc)}`)
  }
}

/** Gets of random readings, one after another: how many a second. */
async function getRate(db, readings, count, random) {
  const picked = Array.from({ length: count }, () => readings[Math.floor(random() * readings.length)])
  for (const reading of picked.slice(0, count / 10)) await db.get(reading.id)
  const watch = createStopwatch()
  for (const reading of picked) await db.get(reading.id)
  return count / watch.wallSeconds()
}

/** Right after inserting, gets among the newest; after sealing, gets among all. */
async function read(store, task) {
  const random = createRandom(task.seed + 1)
  const readings = prepareReadings(task, task.documents)
  const db = await store.open(task.folder)
  await insertAll(db, inBatches(readings, task.batch))
  const newest = readings.slice(-task.hotDocuments)
  const hotPerSecond = await getRate(db, newest, task.gets, random)
  await db.settle()
  for (const reading of readings) checkReading(await db.get(reading.id), reading)
  const warmPerSecond = await getRate(db, readings, task.gets, random)
  await db.close()
  return { hotPerSecond, warmPerSecond }
}

async function openTimed(store, task, reading) {
  const watch = createStopwatch()
  const db = await store.open(task.folder)
  const openMs = watch.wallSeconds() * 1e3
  const doc = await db.get(reading.id)
  const readyMs = watch.wallSeconds() * 1e3
  checkReading(doc, reading)
  return { db, openMs, readyMs }
}

/** Opening an existing database, and up to the first answer. */
async function open(store, task) {
  const readings = prepareReadings(task, task.documents)
  const { db, openMs, readyMs } = await openTimed(store, task, readings[readings.length >> 1])
  const count = await db.count()
  await db.close()
  return { openMs, readyMs, count }
}

/** First gets of readings that lie so far apart that none finds what another has loaded. */
async function cold(store, task) {
  const random = createRandom(task.seed * 1_000 + task.start)
  const readings = prepareReadings(task, task.documents)
  const first = Math.floor(random() * task.coldStride)
  const picked = readings
    .filter((_, i) => i % task.coldStride === first)
    .map((reading) => ({ reading, order: random() }))
    .sort((a, b) => a.order - b.order)
  const pagesDropped = dropPageCache(task.folder)
  const db = await store.open(task.folder)
  const samples = []
  for (const { reading } of picked) {
    const start = performance.now()
    const doc = await db.get(reading.id)
    samples.push(performance.now() - start)
    checkReading(doc, reading)
  }
  await db.close()
  return { samples, pagesDropped }
}

/** Writes on and on, telling what is acknowledged, until somebody kills the process. */
async function writeUntilKilled(store, task) {
  const db = await store.open(task.folder)
  const batches = inBatches(prepareReadings(task, task.documents * 3), task.batch)
  let acknowledged = 0
  for (const batch of batches) {
    await db.putBatch(batch)
    acknowledged += batch.length
    process.send({ acknowledged, ready: acknowledged === task.documents })
    await nextTurn()
  }
  throw new Error('all was written before the kill came')
}

/** Makes the store as small as it can by its own means. */
async function shrink(store, task) {
  const db = await store.open(task.folder)
  await db.shrink()
  return {}
}

/** What the disk itself takes: append and fdatasync of each reading's JSON, milliseconds each. */
function appendRaw(file, readings) {
  return readings.map((reading) => {
    const bytes = Buffer.from(JSON.stringify(reading))
    const start = performance.now()
    writeSync(file, bytes)
    fdatasyncSync(file)
    return performance.now() - start
  })
}

async function putInFlight(db, readings, inFlight) {
  const samples = []
  let next = 0
  const writer = async () => {
    while (next < readings.length) {
      const reading = readings[next++]
      const start = performance.now()
      await db.put(reading)
      samples.push(performance.now() - start)
    }
  }
  const watch = createStopwatch()
  await Promise.all(Array.from({ length: inFlight }, writer))
  return { samples, seconds: watch.wallSeconds() }
}

/** Single puts, one and many in flight, in turns with the raw disk. */
async function durable(store, task) {
  const turn = task.onePuts + task.manyPuts
  const readings = prepareReadings(task, turn * task.turns)
  const db = await store.open(task.folder)
  mkdirSync(task.folder, { recursive: true })
  const file = openSync(join(task.folder, '..', `raw-${task.store}.bin`), 'a')
  const raw = []
  const one = { samples: [], seconds: 0 }
  const many = { samples: [], seconds: 0 }
  const add = (total, part) => {
    total.samples.push(...part.samples)
    total.seconds += part.seconds
  }
  for (let i = 0; i < task.turns; i++) {
    const first = readings.slice(i * turn, i * turn + task.onePuts)
    raw.push(...appendRaw(file, first))
    add(one, await putInFlight(db, first, 1))
    add(many, await putInFlight(db, readings.slice(i * turn + task.onePuts, (i + 1) * turn), task.inFlight))
  }
  closeSync(file)
  await db.close()
  const rate = ({ samples, seconds }) => ({ ...summarise(samples), perSecond: samples.length / seconds })
  return { raw: summarise(raw), one: rate(one), many: rate(many) }
}

export const measurements = { insert, update, read, open, cold, writeUntilKilled, shrink, durable }
