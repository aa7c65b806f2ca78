import type { ReadOptions } from './documents.js'

const freshnesses: readonly unknown[] = [undefined, 'local', 'index', 'mirror']

/** Another mode would make a manifest that nobody opens. @throws TypeError */
export function acceptMode(mode: unknown): void {
  if (mode !== 'peer' && mode !== 'mirror') throw new TypeError("mode must be 'peer' or 'mirror'")
}

/**
 * A list of what came, which may be any iterable but a text: that would be one of single letters.
 * @throws TypeError
 */
export function acceptMany<T>(many: Iterable<T>, what: string): T[] {
  const given: unknown = many
  if (typeof given !== 'object' || given === null || !(Symbol.iterator in given))
    throw new TypeError(`${what} must be an array, or another iterable`)
  return [...many]
}

/** @throws TypeError for a freshness that there is not, RangeError for what is no time to wait */
export function acceptRead(options: ReadOptions | undefined): void {
  if (options === undefined) return
  const { freshness, waitMs } = options
  if (!freshnesses.includes(freshness)) throw new TypeError("freshness must be 'local', 'index' or 'mirror'")
  if (waitMs !== undefined && !(typeof waitMs === 'number' && waitMs >= 0))
    throw new RangeError('waitMs must be a number from 0 on')
}
