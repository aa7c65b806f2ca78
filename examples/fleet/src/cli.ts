#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { runFleet } from './fleet.js'

const help = `fleet [--seconds N]

Three loggers and two mirrors, each a process, on free ports of 127.0.0.1. One mirror is killed with kill -9 while the
loggers write, and started again. In the end both mirrors are to have each reading once.

  --seconds N  how long each of the three parts takes; default 5`

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '5' }, help: { type: 'boolean', short: 'h' } },
})
const seconds = Number(values.seconds)
if (values.help) console.log(help)
else if (!(seconds > 0 && seconds <= 3_600)) {
  console.error('--seconds is a number from 0 to 3600')
  process.exitCode = 1
} else {
  const { written, missing, strange } = await runFleet({ partMs: 1_000 * seconds, say: console.log })
  console.log(`${written} readings; ${missing.length} missing, ${strange.length} twice or from nowhere`)
  if (written === 0 || missing.length + strange.length > 0) process.exitCode = 1
}
