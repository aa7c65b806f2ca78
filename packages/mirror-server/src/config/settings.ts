import { readFileSync } from 'node:fs'
import {
  flag,
  isMirrorUrl,
  isOrigin,
  isProxy,
  number,
  oneOf,
  type Setting,
  secret,
  text,
  texts,
  textsThat,
} from './setting.js'
import { StartError } from './start-error.js'

const MIRRORS = 'mirrors as in https://host:8800 or https://host:8800/v1/name, with no user and no query'

/** Everything that an operator may set, in the order of the help. */
export const table = {
  data: text(
    { flags: '--data <dir>', about: 'folder of the databases, made when it is not there' },
    undefined,
  ),
  port: number({ flags: '--port <number>', about: 'port to listen on; 0 for any that is free' }, 8800, {
    least: 0,
    most: 65_535,
    wants: 'a number from 0 (any free port) to 65535',
  }),
  host: text({ flags: '--host <address>', about: 'address to listen on' }, '127.0.0.1'),
  create: texts({ flags: '--create <name...>', about: 'databases to make where they are not there yet' }, []),
  mirrorOf: textsThat(
    {
      flags: '--mirror-of <url...>',
      about: 'other mirrors, whose databases this one has too, kept equal each way',
      wants: MIRRORS,
      hidden: true,
    },
    [],
    isMirrorUrl,
  ),
  advertise: textsThat(
    {
      flags: '--advertise <url...>',
      about: 'where peers reach this mirror and others; default: those of --mirror-of',
      wants: MIRRORS,
      hidden: true,
    },
    undefined,
    isMirrorUrl,
  ),
  tlsCert: text(
    { flags: '--tls-cert <file>', about: 'certificate and its chain (PEM): serves HTTPS' },
    undefined,
  ),
  tlsKey: text({ flags: '--tls-key <file>', about: 'key of the certificate (PEM)' }, undefined),
  trustProxy: textsThat(
    {
      wants: 'addresses, networks as in 10.0.0.0/8, or loopback, linklocal, uniquelocal',
      flags: '--trust-proxy <address...>',
      about:
        'proxies, or networks of them, whose X-Forwarded-For and -Proto are believed: 10.0.0.0/8, loopback',
    },
    [],
    isProxy,
  ),
  cors: textsThat(
    {
      flags: '--cors <origin...>',
      about: 'pages of these origins may ask; * for all',
      wants: 'origins as in https://app.example, or *',
    },
    [],
    isOrigin,
  ),
  rateLimit: number(
    {
      flags: '--rate-limit <number>',
      about: 'requests a minute of one token, or one address; 0 for any number',
    },
    0,
    { least: 0, most: 1_000_000_000 },
  ),
  reserve: number(
    {
      flags: '--reserve <mebibytes>',
      about: 'room on the disk that is kept free: with less, nothing is written',
    },
    64,
    { least: 0, most: 1_000_000_000 },
  ),
  memory: number(
    {
      flags: '--memory <mebibytes>',
      about: 'memory in use beyond which requests are refused for the moment; 0 for most of what there is',
    },
    0,
    { least: 0, most: 1_000_000_000 },
  ),
  logLevel: oneOf({ flags: '--log-level <level>', about: 'what is logged' }, 'info', [
    'debug',
    'info',
    'warn',
    'error',
  ]),
  accessLog: flag({ flags: '--access-log', about: 'logs each request: its route, never its id or content' }),
  token: secret('what is sent as "Authorization: Bearer" to do everything; tokens for less: mynah token'),
  mirrorToken: secret(
    'what this mirror sends to those of --mirror-of; never the one above, unless it is given here too',
  ),
} as const satisfies Readonly<Record<string, Setting<unknown>>>

type Name = keyof typeof table

/** The settings, each from where it was set. */
export type Settings = {
  readonly [K in Name]: (typeof table)[K] extends Setting<infer T> ? T : never
}

/** Where settings come from: a flag goes before the environment, and that before the file. */
export interface SettingSources {
  /** As commander gives them. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The environment's name of a setting: `mirrorOf` is `MYNAH_MIRROR_OF`. */
export function variableOf(name: string): string {
  return `MYNAH_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

/** The settings' names, in the table's order. */
export function namesOf(settings: typeof table): readonly Name[] {
  return Object.keys(settings) as Name[]
}

/** @throws StartError that says what is wrong, and where it was set */
export function settingsFrom({ flags, env }: SettingSources): Settings {
  const path = typeof flags.config === 'string' ? flags.config : env.MYNAH_CONFIG || undefined
  const file = path === undefined ? {} : contentOf(path)
  const settings: Record<string, unknown> = {}
  for (const name of namesOf(table)) {
    const setting: Setting<unknown> = table[name]
    const variable = variableOf(name)
    // An empty variable is how one that is set elsewhere is taken back.
    const set = env[variable] || undefined
    const [given, place] =
      flags[name] !== undefined
        ? [flags[name], setting.flags!.split(' ', 1)[0]]
        : set !== undefined
          ? [set, variable]
          : [file[name], `"${name}" in ${path}`]
    settings[name] = given === undefined ? setting.initial : setting.read(given)
    if (given !== undefined && settings[name] === undefined)
      throw new StartError(`${place} wants ${setting.wants}${told(setting, given)}.`)
  }
  return settings as Settings
}

/** The settings as the file would have them, without what nobody set; of secrets only that they are set. */
export function settingsJson(settings: Settings): string {
  const shown = namesOf(table).map((name) => {
    const isSecret = table[name].flags === undefined
    return [name, isSecret && settings[name] !== undefined ? '***' : settings[name]] as const
  })
  return JSON.stringify(Object.fromEntries(shown), undefined, 2)
}

function told({ hidden }: Setting<unknown>, given: unknown): string {
  return hidden === true ? '' : `, not ${JSON.stringify(given)}`
}

function contentOf(path: string): Readonly<Record<string, unknown>> {
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new StartError(`The file ${path} cannot be read as settings: ${reasonOf(error)}`)
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new StartError(`The file ${path} is to hold one JSON object.`)
  const unknown = Object.keys(content).find((name) => !Object.hasOwn(table, name))
  if (unknown !== undefined) {
    const known = namesOf(table).join(', ')
    throw new StartError(`There is no setting ${JSON.stringify(unknown)} (in ${path}); there are: ${known}.`)
  }
  return content as Readonly<Record<string, unknown>>
}

/** What JSON.parse says of a text may repeat it, and so a secret. */
function reasonOf(error: unknown): string {
  return error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message
}
