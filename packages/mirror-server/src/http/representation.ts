import type { Document, Value } from '@mynah/core'
import {
  documentJson,
  documentMsgpack,
  MessageInvalidError,
  mediaTypes,
  parseDocumentJson,
  parseDocumentMsgpack,
} from '@mynah/replication/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { negotiate } from './negotiate.js'

/** How documents are written in an answer, and read from a body. */
export interface Representation {
  readonly type: string
  readonly write: (value: Value) => string | Uint8Array
  /** `{ docs, next }` of documents that were written. */
  readonly page: (docs: readonly (string | Uint8Array)[], next: string | undefined) => string | Uint8Array
}

const json: Representation = {
  type: mediaTypes.json,
  write: documentJson,
  page: (docs, next) =>
    `{"docs":[${docs.join(',')}]${next === undefined ? '' : `,"next":${JSON.stringify(next)}`}}`,
}

const msgpack: Representation = {
  type: mediaTypes.message,
  write: documentMsgpack,
  page(docs, next) {
    const head = new Uint8Array([next === undefined ? 0x81 : 0x82, 0xa4, ...ascii('docs'), 0xdd, 0, 0, 0, 0])
    new DataView(head.buffer).setUint32(head.length - 4, docs.length)
    const end = next === undefined ? [] : [new Uint8Array([0xa4, ...ascii('next')]), documentMsgpack(next)]
    return Buffer.concat([head, ...(docs as readonly Uint8Array[]), ...end])
  },
}

const representations = [mediaTypes.json, mediaTypes.message] as const

/** The one that the request wants. @throws RequestRefusedError `MYNAH_NOT_ACCEPTABLE` */
export function representationFor(request: FastifyRequest, reply: FastifyReply): Representation {
  const type = negotiate(request, reply, representations)
  return type === mediaTypes.message ? msgpack : json
}

/** The document that a body holds, by its type. What its members may be, the database checks. @throws MessageInvalidError */
export function documentOf(bytes: unknown, contentType: string | undefined): Document {
  const value = isOfType(contentType, mediaTypes.message)
    ? parseDocumentMsgpack(bodyOf(bytes))
    : parseDocumentJson(utf8(bytes))
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    throw new MessageInvalidError('document', 'it is not an object')
  return value as Document
}

/** Whether a `Content-Type` names the type, whatever its parameters. */
export function isOfType(contentType: string | undefined, type: string): boolean {
  return (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase() === type
}

/** The text of a body. @throws MessageInvalidError */
export function utf8(bytes: unknown): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bodyOf(bytes))
  } catch (cause) {
    if (cause instanceof MessageInvalidError) throw cause
    throw new MessageInvalidError('document', 'it is not UTF-8', { cause })
  }
}

function bodyOf(bytes: unknown): Uint8Array {
  if (!(bytes instanceof Uint8Array)) throw new MessageInvalidError('document', 'the body is missing')
  return bytes
}

function ascii(text: string): readonly number[] {
  return Array.from(text, (character) => character.charCodeAt(0))
}
