import { compareUtf8 } from '../bytes/compare.js'
import { type Bounds, boundsOf } from './range.js'

/** Ids by what they begin with. */
export interface IdPrefixes {
  /** Ids that begin with one of these; undefined: all. */
  readonly prefixes?: readonly string[]
  /** But none that begins with one of these. */
  readonly without?: readonly string[]
}

/** The same ids as ranges, in order, none touching another. */
export function boundsWithin({ prefixes = [''], without = [] }: IdPrefixes): readonly Bounds[] {
  const holes = shortest(without)
  return shortest(prefixes)
    .filter((prefix) => !holes.some((hole) => prefix.startsWith(hole)))
    .flatMap((prefix) =>
      punched(
        boundsOf({ prefix }),
        holes.filter((hole) => hole.startsWith(prefix)),
      ),
    )
}

/** Those that begin with no other of them, each once, in order. */
export function shortest(prefixes: readonly string[]): readonly string[] {
  const kept: string[] = []
  for (const prefix of [...prefixes].sort(compareUtf8)) {
    const last = kept.at(-1)
    if (last === undefined || !prefix.startsWith(last)) kept.push(prefix)
  }
  return kept
}

/** What is left of a range where prefixes within it, in order, are left out. */
function punched({ from, to }: Bounds, holes: readonly string[]): Bounds[] {
  const left: Bounds[] = []
  let start: string | undefined = from
  for (const hole of holes) {
    const bounds = boundsOf({ prefix: hole })
    if (start !== bounds.from) left.push({ from: start!, to: bounds.from })
    start = bounds.to
    if (start === undefined) return left
  }
  if (start !== to) left.push({ from: start!, to })
  return left
}
