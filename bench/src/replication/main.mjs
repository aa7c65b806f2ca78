import { availableParallelism, cpus } from 'node:os'
import { gzipSync } from 'node:zlib'
import { createReadings } from '../readings.mjs'
import { measurements } from './phases.mjs'
import { formatReport } from './report.mjs'

/** Measures what the options ask for, the systems in turns, and prints the tables. */
export async function measureReplication(options) {
  const rounds = []
  for (let round = 0; round < options.rounds; round++) {
    const order = round % 2 === 0 ? options.systems : options.systems.toReversed()
    const results = {}
    for (const measurement of options.measurements) {
      for (const system of order) {
        process.stderr.write(`round ${round + 1}: ${measurement}, ${system}\n`)
        results[system] ??= {}
        results[system][measurement] = await measurements[measurement]({ ...options, system })
      }
    }
    rounds.push(results)
  }
  const readings = createReadings({
    seed: options.seed,
    ids: 'device',
    times: 'ms',
    count: options.documents,
  })
  const lines = readings.map((reading) => `${JSON.stringify(reading)}\n`).join('')
  const machine = `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${process.platform}`
  process.stdout.write(
    `${formatReport({
      ...options,
      rounds,
      jsonBytes: Buffer.byteLength(lines),
      gzippedBytes: gzipSync(lines).length,
      machine,
      node: process.version.slice(1),
    })}\n`,
  )
}
