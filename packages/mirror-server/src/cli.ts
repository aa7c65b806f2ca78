#!/usr/bin/env node
import { Command, InvalidArgumentError } from 'commander'
import { createLogger } from './logger.js'
import { StartError, serve } from './serve.js'
import { version } from './version.js'

function parsePort(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new InvalidArgumentError('It is a number from 0 (any free port) to 65535.')
  }
  return Number(text)
}

interface Options {
  readonly data: string
  readonly port: number
  readonly host: string
  readonly create?: readonly string[]
  readonly mirrorOf?: readonly string[]
  readonly advertise?: readonly string[]
}

const program = new Command('mynah')
  .description('Keeps full copies of Mynah databases and serves them to peers over HTTP.')
  .version(version)

program
  .command('serve')
  .description('run a mirror until SIGINT or SIGTERM')
  .requiredOption('--data <dir>', 'folder of the databases, made when it is not there')
  .option('--port <number>', 'port to listen on; 0 for any that is free', parsePort, 8800)
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--create <name...>', 'databases to make where they are not there yet')
  .option('--mirror-of <url...>', 'other mirrors, whose databases this one has too, kept equal each way')
  .option('--advertise <url...>', 'where peers reach this mirror and others; default: those of --mirror-of')
  .addHelpText(
    'after',
    `
Environment:
  MYNAH_TOKEN  what peers must send as "Authorization: Bearer"; needed to listen on other
               addresses than this machine's own
  MYNAH_MIRROR_TOKEN  what this mirror sends to those of --mirror-of; default MYNAH_TOKEN

Example:
  mynah serve --data ./mirror --create sensors
  Peers then replicate with http://127.0.0.1:8800/v1/sensors
  mynah serve --data ./second --port 8801 --mirror-of http://127.0.0.1:8800`,
  )
  .action(async (options: Options) => {
    const token = process.env.MYNAH_TOKEN || undefined
    const mirrorOfToken = process.env.MYNAH_MIRROR_TOKEN || token
    const { create = [], mirrorOf = [], advertise, ...where } = options
    await serve({ ...where, create, token, mirrorOf, mirrorOfToken, advertise }, createLogger())
  })

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof StartError)) throw error
  process.stderr.write(`mynah: ${error.message}\n`)
  process.exit(1)
}
