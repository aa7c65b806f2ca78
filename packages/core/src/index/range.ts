import { compareUtf8 } from '../bytes/compare.js'
import { entryBounds, entryKey } from './keys.js'

/** Which ids a scan covers. Bounds of one side may be given together: the narrower one holds. */
export interface IdRange {
  readonly prefix?: string
  readonly gt?: string
  readonly gte?: string
  readonly lt?: string
  readonly lte?: string
}

/** The same as two bounds. Empty where `to` is not behind `from`. */
export interface Bounds {
  /** The first id may be this. */
  readonly from: string
  /** All ids come before it; undefined: no end. */
  readonly to: string | undefined
}

export function boundsOf(range: IdRange): Bounds {
  let from = ''
  let to: string | undefined
  const above = (id: string) => {
    if (compareUtf8(id, from) > 0) from = id
  }
  const below = (id: string | undefined) => {
    if (id !== undefined && (to === undefined || compareUtf8(id, to) < 0)) to = id
  }
  if (range.gte !== undefined) above(range.gte)
  if (range.gt !== undefined) above(justAfter(range.gt))
  if (range.lt !== undefined) below(range.lt)
  if (range.lte !== undefined) below(justAfter(range.lte))
  if (range.prefix) {
    above(range.prefix)
    below(afterPrefix(range.prefix))
  }
  return { from, to }
}

/** The same as bounds of entry keys. */
export function keyBounds({ from, to }: Bounds): { gte: Uint8Array; lt: Uint8Array } {
  return { gte: entryKey(from), lt: to === undefined ? entryBounds.lt : entryKey(to) }
}

/** Where the first of these ids in order lies that does not come before `id`. */
export function firstFrom(ids: readonly string[], id: string): number {
  let low = 0
  let high = ids.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareUtf8(ids[middle]!, id) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** Ids hold no control characters, so nothing lies between. */
function justAfter(id: string): string {
  return `${id}\0`
}

/** The first text behind all that begin with the prefix; undefined when there is none. */
function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last < 0x10_ffff) return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  return undefined
}
