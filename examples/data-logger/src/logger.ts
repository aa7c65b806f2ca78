import type { Database } from '@mynah/core'
import type { Replication } from '@mynah/replication'
import { countersOf } from './counters.js'
import type { Screen } from './screen.js'
import { formatStatus } from './status-line.js'
import { type Sample, Telemetry } from './telemetry.js'
import { startTicks } from './ticks.js'

export interface LoggerOptions {
  /** The folder of the database; its disk is the one that is watched. */
  readonly folder: string
  readonly intervalMs: number
  readonly screen: Screen
}

/** A logger at work. */
export interface Logger {
  /** Ends after the sample that is being taken. */
  stop(): Promise<void>
}

/** Puts a sample into the database at each tick and shows how things stand. Never waits for the network. */
export async function startLogger(
  db: Database,
  replication: Replication,
  options: LoggerOptions,
): Promise<Logger> {
  const telemetry = new Telemetry(options.folder, await countersOf(process.platform))
  await telemetry.begin()
  let last: Sample | undefined
  let samples = 0
  let sampleBytes = 0
  let fault: string | undefined
  let shownState = ''
  let timer: NodeJS.Timeout | undefined

  async function show(how: { readonly now?: boolean } = {}): Promise<void> {
    const { documents, diskBytes } = await db.stats()
    const { state, ahead, behind } = replication.status()
    const line = formatStatus({
      documents,
      jsonBytes: samples === 0 ? 0 : Math.round((documents * sampleBytes) / samples),
      diskBytes,
      mirror: state,
      ahead,
      behind,
      skipped: ticks.skipped(),
      cpuPercent: last?.cpuPercent,
      memoryPercent: last?.memoryPercent,
      lastSample: last?.at,
      fault,
    })
    const reachable = state === 'offline' || state === 'error' ? state : 'reachable'
    options.screen.status(line, { now: how.now === true || reachable !== shownState })
    shownState = reachable
  }

  // Halfway to the next sample, when this one has had the time to reach the mirror.
  function showSoon(): void {
    clearTimeout(timer)
    timer = setTimeout(() => void show().catch(() => undefined), Math.min(500, options.intervalMs / 2))
  }

  const ticks = startTicks(
    options.intervalMs,
    async (at) => {
      const sample = await telemetry.sample(at)
      last = await db.put(sample)
      samples += 1
      sampleBytes += JSON.stringify(sample).length
      fault = undefined
      showSoon()
    },
    (error) => {
      // A full disk, or a clock that was set back onto a sample: said on the screen, and the next one is tried.
      fault = error instanceof Error ? error.message : String(error)
      showSoon()
    },
  )
  return {
    async stop() {
      await ticks.stop()
      clearTimeout(timer)
      await show({ now: true })
      options.screen.end()
    },
  }
}
