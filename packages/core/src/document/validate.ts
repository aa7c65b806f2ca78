import { compareBytes } from '../bytes/compare.js'
import type { Fields, Value } from '../codec/value.js'
import { DocumentInvalidError } from '../errors.js'
import { limits } from '../limits.js'
import { canonicalBytes } from './canonical.js'
import { parseRev } from './revision.js'

/** A document taken in: its names, and a body that nobody else holds. */
export interface AcceptedDocument {
  readonly id?: string
  readonly rev?: string
  readonly body: Fields
}

/** U+0000 to U+001F and U+007F to U+009F. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/

/** Canonical bytes are never more than this many times what `Acceptance` counts. */
const UNDERCOUNT = 4

const encoder = new TextEncoder()

/**
 * A deep, normalised copy of a document: `undefined` members left out, -0 as 0, Dates and bytes copied (bytes of any
 * subclass as plain `Uint8Array`), `id` and `rev` taken out. Getters are read once.
 * @throws DocumentInvalidError
 */
export function acceptDocument(doc: unknown): AcceptedDocument {
  const acceptance = new Acceptance()
  const body = acceptance.accept(doc)
  const { id, rev } = acceptance
  if (id === undefined) return rev === undefined ? { body } : { rev: acceptRev(rev), body }
  return rev === undefined ? { id: acceptId(id), body } : { id: acceptId(id), rev: acceptRev(rev), body }
}

/**
 * A deep, normalised copy of a body that was decoded from the wire, checked as `acceptDocument` does.
 * @throws DocumentInvalidError also for members `id` and `rev`, which a body cannot have
 */
export function acceptBody(body: unknown): Fields {
  const acceptance = new Acceptance()
  const fields = acceptance.accept(body)
  if (acceptance.id !== undefined) throw new DocumentInvalidError('id', 'is no member of a body')
  if (acceptance.rev !== undefined) throw new DocumentInvalidError('rev', 'is no member of a body')
  return fields
}

/**
 * The id, when it is one: 1 to 1,024 bytes of UTF-8, well-formed, no control characters, not beginning with `_`.
 * @throws DocumentInvalidError
 */
export function acceptId(id: unknown): string {
  if (typeof id !== 'string') throw new DocumentInvalidError('id', 'is not a string')
  if (id === '') throw new DocumentInvalidError('id', 'is empty')
  if (id.length > limits.idBytes / 3 && (id.length > limits.idBytes || utf8Length(id) > limits.idBytes)) {
    throw new DocumentInvalidError('id', `is longer than ${limits.idBytes} bytes of UTF-8`)
  }
  if (id.startsWith('_')) throw new DocumentInvalidError('id', 'begins with _')
  if (!id.isWellFormed()) throw new DocumentInvalidError('id', 'is ill-formed: it has half a surrogate pair')
  if (CONTROL_CHARACTER.test(id)) throw new DocumentInvalidError('id', 'has a control character')
  return id
}

/**
 * The rev, when it is well-formed.
 * @throws DocumentInvalidError
 */
export function acceptRev(rev: unknown): string {
  if (typeof rev !== 'string') throw new DocumentInvalidError('rev', 'is not a string')
  if (parseRev(rev) === undefined)
    throw new DocumentInvalidError('rev', 'is not of the form generation-digest')
  return rev
}

/**
 * The body of a document that is to stand under the id, whatever rev it names.
 * @throws DocumentInvalidError also where it names another id
 */
export function acceptUnder(id: string, doc: unknown): Fields {
  const acceptance = new Acceptance()
  const body = acceptance.accept(doc)
  if ((acceptance.id ?? id) !== id) throw new DocumentInvalidError('id', `it is not ${JSON.stringify(id)}`)
  return body
}

/** What a delete names: an id, or also a rev. @throws DocumentInvalidError */
export function acceptTarget(target: unknown): { readonly id: string; readonly rev: string | undefined } {
  if (typeof target !== 'object' || target === null) return { id: acceptId(target), rev: undefined }
  const { id, rev } = target as { readonly id?: unknown; readonly rev?: unknown }
  return { id: acceptId(id), rev: acceptRev(rev) }
}

/** A deep copy of a stored body, to be handed out and changed at will. */
export function copyFields(body: Fields): { [member: string]: Value } {
  // A spread defines members, so that one named __proto__ stays an own one.
  return ownMembers({ ...body })
}

/** Puts copies in the place of what a shallow copy shares with its original; returns it. */
export function ownMembers<T extends { [member: string]: Value }>(copy: T): T {
  const members: { [member: string]: Value } = copy
  for (const name of Object.keys(members)) {
    const value = members[name]!
    if (typeof value === 'object' && value !== null) members[name] = copyObject(value)
  }
  return copy
}

/** Whether two bodies have the same canonical bytes: -0 is 0, 5n is not 5, the order of members means nothing. */
export function equalFields(a: Fields, b: Fields): boolean {
  const names = Object.keys(a)
  if (Object.keys(b).length !== names.length) return false
  return names.every((name) => Object.hasOwn(b, name) && equalValues(a[name]!, b[name]!))
}

function copyObject(value: object): Value {
  if (Array.isArray(value)) {
    return value.map((item: Value) => (typeof item === 'object' && item !== null ? copyObject(item) : item))
  }
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (value instanceof Date) return new Date(value.getTime())
  return copyFields(value as Fields)
}

function equalValues(a: Value, b: Value): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Date || b instanceof Date) {
    return a instanceof Date && b instanceof Date && a.getTime() === b.getTime()
  }
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && compareBytes(a, b) === 0
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
    return a.every((item: Value, index) => equalValues(item, b[index]))
  }
  return equalFields(a as Fields, b as Fields)
}

