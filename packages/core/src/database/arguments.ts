import { acceptId } from '../document/validate.js'

/**
 * Checks of what a program passes, where its compiler did not: a wrong argument is told at once, and nothing happens. Each
 * throws RangeError where a number is wanted, TypeError else.
 */
export interface Check {
  /** What is wanted, for people. */
  readonly wanted: string
  readonly type: 'string' | 'number' | 'boolean' | 'object' | 'function'
  readonly allows: (value: never) => boolean
}

/** Longer, and a timer of Node's fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

export const flag: Check = { wanted: 'true or false', type: 'boolean', allows: () => true }
const text: Check = {
  wanted: 'a well-formed string',
  type: 'string',
  allows: (value: string) => value.isWellFormed(),
}
const cursor: Check = { wanted: "a change's cursor", type: 'string', allows: () => true }
export const callback: Check = { wanted: 'a function', type: 'function', allows: () => true }
export const port: Check = {
  wanted: 'an object',
  type: 'object',
  allows: (value: object | null) => value !== null,
}
const signal: Check = {
  wanted: 'an AbortSignal',
  type: 'object',
  allows: (value: object | null) => value !== null && 'throwIfAborted' in value,
}
const most: Check = {
  wanted: 'a whole number from 0 on, or Infinity',
  type: 'number',
  allows: (value: number) =>
    value >= 0 && (value === Number.POSITIVE_INFINITY || Number.isSafeInteger(value)),
}

export function oneOf(...names: readonly string[]): Check {
  return {
    wanted: names.map((name) => `'${name}'`).join(' or '),
    type: 'string',
    allows: (value: string) => names.includes(value),
  }
}

export function millisecondsFrom(least: number): Check {
  return {
    wanted: `a number of milliseconds from ${least} to ${TIMER_MS_MAX}`,
    type: 'number',
    allows: (value: number) => value >= least && value <= TIMER_MS_MAX,
  }
}

function wholeFrom(least: number): Check {
  return {
    wanted: `a whole number from ${least} on`,
    type: 'number',
    allows: (value: number) => Number.isSafeInteger(value) && value >= least,
  }
}

const mode = oneOf('peer', 'mirror')
const bounds = { prefix: text, limit: most, signal }
const checks = {
  read: { freshness: oneOf('local', 'index', 'mirror'), waitMs: millisecondsFrom(0), strict: flag, signal },
  put: { overwrite: flag, signal },
  list: {
    ...bounds,
    gt: text,
    gte: text,
    lt: text,
    lte: text,
    reverse: flag,
    missing: oneOf('skip', 'fetch'),
  },
  changes: { ...bounds, since: cursor, live: flag, documents: flag },
  signal: { signal },
  work: { signal, repair: flag, acceptLoss: flag, onProgress: callback },
  open: {
    mode,
    createIfMissing: flag,
    readOnly: flag,
    durability: oneOf('sync', 'relaxed'),
    cacheBytes: wholeFrom(0),
    shardBytes: wholeFrom(1),
    heldBytes: wholeFrom(0),
    storage: port,
    level: callback,
    env: port,
    onProgress: callback,
  },
} as const

/** Options of a call of a database. */
export function checkOptions(kind: keyof typeof checks, options: unknown): void {
  checkMembers(checks[kind], options)
}

/** Options of a call: none, or an object of which each member that is checked is undefined or as it should be. */
export function checkMembers(members: Readonly<Record<string, Check>>, options: unknown): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`options must be an object, not ${shown(options)}`)
  // Not by entries: this is a part of each read, and they would be made anew for it.
  for (const name in members) {
    const value = (options as Readonly<Record<string, unknown>>)[name]
    if (value !== undefined) checkValue(name, members[name]!, value)
  }
}

/** What a read names, and its options. @throws TypeError, RangeError; DocumentInvalidError for what is no id */
export function checkRead(id: unknown, options: unknown): void {
  acceptId(id)
  checkOptions('read', options)
}

export function checkMode(value: unknown): void {
  checkValue('mode', mode, value)
}

/** What the caller is to call. */
export function checkFunction(name: string, value: unknown): void {
  checkValue(name, callback, value)
}

/** Several of something: any iterable but a text, whose letters nobody means. */
export function checkIterable(name: string, value: unknown): void {
  const iterable = typeof value === 'object' && value !== null && Symbol.iterator in value
  if (!iterable) throw new TypeError(`${name} must be an array, or another iterable, not ${shown(value)}`)
}

/** The ids, in the order of the iterable. @throws TypeError; DocumentInvalidError for the first that is none */
export function acceptIds(ids: unknown): string[] {
  checkIterable('ids', ids)
  return Array.from(ids as Iterable<unknown>, acceptId)
}

function checkValue(name: string, { wanted, type, allows }: Check, value: unknown): void {
  if (typeof value === type && allows(value as never)) return
  const message = `${name} must be ${wanted}, not ${shown(value)}`
  throw type === 'number' ? new RangeError(message) : new TypeError(message)
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40))
  if (typeof value === 'object' && value !== null) return 'an object'
  return String(value).slice(0, 40)
}
