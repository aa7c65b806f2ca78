import { crc32 } from '@mynah/core/replica'
import { headers } from './names.js'
import type { Query } from './query.js'

/** What is asked, but for the body, in the one form that all spellings of an address have. */
export interface Question {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** The database's name. */
  readonly database: string
  /** As in `subpaths`. */
  readonly subpath: string
  readonly query: Query
}

/**
 * What `mynah-checksum` says on a request: 8 lower-case hex digits, CRC-32 of a line `METHOD database subpath`, a line
 * `name=value` for each parameter, decoded, in order of their names and those of one name as they came, and the body.
 */
export function requestChecksum({ method, database, subpath, query }: Question, body?: Uint8Array): string {
  const lines = [`${method} ${database} ${subpath}\n`]
  for (const name of Object.keys(query).sort()) {
    for (const value of [query[name] ?? []].flat()) lines.push(`${name}=${value}\n`)
  }
  return checksum(lines.join(''), body)
}

/**
 * What `mynah-checksum` says on an answer: as on a request, of what it says on the request that is answered, and of the
 * headers that mean something (`mynah-position`, `mynah-more`; '' where they are absent; `mynah-after` where it is not,
 * and behind `newest ` what `mynah-newest` says), a newline after each, and of the body.
 */
export function answerChecksum(
  asked: string,
  meant: Readonly<Record<string, string>>,
  body: Uint8Array,
): string {
  const { [headers.after]: after, [headers.newest]: newest } = meant
  const lines = [
    asked,
    meant[headers.position] ?? '',
    meant[headers.more] ?? '',
    ...(after === undefined ? [] : [after]),
    ...(newest === undefined ? [] : [`newest ${newest}`]),
  ]
  return checksum(lines.map((line) => `${line}\n`).join(''), body)
}

function checksum(head: string, body: Uint8Array = new Uint8Array(0)): string {
  return crc32(body, crc32(new TextEncoder().encode(head)))
    .toString(16)
    .padStart(8, '0')
}
