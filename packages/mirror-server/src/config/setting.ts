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
