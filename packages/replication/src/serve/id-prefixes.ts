import { limits } from '@mynah/core'
import { boundsOf, compareUtf8, type IdRange } from '@mynah/core/replica'

/** The ids that begin with one of some prefixes: what a token may be limited to. */
export class IdPrefixes {
  /** In order of UTF-8 bytes; none begins with another. */
  readonly prefixes: readonly string[]

  constructor(prefixes: readonly string[]) {
    const ordered = [...new Set(prefixes)].sort(compareUtf8)
    // What begins with an earlier one comes right after it, so one look back is enough.
    const kept: string[] = []
    for (const prefix of ordered) {
      const last = kept.at(-1)
      if (last === undefined || !prefix.startsWith(last)) kept.push(prefix)
    }
    this.prefixes = kept
  }

  includes(id: string): boolean {
    return this.prefixes.some((prefix) => id.startsWith(prefix))
  }

  /** Of the ids that begin with `prefix`, those that are included, as prefixes in order. */
  within(prefix: string): readonly string[] {
    return this.includes(prefix) ? [prefix] : this.prefixes.filter((own) => own.startsWith(prefix))
  }

  /** Whether all ids of the range are included, by one of the prefixes. */
  covers(range: IdRange): boolean {
    const { from, to } = boundsOf(range)
    return this.prefixes.some((prefix) => {
      const own = boundsOf({ prefix })
      if (compareUtf8(from, own.from) < 0) return false
      return own.to === undefined || (to !== undefined && compareUtf8(to, own.to) <= 0)
    })
  }

  /**
   * A text behind all ids up to `id` (without: none) that are not included, and before the next that is; undefined where
   * none follows. The id itself where it is included.
   */
  upTo(id?: string): string | undefined {
    if (id !== undefined && this.includes(id)) return id
    const next = this.prefixes.find((prefix) => id === undefined || compareUtf8(prefix, id) > 0)
    return next === undefined ? undefined : justBefore(next)
  }
}

/** Behind all ids that come before those that begin with the prefix: ids have no control characters, and an end. */
function justBefore(prefix: string): string {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!)
  const last = points.pop()!
  const before = String.fromCodePoint(...points, last === 0xe000 ? 0xd7ff : last - 1)
  return before + '\u{10ffff}'.repeat(limits.idBytes / 4)
}
