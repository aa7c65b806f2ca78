import { inspect, isDeepStrictEqual } from 'node:util'
import type { RawDatabase } from './raw-database.js'

/** Checks by the rule that each one checks, each with a new database of its own. */
export type MirrorChecks = Readonly<Record<string, (db: RawDatabase) => Promise<void>>>

/** @throws Error when the two are not deeply equal */
export function same(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return
  throw new Error(`${what}: expected ${shown(expected)}, found ${shown(actual)}`)
}

/** @throws Error when it does not hold */
export function holds(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what)
}

function shown(value: unknown): string {
  return inspect(value, {
    depth: 6,
    breakLength: Number.POSITIVE_INFINITY,
    maxArrayLength: 20,
    maxStringLength: 200,
  })
}
