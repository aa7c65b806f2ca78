import type { Replica, ReplicationSettings } from '@mynah/core/replica'

/** What replication covers, and which bodies it keeps. */
export interface Scope {
  /** Id prefixes that the index covers; undefined for all, [] for none. */
  readonly prefixes: readonly string[] | undefined
  /** Whether bodies are pulled too, rather than stubs. */
  readonly bodies: boolean
}

/** They travel in the address of a request, and servers bound that. */
const QUERY_CHARACTERS_MAX = 6_000
const PREFIXES_MAX = 100

/** @throws TypeError for what is no array of texts; RangeError when the prefixes are too many or too long to be asked for */
export function checkPrefixes(prefixes: readonly string[]): void {
  if (
    !Array.isArray(prefixes) ||
    !prefixes.every((prefix) => typeof prefix === 'string' && prefix.isWellFormed())
  )
    throw new TypeError('scope must be { prefixes }, an array of well-formed strings')
  if (prefixes.length > PREFIXES_MAX || queryCharacters(prefixes) > QUERY_CHARACTERS_MAX) {
    throw new RangeError(
      `A scope has at most ${PREFIXES_MAX} prefixes, of ${QUERY_CHARACTERS_MAX} characters encoded`,
    )
  }
}

/** About how long they are in an address. */
export function queryCharacters(prefixes: readonly string[]): number {
  return prefixes.reduce((sum, prefix) => sum + encodeURIComponent(prefix).length + 9, 0)
}

/** As the settings and the mode have it now. */
export function scopeOf(
  { scope, hold }: Pick<ReplicationSettings, 'scope' | 'hold'>,
  { mode }: Pick<Replica, 'mode'>,
): Scope {
  return { prefixes: scope, bodies: hold === 'all' || mode === 'mirror' }
}

/** Calls when the mode has changed, and whether bodies are to be pulled from now on, or no longer; returns the way to stop. */
export function onMode(
  replica: Pick<Replica, 'onMode'>,
  scope: () => Scope,
  changed: (bodies: boolean) => void,
): () => void {
  let { bodies } = scope()
  return replica.onMode(() => {
    const before = bodies
    bodies = scope().bodies
    changed(bodies !== before)
  })
}

/** Whether the index covers the id. */
export function inScope({ prefixes }: Pick<Scope, 'prefixes'>, id: string): boolean {
  return prefixes?.some((prefix) => id.startsWith(prefix)) ?? true
}

/** Whether there is nothing to pull. */
export function pushesOnly({ prefixes }: Scope): boolean {
  return prefixes?.length === 0
}

/** The key of the pull checkpoint with a database. What ids it is about stands in it. */
export function pullKey(databaseId: string, { bodies }: Pick<Scope, 'bodies'>): string {
  return `${databaseId} ${bodies ? 'all' : 'used'}`
}
