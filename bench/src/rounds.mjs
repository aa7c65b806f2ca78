import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { filesBelow } from './measure.mjs'
import { createRandom } from './readings.mjs'
import { runChild } from './run-child.mjs'
import { stores } from './stores.mjs'

/** More readings than any shard of Mynah's holds: cold gets this far apart find nothing in memory. */
const coldStride = 4_000
const coldStarts = 4

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

/** One round's ways to measure: each takes a store's name and gives its figures. */
function createSteps(options, round, data) {
  const random = createRandom(options.seed * 1_000 + round)
  const { seed, documents, ids, times } = options
  const run = (measurement, store, folder, more = {}, how = {}) =>
    runChild(
      {
        measurement,
        store,
        folder: join(data, folder),
        seed,
        round,
        documents,
        ids,
        times,
        batch: 1_000,
        ...more,
      },
      {
        ...how,
        execArgv:
          options.profile && store === 'mynah' ? profileFlags(options.profileFolder, measurement) : [],
      },
    )
  return {
    async insert(store) {
      const inserted = await run('insert', store, store)
      const sealed = weigh(store, join(data, store))
      return { ...inserted, sealed }
    },
    read: (store) => run('read', store, `${store}-read`, { hotDocuments: 1_000, gets: 20_000 }),
    async cold(store) {
      const starts = []
      for (let start = 1; start <= coldStarts; start++) {
        starts.push(await run('cold', store, store, { coldStride, start: round * coldStarts + start }))
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
        turns: options.quick ? 3 : 10,
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

/** Measures all stores once, one measurement after another, the stores in turns: what is compared ran close together. */
export async function measureRound(options, round, data, progress) {
  rmSync(data, { recursive: true, force: true })
  mkdirSync(data, { recursive: true })
  const steps = createSteps(options, round, data)
  const wanted = options.measurements
  const names =
    !wanted.includes('insert') && needInsert.some((name) => wanted.includes(name))
      ? ['insert', ...wanted]
      : wanted
  const results = Object.fromEntries(options.stores.map((store) => [store, {}]))
  for (const name of names.includes('insert') ? [...names, 'shrink'] : names) {
    for (const store of options.stores) {
      progress(`round ${round}: ${name}, ${stores[store].title}`)
      results[store][name] = await steps[name](store)
    }
  }
  rmSync(data, { recursive: true, force: true })
  return results
}
