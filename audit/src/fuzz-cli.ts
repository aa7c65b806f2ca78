import { parseArgs } from 'node:util'
import { fuzz } from './fuzz/fuzz.js'
import { wholeNumber } from './whole-number.js'

const help = `npm run fuzz -- [options]: sends spoilt requests to every path of a mirror.

  --requests N    how many                                             (20000)
  --seed N        make the choices of an earlier run             (another each time)
  --from N        begin with this request of the seed, to see one by itself  (0)
`

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      requests: { type: 'string', default: '20000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 32)) },
      from: { type: 'string', default: '0' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(help)
  const seed = wholeNumber('seed', values.seed)
  console.log(`seed ${seed}`)
  let shownMs = 0
  const report = await fuzz({
    seed,
    requests: wholeNumber('requests', values.requests),
    from: wholeNumber('from', values.from),
    onProgress(done, rssBytes) {
      if (Date.now() - shownMs < 10_000) return
      shownMs = Date.now()
      console.log(`${done.toLocaleString('en')} requests, ${megabytes(rssBytes)} of memory`)
    },
  })
  const { requests, statuses, slowestMs, rssBytes } = report
  console.log(
    `${requests.toLocaleString('en')} requests: ${JSON.stringify(statuses)}; the slowest took ${slowestMs} ms; memory ` +
      `${megabytes(rssBytes.before)} after half, ${megabytes(rssBytes.after)} at the end, ${megabytes(rssBytes.most)} at most`,
  )
  for (const fault of report.faults) console.log(`  ${fault}`)
  console.log(report.faults.length === 0 ? 'nothing wrong' : `FAILED, with seed ${seed}`)
  if (report.faults.length > 0) process.exitCode = 1
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
