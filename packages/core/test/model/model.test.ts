import { writeSync } from 'node:fs'
import { expect, test } from 'vitest'
import { runHistory } from './run.js'

/** `npm run model` asks for more, and to be told how far it is. */
const histories = Number(process.env.MYNAH_MODEL_HISTORIES ?? 200)
const first = Number(process.env.MYNAH_MODEL_SEED ?? 1)
const tells = process.env.MYNAH_MODEL_HISTORIES !== undefined
const FAILURES = 3

test(`a database does what a naive model does, in ${histories} histories from seed ${first} on`, async () => {
  const failures: string[] = []
  const counts = new Map<string, number>()
  let done = 0
  for (; done < histories && failures.length < FAILURES; done++) {
    try {
      for (const [what, times] of await runHistory(first + done))
        counts.set(what, (counts.get(what) ?? 0) + times)
    } catch (error) {
      failures.push(error instanceof Error ? `${error.message}\n${String(error.stack)}` : String(error))
    }
    if (tells && done % 100 === 99) writeSync(1, `${done + 1} histories, ${failures.length} failed\n`)
  }
  if (tells)
    for (const [what, times] of [...counts].sort()) writeSync(1, `${String(times).padStart(8)} ${what}\n`)
  expect(failures.join('\n\n')).toBe('')
}, 3_600_000)
