/** One measurement of one store, alone in its process. Started by `run-child.mjs` with the task as JSON. */

import { peakRssBytes } from './measure.mjs'
import { measurements } from './measurements.mjs'
import { stores } from './stores.mjs'

const task = JSON.parse(process.argv[2])
const store = stores[task.store]
await store.load()
const result = await measurements[task.measurement](store, task)
process.send({ result: { ...result, peakRssBytes: peakRssBytes() } }, () => process.disconnect())
