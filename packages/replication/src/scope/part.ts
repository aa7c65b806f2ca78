import { type IdPrefixes, shortest } from '@mynah/core/replica'
import { queryCharacters } from './scope.js'

/** Id prefixes; undefined for all ids, [] for none. */
export type Prefixes = readonly string[] | undefined

/** Whether it is all ids. */
export function isAll({ prefixes, without = [] }: IdPrefixes): boolean {
  return prefixes === undefined && without.length === 0
}

/** The ids of these prefixes (undefined: all), without those of the others. */
export function partOf(prefixes: Prefixes, without: readonly string[] = []): IdPrefixes {
  return { ...(prefixes && { prefixes: shortest(prefixes) }), ...(without.length > 0 && { without }) }
}

/** Whether two parts are told in the same prefixes. */
export function isSamePart(a: IdPrefixes, b: IdPrefixes): boolean {
  return JSON.stringify([a.prefixes, a.without]) === JSON.stringify([b.prefixes, b.without])
}

/** Whether all ids that begin with one of `inner` begin with one of `outer`. */
export function isWithin(inner: Prefixes, outer: Prefixes): boolean {
  if (outer === undefined) return true
  return inner?.every((prefix) => outer.some((one) => prefix.startsWith(one))) ?? outer.includes('')
}

/** What two scopes have in common. */
export function common(a: Prefixes, b: Prefixes): Prefixes {
  if (a === undefined || b === undefined) return a ?? b
  const both = [
    ...a.filter((prefix) => isWithin([prefix], b)),
    ...b.filter((prefix) => isWithin([prefix], a)),
  ]
  return shortest(both)
}

/** What of a scope is to be learnt where a part of it is known; all of it, where both are too long for one question. */
export function addedPart(scope: Prefixes, known: readonly string[]): IdPrefixes {
  const fits = queryCharacters([...(scope ?? []), ...known]) <= QUERY_CHARACTERS
  return partOf(scope, fits ? known : [])
}

/** Of both together, so that an id fits beside them into what servers take as an address. */
const QUERY_CHARACTERS = 9_000
