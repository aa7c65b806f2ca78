import { MessageInvalidError } from '../errors.js'
import { checksumText } from '../protocol/checksum.js'
import { headers, mediaTypes } from '../protocol/names.js'
import type { TransportAnswer } from '../transport.js'
import type { RequestParts } from './served.js'

/**
 * The body as it was sent; `what` names the message.
 * @throws MessageInvalidError when there is none, or it has another checksum than the request says
 */
export function bytesOf({ body, headers: sent }: RequestParts, what: string): Uint8Array {
  if (!(body instanceof Uint8Array)) throw new MessageInvalidError(what, 'a body was expected')
  const checksum = sent[headers.checksum]
  if (checksum !== undefined && checksum !== checksumText({}, body))
    throw new MessageInvalidError(what, 'its checksum is another')
  return body
}

/** A shard, or 204 where there is nothing to send. */
export function shardAnswer(
  shard: Uint8Array | undefined,
  meant: Readonly<Record<string, string>> = {},
): TransportAnswer {
  return shard === undefined
    ? checked(204, meant, new Uint8Array(0))
    : checked(200, { ...meant, 'content-type': mediaTypes.shard }, shard)
}

/** A small message of the protocol. */
export function messageAnswer(body: Uint8Array): TransportAnswer {
  return checked(200, { 'content-type': mediaTypes.message }, body)
}

/** What people may read too. */
export function jsonAnswer(text: string, status = 200): TransportAnswer {
  const type = `${mediaTypes.json}; charset=utf-8`
  return checked(status, { 'content-type': type }, new TextEncoder().encode(text))
}

/** With what lets the other side notice damage, and nobody in between keep it. */
function checked(status: number, meant: Readonly<Record<string, string>>, body: Uint8Array): TransportAnswer {
  const checksum = checksumText(meant, body)
  return { status, headers: { ...meant, [headers.checksum]: checksum, 'cache-control': 'no-store' }, body }
}
