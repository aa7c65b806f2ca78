import { MessageInvalidError } from '@mynah/replication/protocol'
import { PreconditionFailedError } from '@mynah/replication/serve'

/** `*`, or tags in quotes with commas in between, weak ones too. */
const CONDITION = /^\s*(?:\*|(?:W\/)?"[^"]*"(?:\s*,\s*(?:W\/)?"[^"]*")*)\s*$/

/** The conditions of a request, as it came. */
export interface Conditions {
  readonly 'if-match'?: string | undefined
  readonly 'if-none-match'?: string | undefined
}

/**
 * Whether a condition names the tag: a list of them, or `*`. A weak one counts, also for `If-Match`: a tag here is a
 * revision, whatever the bytes of an answer are, and a proxy that compresses these makes tags weak.
 */
export function namesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((one) => {
    const trimmed = one.trim()
    return trimmed === '*' || trimmed.replace(/^W\//, '') === `"${tag}"`
  })
}

/** Whether a write has conditions. @throws MessageInvalidError for what is none, as it would never hold */
export function hasConditions({ 'if-match': match, 'if-none-match': noneMatch }: Conditions): boolean {
  for (const [name, header] of [
    ['If-Match', match],
    ['If-None-Match', noneMatch],
  ] as const) {
    if (header !== undefined && !CONDITION.test(header))
      throw new MessageInvalidError('request', `${name} is *, or revs in quotes`)
  }
  return match !== undefined || noneMatch !== undefined
}

/**
 * Requires that the conditions hold for the rev that is there now; undefined where there is nothing.
 * @throws PreconditionFailedError
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1
 */
export function requireConditions(
  { 'if-match': match, 'if-none-match': noneMatch }: Conditions,
  rev: string | undefined,
): void {
  if (match !== undefined && (rev === undefined || !namesTag(match, rev)))
    throw new PreconditionFailedError('What is there is in no revision that If-Match names', rev)
  if (noneMatch !== undefined && rev !== undefined && namesTag(noneMatch, rev))
    throw new PreconditionFailedError('What is there is in a revision that If-None-Match names', rev)
}