function utf8Length(text: string): number {
  return encoder.encode(text).length
}

/** One pass over one document: copies, checks and counts. */
class Acceptance {
  /** What the document has as `id` and `rev`, unchecked. */
  id: unknown
  rev: unknown
  /** At most the canonical bytes so far, and at least a quarter of them. */
  #size = 0
  /** Names and indexes of the containers around the present one. */
  readonly #trail: (string | number)[] = []

  accept(doc: unknown): Fields {
    if (typeof doc !== 'object' || doc === null || !isPlain(doc))
      this.#fail(0, undefined, 'is not a plain object')
    const body = this.#fields(doc as { readonly [name: string]: unknown }, 1)
    // Counting UTF-8 exactly is for the few documents that may be too large.
    if (this.#size > limits.bodyBytes / UNDERCOUNT) this.#bound(canonicalBytes(body).length)
    return body
  }

  #fields(source: { readonly [name: string]: unknown }, depth: number): Fields {
    if (depth > limits.depth) this.#fail(depth, undefined, `is nested deeper than ${limits.depth} levels`)
    this.#count(2)
    const copy: { [name: string]: Value } = {}
    for (const name of Object.keys(source)) {
      const value = source[name]
      if (value === undefined) continue
      if (depth === 1 && name === 'id') {
        this.id = value
        continue
      }
      if (depth === 1 && name === 'rev') {
        this.rev = value
        continue
      }
      this.#count(1 + name.length)
      if (!name.isWellFormed()) this.#fail(depth, name, 'has an ill-formed name')
      const accepted = this.#value(value, depth, name)
      if (name === '__proto__') define(copy, name, accepted)
      else copy[name] = accepted
    }
    return copy
  }

  #array(source: readonly unknown[], depth: number): Value[] {
    if (depth > limits.depth) this.#fail(depth, undefined, `is nested deeper than ${limits.depth} levels`)
    this.#count(2)
    const copy: Value[] = []
    for (let index = 0; index < source.length; index++) copy.push(this.#value(source[index], depth, index))
    return copy
  }

  /** The value under `name` in a container at `depth`. */
  #value(value: unknown, depth: number, name: string | number): Value {
    switch (typeof value) {
      case 'string':
        this.#count(2 + value.length)
        if (!value.isWellFormed()) this.#fail(depth, name, 'is ill-formed: it has half a surrogate pair')
        return value
      case 'number':
        this.#count(9)
        if (!Number.isFinite(value)) this.#fail(depth, name, `is ${value}`)
        // Adding 0 turns -0 into 0.
        return value + 0
      case 'boolean':
        this.#count(1)
        return value
      case 'bigint':
        this.#bigint(value)
        return value
      case 'object':
        if (value === null) {
          this.#count(1)
          return null
        }
        return this.#object(value, depth, name)
      default:
        return this.#fail(depth, name, `is ${value === undefined ? 'undefined' : `a ${typeof value}`}`)
    }
  }

  #object(value: object, depth: number, name: string | number): Value {
    this.#trail[depth - 1] = name
    if (Array.isArray(value)) return this.#array(value, depth + 1)
    if (isPlain(value)) return this.#fields(value, depth + 1)
    try {
      if (value instanceof Date) return this.#date(value)
      if (value instanceof Uint8Array) return this.#bytes(value)
    } catch (cause) {
      // What only claims to be a Date or bytes throws a TypeError where it is read.
      if (!(cause instanceof TypeError)) throw cause
    }
    return this.#fail(depth, name, `is ${describe(value)}, which cannot be stored`)
  }

  #date(value: Date): Date {
    this.#count(9)
    const time = Date.prototype.getTime.call(value)
    if (Number.isNaN(time)) throw new TypeError('an invalid date')
    return new Date(time)
  }

  #bytes(value: Uint8Array): Uint8Array {
    this.#count(2 + value.length)
    return new Uint8Array(value)
  }

  #bigint(value: bigint): void {
    if (BigInt.asIntN(64, value) === value) this.#count(3)
    else if (BigInt.asIntN(8 * limits.bodyBytes, value) === value)
      this.#count(3 + value.toString(16).length / 2)
    else this.#bound(Number.POSITIVE_INFINITY)
  }

  #count(bytes: number): void {
    this.#size += bytes
    if (this.#size > limits.bodyBytes) this.#bound(this.#size)
  }

  #bound(size: number): void {
    if (size > limits.bodyBytes) this.#fail(0, undefined, `is larger than ${limits.bodyBytes} bytes`)
  }

  /** Fails at `name` in the container at `depth`, or at the container itself where there is no name. */
  #fail(depth: number, name: string | number | undefined, detail: string): never {
    const path = this.#trail.slice(0, Math.max(depth - 1, 0))
    throw new DocumentInvalidError(formatPath(name === undefined ? path : [...path, name]), detail)
  }
}

function isPlain(value: object): value is { readonly [name: string]: unknown } {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function define(target: { [name: string]: Value }, name: string, value: Value): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
}

function describe(value: object): string {
  if (value instanceof Date) return 'an invalid Date'
  const made: unknown = value.constructor
  return typeof made === 'function' ? `an instance of ${made.name}` : 'no plain object'
}

/** As in `readings[3]["odd name"].value`; a long name is cut. */
function formatPath(path: readonly (string | number)[]): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (!/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(step) || step.length > 64)
      text += `[${JSON.stringify(step.slice(0, 64))}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}
