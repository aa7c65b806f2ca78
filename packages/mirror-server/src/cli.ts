#!/usr/bin/env node
import { Command } from 'commander'
import { serveCommand } from './commands/serve.js'
import { tokenCommand } from './commands/token.js'
import { StartError } from './config/start-error.js'
import { version } from './version.js'

const program = new Command('mynah')
  .description('Keeps full copies of Mynah databases and serves them to peers over HTTP.')
  .version(version)
  .addCommand(serveCommand())
  .addCommand(tokenCommand())

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof StartError)) throw error
  process.stderr.write(`mynah: ${error.message}\n`)
  process.exit(1)
}
