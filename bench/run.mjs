// The entry of `npm run bench`: installs what the benchmark alone needs, compiles Mynah, then measures.
import { setUp } from '../scripts/set-up.mjs'
import { install } from './src/install.mjs'
import { help, readOptions } from './src/options.mjs'

async function main(args) {
  const options = readOptions(args)
  if (options.help) {
    process.stdout.write(`${help}\n`)
    return
  }
  await setUp({ tools: false })
  await install()
  // Loaded only now: what it imports has just been installed.
  const { measure } = await import('./src/main.mjs')
  await measure(options)
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error instanceof Error && error.shown ? error.message : (error.stack ?? error)}\n`)
  process.exitCode = 1
})
