import type { Fields } from '../codec/value.js'
import { ownMembers } from '../document/validate.js'
import { UnreachableError } from '../errors.js'
import type { LogRecord } from '../log/record.js'
import type { Document, Stored } from './documents.js'

/** The members of a body. An opaque one has none to give before there is a key. */
export function plain(record: LogRecord): Fields {
  const { body } = record
  if (body === undefined || body instanceof Uint8Array) throw new UnreachableError(record.id)
  return body
}

/** A document as handed out: a copy. */
export function assemble<T extends object = Document>(id: string, rev: string, body: Fields): Stored<T> {
  return ownMembers({ id, rev, ...body }) as unknown as Stored<T>
}
