import { parseArgs } from 'node:util'
import { auditCrashes, type CrashCounts } from './crash-audit.js'
import { type DamageCounts, sweepDamage } from './damage-sweep.js'
import { auditFleet, type FleetCounts } from './fleet-audit.js'
import { auditRestarts, type RestartCounts } from './restart-audit.js'
import { wholeNumber } from './whole-number.js'

const help = `npm run audit -- [options]: kills databases, cuts their power, and counts what they lose.

  --kills N       processes killed, at least                           (1000)
  --cuts N        of those besides, how many lose what was not synced   (200)
  --documents N   documents with an acknowledged write, at least      (10000)
  --damage N      instead: files of a database damaged, N times
  --restarts N    instead: a mirror restarted N times while clients write to it
  --fleet         also two peers and a mirror, restarted and cut off
  --seed N        make the choices of an earlier run: what is written, when a process
                  is to die. How far it had come by then is up to the machine and
                  cannot be replayed.                          (another each time)
`
/** A line of progress for those who do not watch a screen. */
const QUIET_MS = 10_000
const FLEET = {
  restarts: 20,
  connectionCuts: 30,
  documents: 10_000,
  edits: 200,
  transactions: 100,
  evicted: 100,
} as const

const number = (value: number): string => value.toLocaleString('en')

/** Shows how far it is: in place on a screen, else now and then. */
function progress(): (text: string) => void {
  let shownMs = 0
  return (text) => {
    if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${text}`)
    else if (Date.now() - shownMs > QUIET_MS) {
      shownMs = Date.now()
      console.log(text)
    }
  }
}

function crashLine(counts: CrashCounts): string {
  const { kills, cuts, documents, acknowledged, transactions, inspections, databases } = counts
  return (
    `${number(kills)} kills, ${number(cuts)} power cuts, ${number(acknowledged)} acknowledged writes of ` +
    `${number(documents)} documents, ${number(transactions)} transactions, ` +
    `${number(inspections)} inspections, ${number(databases)} databases`
  )
}

function fleetLine(counts: FleetCounts): string {
  const { restarts, connectionCuts, documents, edits, transactions, evicted } = counts
  return (
    `${number(restarts)} restarts, ${number(connectionCuts)} connections cut, ${number(documents)} documents, ` +
    `${number(edits)} edits of the same ids on both sides, ${number(transactions)} transactions, ` +
    `${number(evicted)} bodies dropped`
  )
}

function conclude(report: { readonly seed: number; readonly faults: readonly string[] }, line: string): void {
  if (process.stdout.isTTY) process.stdout.write('\r\u001b[K')
  console.log(line)
  for (const fault of report.faults) console.log(`  ${fault}`)
  console.log(report.faults.length === 0 ? 'nothing lost, nothing wrong' : `FAILED, with seed ${report.seed}`)
  if (report.faults.length > 0) process.exitCode = 1
}

function damageLine({ damages, open, harmful, deaths, bySort }: DamageCounts): string {
  return (
    `${number(damages)} damages, ${number(open)} of them to open databases, ${number(harmful)} that cost ` +
    `documents, ${number(deaths)} processes that died; ${JSON.stringify(bySort)}`
  )
}

async function restarts(wanted: number, show: (text: string) => void): Promise<void> {
  const line = ({ restarts: done, acknowledged, repeated, slowestStopMs }: RestartCounts): string =>
    `${number(done)} restarts, ${number(acknowledged)} acknowledged writes, ${number(repeated)} sent again, ` +
    `slowest stop ${number(slowestStopMs)} ms`
  const options = { restarts: wanted, writers: 16, writesBetween: 100 }
  const report = await auditRestarts({ ...options, onProgress: (counts) => show(line(counts)) })
  if (process.stdout.isTTY) process.stdout.write('\r\u001b[K')
  console.log(line(report))
  for (const fault of report.faults) console.log(`  ${fault}`)
  console.log(report.faults.length === 0 ? 'nothing lost, nothing wrong' : 'FAILED')
  if (report.faults.length > 0) process.exitCode = 1
}

async function damageSweep(seed: number, damages: number, show: (text: string) => void): Promise<void> {
  const report = await sweepDamage({ seed, damages, onProgress: (counts) => show(damageLine(counts)) })
  conclude(report, damageLine(report))
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '1000' },
      cuts: { type: 'string', default: '200' },
      documents: { type: 'string', default: '10000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
      damage: { type: 'string' },
      restarts: { type: 'string' },
      fleet: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(help)
  const seed = wholeNumber('seed', values.seed)
  console.log(`seed ${seed}`)
  const show = progress()
  if (values.damage !== undefined) return damageSweep(seed, wholeNumber('damage', values.damage), show)
  if (values.restarts !== undefined) return restarts(wholeNumber('restarts', values.restarts), show)
  const crashes = await auditCrashes({
    seed,
    kills: wholeNumber('kills', values.kills),
    cuts: wholeNumber('cuts', values.cuts),
    documents: wholeNumber('documents', values.documents),
    onProgress: (counts) => show(crashLine(counts)),
  })
  conclude(crashes, `${crashLine(crashes)}; killed ${JSON.stringify(crashes.killedIn)}`)
  if (!values.fleet) return
  const fleet = await auditFleet({ seed, ...FLEET, onProgress: (counts) => show(fleetLine(counts)) })
  const agreed =
    fleet.convergedMs === undefined ? 'never agreed' : `agreed after ${number(fleet.convergedMs)} ms`
  conclude(fleet, `${fleetLine(fleet)}; ${agreed} on ${number(fleet.leaves)} leaves`)
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
