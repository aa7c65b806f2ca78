import type { Replica } from '@mynah/core/replica'
import { MessageInvalidError } from '../errors.js'
import { headers, mediaTypes } from '../protocol/names.js'
import { positionText } from '../protocol/position.js'
import type { TransportAnswer } from '../transport/transport.js'
import type { RequestParts } from './served.js'

/**
 * The body as it was sent; `what` names the message.
 * @throws MessageInvalidError when there is none
 */
export function bytesOf({ body }: RequestParts, what: string): Uint8Array {
  if (!(body instanceof Uint8Array)) throw new MessageInvalidError(what, 'a body was expected')
  return body
}

/** A shard, or 204 where there is nothing to send. */
export function shardAnswer(
  shard: Uint8Array | undefined,
  meant: Readonly<Record<string, string>> = {},
): TransportAnswer {
  return shard === undefined
    ? plain(204, meant, new Uint8Array(0))
    : plain(200, { ...meant, 'content-type': mediaTypes.shard }, shard)
}

/** A small message of the protocol. */
export function messageAnswer(
  body: Uint8Array,
  meant: Readonly<Record<string, string>> = {},
): TransportAnswer {
  return plain(200, { ...meant, 'content-type': mediaTypes.message }, body)
}

/** What an answer says of when it was true: the newest durable place, taken after all that it tells was found. */
export function asOf(replica: Pick<Replica, 'position'>): Readonly<Record<string, string>> {
  return { [headers.position]: positionText(replica.position()) }
}

/** What people may read too. */
export function jsonAnswer(text: string, status = 200): TransportAnswer {
  const type = `${mediaTypes.json}; charset=utf-8`
  return plain(status, { 'content-type': type }, new TextEncoder().encode(text))
}

/** An answer that nobody in between is to keep. */
export function plain(
  status: number,
  meant: Readonly<Record<string, string>>,
  body: Uint8Array,
): TransportAnswer {
  return { status, headers: { ...meant, 'cache-control': 'no-store' }, body }
}
