import { parseArgs } from 'node:util'
import { type MirrorCheck, mirrorCompliance } from './mirror.js'

const help = `Usage: mynah-compliance [options] <url>

Checks whether the mirror at the url keeps the rules of the replication protocol (docs/protocol.md): one line for each
rule. Makes databases whose names begin with "compliance-", and asks the mirror to delete them again.

  <url>           of the mirror, not of a database: http://127.0.0.1:8800/v1
  --only <text>   only rules whose sentence has the text
  --quick         not those that take 15 s
  --list          only tell the rules
  --help

Environment:
  MYNAH_TOKEN     what the mirror wants as "Authorization: Bearer", for all databases

Exit code: 0 when all rules are kept, 1 when one is broken, 2 when nothing was checked.`

/** A reason to check nothing, in words for the user. */
class UsageError extends Error {}

interface Wanted {
  readonly url: string
  readonly checks: readonly MirrorCheck[]
  readonly list: boolean
}

function wanted(args: readonly string[]): Wanted | undefined {
  const { values, positionals } = parse(args)
  if (values.help) return undefined
  const [given, ...more] = positionals
  if (more.length > 0 || (given === undefined && !values.list)) throw new UsageError('One url is needed.')
  const url = rootOf(given ?? 'http://127.0.0.1/v1')
  const token = process.env.MYNAH_TOKEN
  const all = mirrorCompliance({ url, ...(token ? { token } : {}) })
  const { only = '', quick, list } = values
  const checks = all.filter(({ name, patient }) => name.includes(only) && !(quick && patient))
  if (checks.length === 0) throw new UsageError(`No rule has the text ${JSON.stringify(only)}.`)
  return { url, checks, list }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        only: { type: 'string' },
        quick: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause })
  }
}

/** The mirror's address in the form that the checks want. */
function rootOf(given: string): string {
  if (!/^https?:\/\//.test(given) || !URL.canParse(given)) throw new UsageError(`${given} is no http(s) url.`)
  const url = new URL(given)
  const path = url.pathname.replace(/\/+$/, '')
  if (path !== '' && !path.endsWith('/v1')) throw new UsageError('The url of a mirror ends with /v1.')
  return `${url.origin}${path === '' ? '/v1' : path}`
}

async function reach(url: string): Promise<void> {
  try {
    await fetch(url, { redirect: 'manual' })
  } catch (error) {
    const { cause, message } = error as Error
    const reason =
      cause instanceof Error ? cause.message || String((cause as { code?: string }).code) : message
    throw new UsageError(`Nothing answers at ${url}: ${reason}`)
  }
}

async function main(): Promise<number> {
  const asked = wanted(process.argv.slice(2))
  if (asked === undefined) return say(help, 0)
  const { url, checks, list } = asked
  if (list) return say(checks.map(({ name }) => name).join('\n'), 0)
  await reach(url)
  let broken = 0
  for (const { name, run } of checks) {
    try {
      await run()
      say(`kept    ${name}`, 0)
    } catch (error) {
      broken += 1
      say(`BROKEN  ${name}\n        ${error instanceof Error ? error.message : String(error)}`, 0)
    }
  }
  return say(`${checks.length - broken} of ${checks.length} rules are kept`, broken === 0 ? 0 : 1)
}

function say(text: string, code: number): number {
  process.stdout.write(`${text}\n`)
  return code
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`mynah-compliance: ${error.message} See --help.\n`)
  process.exitCode = 2
}
