import { limits } from '@mynah/core'
import { Command, InvalidArgumentError } from 'commander'
import { settingsFrom } from '../config/settings.js'
import { StartError } from '../config/start-error.js'
import { type Right, rights } from '../tokens/grant.js'
import { fileNameOf, idOfFile, type StoredToken } from '../tokens/token-file.js'
import { TokenStore } from '../tokens/token-store.js'

const UNITS_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}
/** They are told to peers, who ask by them. */
const PREFIXES_MAX = 100

interface Place {
  readonly data?: string
  readonly config?: string
}

interface CreateOptions extends Place {
  readonly db: readonly string[]
  readonly can: readonly Right[]
  readonly prefix?: readonly string[]
  readonly expires?: number
}

/** `mynah token`: makes, lists and revokes tokens in the folder of a mirror, which may be running. */
export function tokenCommand(): Command {
  const command = new Command('token').description('make, list and revoke the tokens of a mirror')
  withPlace(command.command('create'))
    .description('make a token, and print it: it is shown only now')
    .requiredOption('--db <name...>', 'databases that it is for; * stands for any text: site-*')
    .requiredOption('--can <rights>', `what it may: ${rights.join(', ')}, with commas in between`, readRights)
    .option('--prefix <prefix...>', 'only ids that begin with this; default: all')
    .option(
      '--expires <time>',
      'how long it is good: 90d, 12h, 30m, 4w; default: until it is revoked',
      readTime,
    )
    .action(create)
  withPlace(command.command('list')).description('list the tokens, never their secrets').action(list)
  withPlace(command.command('revoke'))
    .description('end a token; what it has open is cut within seconds')
    .argument('<id>', 'of the token, as in the list; or its whole text')
    .action(revoke)
  return command
}

function withPlace(command: Command): Command {
  return command
    .option('--data <dir>', "folder of the mirror's databases; also MYNAH_DATA")
    .option('--config <file>', 'file of settings that names the folder; also MYNAH_CONFIG')
}

async function create(options: CreateOptions): Promise<void> {
  const { db: databases, can, prefix: prefixes = [], expires: goodForMs } = options
  for (const pattern of databases)
    if (!/^[a-z0-9*][a-z0-9_.*-]{0,127}$/.test(pattern))
      throw new StartError(`${JSON.stringify(pattern)} can be no database's name.`)
  checkPrefixes(prefixes, can)
  const store = storeOf(options)
  const { text, ...token } = await reaching(store, () =>
    store.create({ databases, can, prefixes, goodForMs }, Date.now()),
  )
  process.stderr.write(`${lineOf(token)}\nIt is shown only now:\n`)
  process.stdout.write(`${text}\n`)
}

async function list(options: Place): Promise<void> {
  const store = storeOf(options)
  const { tokens, damaged } = await reaching(store, () => store.list())
  for (const token of tokens) process.stdout.write(`${lineOf(token)}\n`)
  for (const error of damaged) process.stderr.write(`mynah: ${error.message}\n`)
  if (tokens.length + damaged.length === 0) process.stderr.write(`There are no tokens in ${store.data}.\n`)
}

async function revoke(given: string, options: Place): Promise<void> {
  const store = storeOf(options)
  const id = /^mynah_([0-9a-f]{16})_/.exec(given)?.[1] ?? given
  // What is said of a text that is none must not repeat it: it may be a secret.
  if (idOfFile(fileNameOf(id)) === undefined) throw new StartError('An id is 16 digits of 0-9 and a-f.')
  if (!(await reaching(store, () => store.revoke(id))))
    throw new StartError(`There is no token ${id} in ${store.data}.`)
  process.stderr.write(`Revoked ${id}.\n`)
}

function storeOf({ data, config }: Place): TokenStore {
  const folder = settingsFrom({ flags: { data, config }, env: process.env }).data
  if (folder === undefined)
    throw new StartError('Say where the mirror keeps its data: --data, or MYNAH_DATA.')
  return new TokenStore(folder)
}

async function reaching<T>(store: TokenStore, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    throw new StartError(`The tokens of ${store.data} cannot be reached: ${(error as Error).message}`)
  }
}

function checkPrefixes(prefixes: readonly string[], can: readonly Right[]): void {
  if (prefixes.length === 0) return
  if (can.includes('admin'))
    throw new StartError('admin is about whole databases: it cannot be limited to a prefix.')
  if (prefixes.length > PREFIXES_MAX) throw new StartError(`A token has at most ${PREFIXES_MAX} prefixes.`)
  for (const prefix of prefixes) {
    const isLong = new TextEncoder().encode(prefix).length > limits.idBytes
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what no id has
    if (prefix === '' || isLong || /[\u0000-\u001f\u007f\ufffd]/.test(prefix))
      throw new StartError(`No id begins with ${JSON.stringify(prefix)}.`)
  }
}

function readRights(given: string): readonly Right[] {
  return given.split(',').map((one) => {
    const right = rights.find((known) => known === one.trim())
    if (right === undefined) throw new InvalidArgumentError(`${one} is none of ${rights.join(', ')}.`)
    return right
  })
}

function readTime(given: string): number {
  const [, count = '', unit = ''] = /^([1-9][0-9]{0,5})([mhdw])$/.exec(given) ?? []
  if (count === '') throw new InvalidArgumentError('It is a number and m, h, d or w: 90d.')
  return Number(count) * UNITS_MS[unit]!
}

function lineOf({ id, databases, can, prefixes, createdMs, expiresMs }: StoredToken): string {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')
  const until =
    expiresMs === undefined
      ? 'until revoked'
      : `${expiresMs > Date.now() ? 'until' : 'EXPIRED'} ${day(expiresMs)} UTC`
  const where = prefixes.length === 0 ? '' : `  ids ${prefixes.map((one) => JSON.stringify(one)).join(' ')}`
  return `${id}  ${can.join(',')}  ${databases.join(' ')}${where}  made ${day(createdMs)} UTC, ${until}`
}
