import { Command, Option } from 'commander'
import { namesOf, settingsFrom, settingsJson, table, variableOf } from '../config/settings.js'
import { createLogger } from './logger.js'
import { runMirror } from './run-mirror.js'

/** `mynah serve`: runs a mirror. */
export function serveCommand(): Command {
  const command = new Command('serve').description('run a mirror until SIGINT or SIGTERM')
  for (const name of namesOf(table)) {
    const { flags, about, initial } = table[name]
    if (flags === undefined) continue
    const isShown = typeof initial === 'string' || typeof initial === 'number'
    command.addOption(new Option(flags, isShown ? `${about} (default: ${initial})` : about))
  }
  return command
    .option('--config <file>', 'file of settings, a JSON object; also MYNAH_CONFIG')
    .option('--print-config', 'print the settings as they are taken, and end')
    .addHelpText('after', help())
    .action(async (flags: Readonly<Record<string, unknown>>) => {
      const settings = settingsFrom({ flags, env: process.env })
      if (flags.printConfig === true) process.stdout.write(`${settingsJson(settings)}\n`)
      else await runMirror(settings, createLogger(settings.logLevel))
    })
}

function help(): string {
  const secrets = namesOf(table)
    .filter((name) => table[name].flags === undefined)
    .map((name) => `  ${variableOf(name)}: ${table[name].about}`)
  return `
Each option is a variable too (--mirror-of is ${variableOf('mirrorOf')}, lists with commas), and a member of the file
("mirrorOf": […]). An option goes before the variable, and that before the file. Secrets are no options, as others
see those:
${secrets.join('\n')}

Without a token a mirror listens on this machine's own addresses only.

Example:
  mynah serve --data ./mirror --create sensors
  Peers then replicate with http://127.0.0.1:8800/v1/sensors
  mynah serve --data ./second --port 8801 --mirror-of http://127.0.0.1:8800`
}
