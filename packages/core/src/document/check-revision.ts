import { compareBytes } from '../bytes/compare.js'
import { DocumentInvalidError, RevisionRefusedError } from '../errors.js'
import { limits } from '../limits.js'
import type { LogRecord } from '../log/record.js'
import { bodyHash, deriveRev, isNativeDigest, type ParsedRev, parseRev } from './revision.js'
import { acceptId } from './validate.js'

/**
 * Checks a revision from elsewhere: its id, its rev and path, and its body (which `acceptBody` took in) against its
 * digest or hash. What a stub claims of a body, and all ancestors but the parent, cannot be checked.
 * @throws RevisionRefusedError
 */
export function checkRevision(record: LogRecord): void {
  const { kind, id, rev, path, deleted, body, bodyHash: hash } = record
  const refuse = (detail: string): never => {
    throw new RevisionRefusedError(id, rev, detail)
  }
  checkId(record)
  const parsed = parseRev(rev) ?? refuse('the rev is malformed')
  checkPath(parsed, path, refuse)
  if ((kind === 'revision') !== (body !== undefined)) refuse('a revision has a body and a stub has none')
  if (hash !== undefined) {
    if (hash.length !== 32) refuse('the hash of its body is not 32 bytes')
    if (body !== undefined && compareBytes(bodyHash(deleted, body), hash) !== 0)
      refuse('the body does not fit its hash')
    return
  }
  if (!isNativeDigest(parsed.digest)) refuse('the digest is foreign, and there is no hash of the body')
  if (parsed.generation > 1 && path.length === 0) refuse('the parent is missing')
  if (body !== undefined && deriveRev(path[0], deleted, body) !== rev) refuse('the body does not fit the rev')
}

function checkId({ id, rev }: LogRecord): void {
  try {
    acceptId(id)
  } catch (cause) {
    if (!(cause instanceof DocumentInvalidError)) throw cause
    throw new RevisionRefusedError(id, rev, `the id ${cause.detail}`)
  }
}

function checkPath(child: ParsedRev, path: readonly string[], refuse: (detail: string) => never): void {
  if (path.length > limits.ancestors) refuse(`the path is longer than ${limits.ancestors}`)
  let { generation } = child
  for (const rev of path) {
    const parsed = parseRev(rev) ?? refuse('the path has a malformed rev')
    const stays = generation === limits.generation && parsed.generation === generation
    if (parsed.generation !== generation - 1 && !stays) refuse('the path skips a generation')
    generation = parsed.generation
  }
  // Below the highest generation no rev can come twice.
  if (child.generation !== limits.generation) return
  const rev = `${child.generation}-${child.digest}`
  if (path.includes(rev) || new Set(path).size !== path.length) refuse('the path goes in a circle')
}
