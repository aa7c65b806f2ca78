#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { type Database, LockedError, open } from '@mynah/core'
import type { Replication } from '@mynah/replication'
import { importFile } from './import.js'
import { startLogger } from './logger.js'
import { replicateTo } from './replicate-to.js'
import { Screen } from './screen.js'
import { bytes, count } from './status-line.js'

const help = `data-logger: records this machine's telemetry in an embedded Mynah database.

  --data DIR        the database's folder                                  (data/logger)
  --mirror URL      where it is replicated to       (http://127.0.0.1:8800/v1/telemetry)
  --interval MS     time between two samples                                      (1000)
  --import FILE     rather than sampling, put the rows of a CSV or NDJSON file into it
  --wait            with --import: end only when the mirror has them
`

interface Options {
  readonly data: string
  readonly mirror: string
  readonly intervalMs: number
  readonly importFile: string | undefined
  readonly wait: boolean
}

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort())
// The reader of our output is gone, and with it the point of showing anything.
process.stdout.on('error', () => stopping.abort())

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})

async function main(): Promise<void> {
  const options = parseOptions()
  if (options === undefined) return console.log(help)
  const screen = new Screen(process.stdout)
  await using db = await openDatabase(options.data)
  await using replication = await replicateTo(db, options.mirror)
  if (options.importFile === undefined) await log(db, replication, options, screen)
  else await runImport(db, replication, { ...options, importFile: options.importFile }, screen)
}

async function log(db: Database, replication: Replication, options: Options, screen: Screen): Promise<void> {
  const { data: folder, intervalMs } = options
  const logger = await startLogger(db, replication, { folder, intervalMs, screen })
  await aborted(stopping.signal)
  await logger.stop()
}

async function runImport(
  db: Database,
  replication: Replication,
  options: Options & { readonly importFile: string },
  screen: Screen,
): Promise<void> {
  const { signal } = stopping
  const report = await importFile(db, options.importFile, {
    signal,
    onBad: (line, reason) => screen.line(`${options.importFile}:${line}: left out: ${reason}`),
    onProgress: (at) => {
      const share = at.bytesTotal === 0 ? 100 : Math.floor((at.bytes / at.bytesTotal) * 100)
      const speed = `${count(Math.round(at.rowsPerSecond))} rows/s`
      screen.status(
        `${count(at.rows)} rows · ${speed} · ${bytes(at.bytes)} of ${bytes(at.bytesTotal)} (${share} %)`,
      )
    },
  })
  screen.end()
  const same = report.imported - report.added - report.changed
  screen.line(
    `${count(report.imported)} rows imported in ${(report.ms / 1_000).toFixed(1)} s: ${count(report.added)} new, ` +
      `${count(report.changed)} changed, ${count(same)} as before; ${count(report.bad)} left out`,
  )
  if (options.wait && !signal.aborted) {
    screen.line(`waiting until ${options.mirror} has them …`)
    await replication.synced({ signal })
    screen.line('the mirror has them')
  }
  if (signal.aborted) {
    screen.line('stopped before the end; the same command goes on')
    process.exitCode = 1
  }
}

async function openDatabase(folder: string): Promise<Database> {
  try {
    return await open(folder)
  } catch (error) {
    if (!(error instanceof LockedError)) throw error
    throw new Error(`${folder} is open in another process: is a logger running already?`, { cause: error })
  }
}

function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: 'data/logger' },
      mirror: { type: 'string', default: 'http://127.0.0.1:8800/v1/telemetry' },
      interval: { type: 'string', default: '1000' },
      import: { type: 'string' },
      wait: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return undefined
  const intervalMs = Number(values.interval)
  if (!Number.isSafeInteger(intervalMs) || intervalMs < 10) {
    throw new RangeError(`--interval takes whole milliseconds from 10, not "${values.interval}"`)
  }
  return {
    data: values.data,
    mirror: values.mirror,
    intervalMs,
    importFile: values.import,
    wait: values.wait,
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
