import { IdPrefixes } from '@mynah/replication/serve'

/**
 * What a token may do, each by itself:
 *
 *   read   documents, lists and changes over HTTP
 *   write  documents over HTTP
 *   sync   the replication protocol, both ways
 *   admin  make and drop databases, and what works on a whole one: verify, compact, stats
 */
export const rights = ['read', 'write', 'sync', 'admin'] as const

/** What a token may allow. */
export type Right = (typeof rights)[number]

/** What is granted, and of which databases and documents. */
export interface Grant {
  /** Of the token in the store; undefined for one that is given at the start, and where no token is needed. */
  readonly id: string | undefined
  /** Names of databases, in which `*` stands for any text. */
  readonly databases: readonly string[]
  readonly can: readonly Right[]
  /** Undefined: all ids. */
  readonly ids: IdPrefixes | undefined
}

/** Everything, for who needs no token, or has the one secret. */
export const everything: Grant = { id: undefined, databases: ['*'], can: rights, ids: undefined }

/** Whether the grant is for the database, there or not. */
export function reaches({ databases }: Grant, name: string): boolean {
  return databases.some((pattern) => matches(pattern, name))
}

/** The prefixes as a limit; none are no limit. */
export function idsOf(prefixes: readonly string[]): IdPrefixes | undefined {
  return prefixes.length === 0 ? undefined : new IdPrefixes(prefixes)
}

/** Each part in turn as far left as it goes, the last at the end: nothing is tried twice. */
function matches(pattern: string, name: string): boolean {
  if (pattern === '*') return true
  const [first = '', ...parts] = pattern.split('*')
  const last = parts.pop()
  if (last === undefined) return pattern === name
  if (!name.startsWith(first)) return false
  let at = first.length
  for (const part of parts) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}
