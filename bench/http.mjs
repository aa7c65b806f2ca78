// The entry of `npm run bench:http`: requests a second, beside a bare route of the same framework and a PouchDB server.
import { parseArgs } from 'node:util'
import { setUp } from '../scripts/set-up.mjs'
import { install } from './src/install.mjs'

const help = `Requests a second of a mirror, beside a bare fastify route and a PouchDB server, in one run.

  npm run bench:http -- [options]

  --rounds N       times that all is measured, in turns; figures are medians (3)
  --seconds N      that each measurement takes (4)
  --connections N  at once (32)
  --help           this

Servers are processes of their own, on loopback. Takes some two minutes. Prints markdown.`

function positiveInteger(name, text) {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`--${name} takes a whole number from 1`)
  return value
}

async function main(args) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '4' },
      connections: { type: 'string', default: '32' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(`${help}\n`)
    return
  }
  await setUp({ tools: false })
  await install()
  const { measureHttp } = await import('./src/http/main.mjs')
  await measureHttp({
    rounds: positiveInteger('rounds', values.rounds),
    seconds: positiveInteger('seconds', values.seconds),
    connections: positiveInteger('connections', values.connections),
  })
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error instanceof Error && error.shown ? error.message : (error.stack ?? error)}\n`)
  process.exitCode = 1
})
