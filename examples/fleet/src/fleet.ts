import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@mynah/replication'
import { LoggerProcess, MirrorProcess } from './processes.js'

const DATABASE = 'readings'
const EQUAL_MS_MAX = 60_000

export interface FleetOptions {
  /** How long each of the three parts takes: both mirrors, one killed, both again. */
  readonly partMs: number
  readonly say: (line: string) => void
}

/** What came of it. */
export interface FleetReport {
  readonly written: number
  /** Readings that a logger acknowledged and a mirror does not have. */
  readonly missing: readonly string[]
  /** Readings that a mirror has twice, or that nobody wrote. */
  readonly strange: readonly string[]
}

/** Three loggers write to two mirrors, of which one is killed with `kill -9` and started again. */
export async function runFleet({ partMs, say }: FleetOptions): Promise<FleetReport> {
  const place = await mkdtemp(join(tmpdir(), 'mynah-fleet-'))
  const data = (name: string) => join(place, name)
  const mirrors: MirrorProcess[] = []
  const loggers: LoggerProcess[] = []
  try {
    const first = await MirrorProcess.start({ data: data('first'), port: 0, create: DATABASE })
    mirrors.push(first)
    const second = await MirrorProcess.start({ data: data('second'), port: 0, mirrorOf: first.origin })
    mirrors.push(second)
    const addresses = mirrors.map(({ origin }) => `${origin}/v1/${DATABASE}`)
    for (const name of ['boiler', 'pump', 'roof'])
      loggers.push(new LoggerProcess(name, data(name), addresses))

    say(`two mirrors, ${addresses.join(' and ')}; three loggers write`)
    await pause(partMs)
    say(lineOf(loggers))
    await first.kill('SIGKILL')
    say('the first mirror is killed; the loggers go on')
    await pause(partMs)
    say(lineOf(loggers))
    const port = Number(new URL(first.origin).port)
    mirrors.push(await MirrorProcess.start({ data: data('first'), port, mirrorOf: second.origin }))
    say('the first mirror is there again')
    await pause(partMs)
    await Promise.all(loggers.map((logger) => logger.stop()))
    say(lineOf(loggers))
    return await compare(loggers, addresses, say)
  } finally {
    for (const logger of loggers) logger.kill()
    for (const mirror of mirrors) await mirror.kill('SIGTERM')
    await rm(place, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Waits until both mirrors have as many, then looks at each reading. */
async function compare(
  loggers: readonly LoggerProcess[],
  addresses: readonly string[],
  say: FleetOptions['say'],
): Promise<FleetReport> {
  const written = new Set(loggers.flatMap((logger) => logger.written))
  const missing: string[] = []
  const strange: string[] = []
  for (const address of addresses) {
    const mirror = await connect(address)
    const began = Date.now()
    while ((await mirror.count()) < written.size && Date.now() - began < EQUAL_MS_MAX) await pause(100)
    const found = new Set<string>()
    for await (const { id, load } of mirror.list()) {
      if (found.has(id) || !written.has(id) || typeof load !== 'number') strange.push(`${address}: ${id}`)
      found.add(id)
    }
    missing.push(...[...written].filter((id) => !found.has(id)).map((id) => `${address}: ${id}`))
    say(`${address} has ${found.size} of ${written.size} readings`)
    await mirror.close()
  }
  return { written: written.size, missing, strange }
}

function lineOf(loggers: readonly LoggerProcess[]): string {
  return loggers
    .map(({ name, written, news }) => {
      const mirror = news?.mirror === undefined ? 'none' : new URL(news.mirror).port
      return `${name}: ${written.length} written, ${news?.ahead ?? 0} ahead of the mirror at ${mirror}`
    })
    .join('; ')
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
