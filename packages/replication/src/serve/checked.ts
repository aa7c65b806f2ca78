import { MessageInvalidError } from '../errors.js'
import { answerChecksum, type Question, requestChecksum } from '../protocol/checksum.js'
import { headers } from '../protocol/names.js'
import type { ReadRequest } from './served.js'

/**
 * Refuses what was damaged on its way, where the request has a checksum; and lets the other side notice that an answer
 * was, or that it is another request's.
 */
export function checked(
  { method, subpath }: Pick<Question, 'method' | 'subpath'>,
  read: ReadRequest,
): ReadRequest {
  return (parts) => {
    const body = parts.body instanceof Uint8Array ? parts.body : undefined
    const asked = requestChecksum({ method, database: parts.params.db, subpath, query: parts.query }, body)
    const told = parts.headers[headers.checksum]
    if (told !== undefined && told !== asked)
      throw new MessageInvalidError('request', 'it is not as it was sent: its checksum is another')
    const answerOf = read(parts)
    return async (served, env) => {
      const answer = await answerOf(served, env)
      const checksum = answerChecksum(asked, answer.headers, answer.body)
      return { ...answer, headers: { ...answer.headers, [headers.checksum]: checksum } }
    }
  }
}
