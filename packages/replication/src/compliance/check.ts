import { inspect, isDeepStrictEqual } from 'node:util'

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
