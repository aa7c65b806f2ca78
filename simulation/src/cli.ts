import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { runSeed, runSeeds, type Task } from './job.js'
import { type ProfileName, profiles } from './profile.js'
import type { Summary } from './summary.js'
import { Tally } from './tally.js'

const USAGE = `npm run simulate -- [options]
  --seeds N      how many histories to run (100)
  --first N      the first seed (1)
  --seed N       only this seed
  --steps N      end the operations after N steps, to shorten a failure
  --profile NAME ${Object.keys(profiles).join(', ')} (everything)
  --jobs N       processes at once
  --verbose      print what happens; with --seed
  --keep-going   do not stop at the first failure
`

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    steps: { type: 'string' },
    profile: { type: 'string', default: 'everything' },
    jobs: { type: 'string', default: String(Math.max(1, availableParallelism() - 1)) },
    verbose: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(USAGE)
else process.exitCode = await main()

async function main(): Promise<number> {
  const task: Task = {
    profile: profileNamed(values.profile),
    ...(values.steps !== undefined && { steps: number('steps', values.steps) }),
  }
  const tally = new Tally()
  if (values.seed !== undefined) {
    const print = values.verbose ? (line: string) => console.log(line) : undefined
    const summary = await runSeed(number('seed', values.seed), task, print)
    tally.add(summary)
    if (summary.failure !== undefined) tellFailure(summary, task)
    console.log(`digest ${summary.digest}`)
  } else {
    await many(tally, task)
  }
  return tellTally(tally, values.seed === undefined && task.profile === 'everything')
}

async function many(tally: Tally, task: Task): Promise<void> {
  const begun = performance.now()
  const tell = () => {
    const { seeds, failures, counts } = tally
    const rate = (seeds / (performance.now() - begun)) * 1_000
    const crashes = (counts.get('kill') ?? 0) + (counts.get('power cut') ?? 0)
    const text = [`${seeds} seeds`, `${rate.toFixed(1)}/s`, `${failures.length} failed`]
    text.push(`${counts.get('operations') ?? 0} operations`, `${crashes} crashes`)
    console.log(text.join('  '))
  }
  const timer = setInterval(tell, 10_000)
  const seeds = seedsFrom(number('first', values.first), number('seeds', values.seeds), () =>
    values['keep-going'] ? false : tally.failures.length > 0,
  )
  await runSeeds(seeds, number('jobs', values.jobs), task, (summary) => {
    tally.add(summary)
    if (summary.failure !== undefined) tellFailure(summary, task)
  })
  clearInterval(timer)
  tell()
}

function* seedsFrom(first: number, count: number, enough: () => boolean): Generator<number> {
  for (let seed = first; seed < first + count && !enough(); seed++) yield seed
}

function tellFailure({ seed, failure, lines }: Summary, { profile, steps }: Task): void {
  const limit = steps === undefined ? '' : ` --steps ${steps}`
  console.log(`\nseed ${seed} failed: ${failure?.message}\n${failure?.stack}`)
  for (const line of lines) console.log(line)
  console.log(`replay: npm run simulate -- --seed ${seed} --profile ${profile}${limit} --verbose`)
}

function tellTally(tally: Tally, complete: boolean): number {
  console.log(`\n${tally.events} events in ${Math.round(tally.virtualMs / 1_000)} virtual seconds`)
  for (const [what, count] of [...tally.counts].sort()) console.log(`${String(count).padStart(10)} ${what}`)
  const lacking = complete && tally.failures.length === 0 ? tally.lacking() : []
  if (lacking.length > 0) console.log(`\nnot valid, too little happened: ${lacking.join('; ')}`)
  return tally.failures.length > 0 || lacking.length > 0 ? 1 : 0
}

function profileNamed(name: string): ProfileName {
  const found = (Object.keys(profiles) as ProfileName[]).find((one) => one === name)
  if (found === undefined) throw new RangeError(`--profile is one of ${Object.keys(profiles).join(', ')}`)
  return found
}

function number(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`--${name} is a whole number`)
  return value
}
