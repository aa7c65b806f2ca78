/** One replica, alone in its process. Started by `phases.mjs` with the task as JSON. */
import { once } from 'node:events'
import { createStopwatch, peakRssBytes } from '../measure.mjs'
import { createReadings } from '../readings.mjs'
import { systems } from './systems.mjs'
import { watchTraffic } from './traffic.mjs'

const BATCH = 1_000
const task = JSON.parse(process.argv[2])
const system = systems[task.system]
const traffic = watchTraffic()

const phases = {
  /** Puts the readings into a new database, and leaves it as one that has been at rest. */
  async fill() {
    const db = await system.open(task.folder)
    const readings = createReadings({ seed: task.seed, ids: 'device', times: 'ms', count: task.documents })
    for (let i = 0; i < readings.length; i += BATCH) await system.insert(db, readings.slice(i, i + BATCH))
    await system.settle(db)
    await system.close(db)
    return {}
  },
  pull: () => timed('pull'),
  push: () => timed('push'),
  /** Puts a reading when it is told to, and says when. */
  async writer() {
    const db = await system.open(task.folder)
    const readings = createReadings({ seed: task.seed, ids: 'device', times: 'ms', count: task.writes })
    await system.follow(db, task.url)
    return serve(async (n) => {
      const startedAt = now()
      await system.put(db, readings[n])
      process.send({ startedAt, acknowledgedAt: now() })
    })
  },
  /** Says when it sees a change. */
  async reader() {
    const db = await system.open(task.folder)
    await system.follow(db, task.url)
    void system.onChange(db, (id) => process.send({ seen: id, at: now() }))
    return serve(() => undefined)
  },
}

/** Milliseconds of the machine's own clock, the same in all processes. */
function now() {
  return Number(process.hrtime.bigint()) / 1e6
}

async function timed(direction) {
  const db = await system.open(task.folder)
  const watch = createStopwatch()
  await system[direction](db, task.url)
  const result = { seconds: watch.wallSeconds(), cpuSeconds: watch.cpuSeconds(), ...traffic() }
  const documents = await system.count(db)
  if (documents !== task.documents) throw new Error(`${documents} documents of ${task.documents}`)
  await system.close(db)
  return result
}

/** Does what it is told, until it is told to end; gives the traffic in between. */
async function serve(run) {
  const before = traffic()
  const watch = createStopwatch()
  process.on('message', ({ write }) => {
    if (write !== undefined) void run(write)
  })
  process.send({ ready: true })
  for (;;) {
    const [message] = await once(process, 'message')
    if (message.end) break
  }
  const after = traffic()
  return {
    bytesUp: after.bytesUp - before.bytesUp,
    bytesDown: after.bytesDown - before.bytesDown,
    requests: after.requests - before.requests,
    cpuSeconds: watch.cpuSeconds(),
  }
}

const result = await phases[task.phase]()
process.send({ result: { ...result, peakRssBytes: peakRssBytes() } }, () => process.exit())
