import { isIP } from 'node:net'

/** One thing that an operator may set. */
export interface Setting<T> {
  /** As commander takes it, `--port <number>`; a secret has none, as everybody may read a process's arguments. */
  readonly flags?: string
  /** What it is, for the help. */
  readonly about: string
  /** What it is where nobody sets it. */
  readonly initial: T
  /** What a value has to be, for a message: "a number from 1 to 9". */
  readonly wants: string
  /** The value that was meant; undefined where it is none. Text stands for numbers and lists, as in the environment. */
  readonly read: (given: unknown) => T | undefined
  /** It is not repeated where it is wrong: there may be a secret in it. */
  readonly hidden?: boolean
}

type Told<T> = Pick<Setting<T>, 'flags' | 'about'>

/** A text that is not empty. */
export function text<T extends string | undefined>(told: Told<T>, initial: T): Setting<string | T> {
  const read = (given: unknown) => (typeof given === 'string' && given !== '' ? given : undefined)
  return { ...told, initial, wants: 'a text', read }
}

/** A setting that is one of some words. */
export function oneOf<T extends string>(told: Told<T>, initial: T, all: readonly T[]): Setting<T> {
  const read = (given: unknown) => all.find((one) => one === given)
  return { ...told, initial, wants: `one of ${all.join(', ')}`, read }
}

/** Several texts; in the environment with commas or spaces in between. */
export function texts<T extends undefined | readonly string[]>(
  told: Told<T>,
  initial: T,
): Setting<readonly string[] | T> {
  const read = (given: unknown) => {
    const all = typeof given === 'string' ? given.split(/[\s,]+/).filter((one) => one !== '') : given
    if (!Array.isArray(all) || !all.every((one) => typeof one === 'string' && one !== '')) return undefined
    return all as readonly string[]
  }
  return { ...told, initial, wants: 'a list of texts', read }
}

/** What goes into a header as it is, and is told to nobody. It has no option. */
export function secret(about: string): Setting<string | undefined> {
  const read = (given: unknown) =>
    typeof given === 'string' && /^[\x21-\x7e]+$/.test(given) ? given : undefined
  return { about, initial: undefined, wants: 'printable ASCII without spaces', read, hidden: true }
}

/** Several texts of one kind. */
export function textsThat<T extends undefined | readonly string[]>(
  told: Told<T> & { readonly wants: string; readonly hidden?: boolean },
  initial: T,
  fits: (text: string) => boolean,
): Setting<readonly string[] | T> {
  const { read, ...setting } = texts(told, initial)
  return {
    ...setting,
    wants: told.wants,
    read: (given) => {
      const all = read(given)
      return all?.every(fits) ? all : undefined
    },
  }
}

/** Of a mirror or of one of its databases, with nothing secret in it. */
export function isMirrorUrl(text: string): boolean {
  const { protocol, username, password, search, hash } = urlOf(text) ?? {}
  return /^https?:$/.test(protocol ?? '') && `${username}${password}${search}${hash}` === ''
}

/** As a browser sends it: no path, not even a slash. */
export function isOrigin(text: string): boolean {
  return text === '*' || (/^https?:/.test(text) && urlOf(text)?.origin === text)
}

/** An address, a network of them, or a name for the usual ones. */
export function isProxy(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true
  const [address = '', bits, ...rest] = text.split('/')
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)]!
  return (
    most > 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= most))
  )
}

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

/** A whole number within bounds. */
export function number(
  told: Told<number>,
  initial: number,
  { least, most, wants }: { readonly least: number; readonly most: number; readonly wants?: string },
): Setting<number> {
  const read = (given: unknown) => {
    const value = typeof given === 'string' && /^[0-9]{1,15}$/.test(given) ? Number(given) : given
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return undefined
    return value >= least && value <= most ? value : undefined
  }
  return { ...told, initial, wants: wants ?? `a number from ${least} to ${most}`, read }
}

/** A setting that is on or off; off unless it is told. */
export function flag(told: Told<boolean>): Setting<boolean> {
  const read = (given: unknown) => {
    if (typeof given === 'boolean') return given
    if (given === 'true' || given === '1') return true
    return given === 'false' || given === '0' ? false : undefined
  }
  return { ...told, initial: false, wants: 'true or false', read }
}
