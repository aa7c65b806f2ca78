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
  .addHelpText(
    'after',
    `
Environment:
  MYNAH_TOKEN  what peers must send as "Authorization: Bearer"; needed to listen on other
               addresses than this machine's own

Example:
  mynah serve --data ./mirror --create sensors
  Peers then replicate with http://127.0.0.1:8800/v1/sensors`,
  )
  .action(async (options: Options) => {
    const token = process.env.MYNAH_TOKEN
    const { create = [], ...where } = options
    await serve({ ...where, create, token: token === '' ? undefined : token }, createLogger())
  })

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof StartError)) throw error
  process.stderr.write(`mynah: ${error.message}\n`)
  process.exit(1)
}
