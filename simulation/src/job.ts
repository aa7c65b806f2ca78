import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type ProfileName, profiles } from './profile.js'
import { run } from './run.js'
import { type Summary, summaryOf } from './summary.js'

/** What all runs of one call have in common. */
export interface Task {
  readonly profile: ProfileName
  readonly steps?: number
}

/** Runs one seed in this process. */
export async function runSeed(
  seed: number,
  { profile, steps }: Task,
  print?: (line: string) => void,
): Promise<Summary> {
  const limit = steps === undefined ? {} : { steps }
  return summaryOf(await run({ seed, profile: profiles[profile], ...limit, ...(print && { print }) }))
}

/** Runs the seeds in child processes, `jobs` at a time; calls with each summary as it comes. */
export async function runSeeds(
  seeds: Iterator<number>,
  jobs: number,
  task: Task,
  onSummary: (summary: Summary) => void,
): Promise<void> {
  const script = fileURLToPath(new URL('../dist/child.js', import.meta.url))
  await Promise.all(Array.from({ length: jobs }, () => child(script, seeds, task, onSummary)))
}

/** One child process after the other works at seeds: one that dies is a failure of the seed it was at. */
async function child(
  script: string,
  seeds: Iterator<number>,
  task: Task,
  onSummary: (summary: Summary) => void,
): Promise<void> {
  for (let next = seeds.next(); next.done !== true; ) {
    const worker = fork(script, [], { execArgv: ['--no-warnings'] })
    let at: number | undefined
    const send = () => {
      at = next.done === true ? undefined : next.value
      if (at === undefined) worker.disconnect()
      else worker.send({ seed: at, task })
    }
    worker.on('message', (summary: Summary) => {
      onSummary(summary)
      next = seeds.next()
      send()
    })
    send()
    const ended = await new Promise<string>((resolve) =>
      worker.on('exit', (code, signal) => resolve(String(signal ?? code))),
    )
    if (at === undefined) return
    onSummary(died(at, ended))
    next = seeds.next()
  }
}

function died(seed: number, how: string): Summary {
  const message = `the process ended: ${how}`
  const failure = { check: 'a process lives', message, stack: '' }
  return { seed, failure, lines: [], digest: '', counts: [], events: 0, virtualMs: 0 }
}
