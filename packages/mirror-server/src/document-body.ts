import type { Document } from '@mynah/core'
import { MessageInvalidError, parseDocumentJson } from '@mynah/replication/protocol'

/** The document that a body or a line holds. What its members may be, the database checks. @throws MessageInvalidError */
export function documentOf(bytes: unknown): Document {
  const value = parseDocumentJson(utf8(bytes))
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !isPlain(value))
    throw new MessageInvalidError('document', 'it is not an object')
  return value as Document
}

/** The text of a body. @throws MessageInvalidError */
export function utf8(bytes: unknown): string {
  if (!(bytes instanceof Uint8Array)) throw new MessageInvalidError('document', 'the body is missing')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new MessageInvalidError('document', 'it is not UTF-8', { cause })
  }
}

function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype
}
