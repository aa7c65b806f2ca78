import { MessageInvalidError } from '../errors.js'
import { mediaTypes } from '../protocol/names.js'
import type { TransportAnswer } from '../transport.js'

/** @throws MessageInvalidError when there is no body; `what` names the message */
export function bytesOf(body: unknown, what: string): Uint8Array {
  if (!(body instanceof Uint8Array)) throw new MessageInvalidError(what, 'a body was expected')
  return body
}

/** A shard, or 204 where there is nothing to send. */
export function shardAnswer(
  shard: Uint8Array | undefined,
  headers: Readonly<Record<string, string>> = {},
): TransportAnswer {
  if (shard === undefined) return { status: 204, headers, body: new Uint8Array(0) }
  return { status: 200, headers: { ...headers, 'content-type': mediaTypes.shard }, body: shard }
}

/** A small message of the protocol. */
export function messageAnswer(body: Uint8Array): TransportAnswer {
  return { status: 200, headers: { 'content-type': mediaTypes.message }, body }
}

/** What people may read too. */
export function jsonAnswer(text: string, status = 200): TransportAnswer {
  return {
    status,
    headers: { 'content-type': `${mediaTypes.json}; charset=utf-8` },
    body: new TextEncoder().encode(text),
  }
}
