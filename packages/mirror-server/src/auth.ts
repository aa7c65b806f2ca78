import { createHash, timingSafeEqual } from 'node:crypto'
import { RequestRefusedError } from '@mynah/replication/serve'
import type { onRequestAsyncHookHandler } from 'fastify'

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}

/**
 * A hook that lets only requests with `Authorization: Bearer <token>` pass. It looks at the header alone, so what it
 * guards is decided by the scope that it is added to, never by how a path is spelled.
 */
export function requireToken(token: string): onRequestAsyncHookHandler {
  const expected = digest(token)
  return async (request) => {
    const given = /^Bearer ([\x21-\x7e]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    // Digests have one length, so that the comparison tells nothing of the token's.
    if (given === undefined || !timingSafeEqual(digest(given), expected)) {
      throw new RequestRefusedError('MYNAH_TOKEN_INVALID', 'This needs a valid bearer token')
    }
  }
}
