import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { countOf, sets } from './documents.mjs'
import { filesBelow } from './measure.mjs'
import { createRandom } from './readings.mjs'
import { runChild } from './run-child.mjs'
import { stores } from './stores.mjs'

/** More documents than any shard of Mynah's holds, where there are so many readings: cold gets this far apart find nothing in memory. */
const coldStride = 4_000
const coldStarts = 4
/** What is measured with all sets; the rest only with readings. */
const ofEverySet = ['insert', 'update', 'read', 'cold', 'shrink']
/** Killed are only those whose opening afterwards was asked for. */
const killed = ['mynah', 'pouchdb', 'sqlite']

/** Bytes on disk by part of the store, all told, and as the disk counts them in blocks. */
function weigh(store, folder) {
  const parts = {}
  let bytes = 0
  let diskBytes = 0
  for (const file of filesBelow(folder)) {
    const part = stores[store].part(file.path)
    parts[part] = (parts[part] ?? 0) + file.bytes
    bytes += file.bytes
    diskBytes += file.diskBytes
  }
  return { bytes, diskBytes, parts }
}

/** Runs one measurement of one store with a set, in a round. */
function createRunner(options, round, data, set) {
  const { seed, ids, times } = options
  const documents = countOf(set, options.documents)
  const common = { set, seed, round, documents, ids, times, batch: 1_000 }
  return (measurement, store, folder, more = {}, how = {}) => {
    const profiled = options.profile && store === 'mynah'
    const execArgv = profiled ? profileFlags(options.profileFolder, `${set}-${measurement}`) : []
    const task = { ...common, measurement, store, folder: join(data, folder), ...more }
    return runChild(task, { ...how, execArgv })
  }
}

/** One round's ways to measure: each takes a store's name and gives its figures. */
function createSteps(options, round, data, set) {
  const random = createRandom(options.seed * 1_000 + round)
  const run = createRunner(options, round, data, set)
  return {
    async insert(store) {
      const inserted = await run('insert', store, store)
      const sealed = weigh(store, join(data, store))
      return { ...inserted, sealed }
    },
    update: (store) => run('update', store, `${store}-update`, { updatedShare: 0.2 }),
    read: (store) => run('read', store, `${store}-read`, { hotDocuments: 1_000, gets: 20_000 }),
    async cold(store) {
      const starts = []
      for (let start = 1; start <= coldStarts; start++) {
        starts.push(
          await run('cold', store, store, {
            coldStride: Math.ceil(coldStride * sets[set].part),
            start: round * coldStarts + start,
          }),
        )
      }
      return { samples: starts.flatMap(({ samples }) => samples), pagesDropped: starts[0].pagesDropped }
    },
    open: (store) => run('open', store, store),
    async kill(store) {
      const folder = `${store}-kill`
      const killAfterMs = Math.floor(random() * 200)
      const { acknowledged } = await run('writeUntilKilled', store, folder, {}, { killAfterMs })
      const reopened = await run('open', store, folder)
      if (reopened.count < acknowledged) {
        throw new Error(
          `${store} lost ${acknowledged - reopened.count} of ${acknowledged} documents to a kill`,
        )
      }
      return { ...reopened, acknowledged }
    },
    durable: (store) =>
      run('durable', store, `${store}-durable`, {
        turns: options.quick ? 3 : 6,
        onePuts: 200,
        manyPuts: 3_200,
        inFlight: 64,
      }),
    /** Last of all, since it changes what the others look at. */
    async shrink(store) {
      await run('shrink', store, store)
      return weigh(store, join(data, store))
    },
  }
}

function profileFlags(folder, measurement) {
  return [
    '--cpu-prof',
    `--cpu-prof-dir=${folder}`,
    `--cpu-prof-name=${measurement}-${process.hrtime.bigint()}.cpuprofile`,
  ]
}

/** Measurements that look at the databases which `insert` leaves behind. */
const needInsert = ['cold', 'open']

/**
 * Measures all stores once with each set, one measurement after another, the stores in turns: what is compared ran
 * close together. Gives the results by set, store and measurement.
 */
export async function measureRound(options, round, data, progress) {
  const results = {}
  for (const set of options.sets) {
    results[set] = await measureSet(options, round, data, set, (what) =>
      progress(`round ${round}: ${sets[set].title}, ${what}`),
    )
  }
  return results
}

async function measureSet(options, round, data, set, progress) {
  rmSync(data, { recursive: true, force: true })
  mkdirSync(data, { recursive: true })
  const steps = createSteps(options, round, data, set)
  const wanted = options.measurements
  const names =
    !wanted.includes('insert') && needInsert.some((name) => wanted.includes(name))
      ? ['insert', ...wanted]
      : wanted
  const results = Object.fromEntries(options.stores.map((store) => [store, {}]))
  for (const name of names.includes('insert') ? [...names, 'shrink'] : names) {
    if (set !== 'iot' && !ofEverySet.includes(name)) continue
    for (const store of options.stores) {
      if (name === 'kill' && !killed.includes(store)) continue
      progress(`${name}, ${stores[store].title}`)
      results[store][name] = await steps[name](store)
    }
  }
  rmSync(data, { recursive: true, force: true })
  return results
}
