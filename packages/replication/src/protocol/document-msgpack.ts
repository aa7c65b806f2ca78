import { limits, type Value } from '@mynah/core'
import { MessageInvalidError } from '../errors.js'
import { BIGINT, MsgpackWriter, TIME } from './msgpack-writer.js'

/**
 * A document as msgpack, losslessly:
 *
 *   bigint      int64 or uint64 in 8 bytes, a larger one as extension 0x42: two's complement, big-endian
 *   number      an integer of up to 32 bits as the shortest int, any other as float64
 *   Date        the format's timestamp, extension -1
 *   Uint8Array  bin
 *   string      str; a map's keys are strings
 *
 * What reads such numbers as the other kind tells them apart by their length only: an integer of 8 bytes is a bigint.
 * Written by hand, as libraries rename a member called `__proto__` and read extensions of their own that run code.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function documentMsgpack(value: Value): Uint8Array {
  const writer = new MsgpackWriter()
  writer.value(value)
  return writer.taken()
}

/** What `documentMsgpack` wrote, or somebody else by the same rules: one value and nothing after it. @throws MessageInvalidError */
export function parseDocumentMsgpack(bytes: Uint8Array): Value {
  const reader = new Reader(bytes)
  const value = reader.value(1)
  if (!reader.ended) fail('bytes follow the value')
  return value
}

/** Takes bytes of a stranger apart: no length is believed before so many bytes are there. */
class Reader {
  readonly #view: DataView
  #at = 0

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get ended(): boolean {
    return this.#at === this.bytes.length
  }

  value(depth: number): Value {
    const head = this.uint(1)
    if (head < 0x80) return head
    if (head < 0x90) return this.map(head & 0x0f, depth)
    if (head < 0xa0) return this.array(head & 0x0f, depth)
    if (head < 0xc0) return this.text(head & 0x1f)
    if (head >= 0xe0) return head - 0x100
    const read = heads[head]
    return read === undefined ? fail(`no value begins with 0x${head.toString(16)}`) : read(this, depth)
  }

  uint(length: 1 | 2 | 4): number {
    const at = this.#take(length)
    if (length === 1) return this.#view.getUint8(at)
    return length === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at)
  }

  int(length: 1 | 2 | 4): number {
    const at = this.#take(length)
    if (length === 1) return this.#view.getInt8(at)
    return length === 2 ? this.#view.getInt16(at) : this.#view.getInt32(at)
  }

  float(length: 4 | 8): number {
    const at = this.#take(length)
    return length === 4 ? this.#view.getFloat32(at) : this.#view.getFloat64(at)
  }

  bigint(isSigned: boolean): bigint {
    const at = this.#take(8)
    return isSigned ? this.#view.getBigInt64(at) : this.#view.getBigUint64(at)
  }

  block(length: number): Uint8Array {
    const at = this.#take(length)
    // A copy: a Buffer's own slice would be a view of memory that others use.
    return new Uint8Array(this.bytes.subarray(at, at + length))
  }

  extension(length: number): Value {
    const type = this.int(1)
    const bytes = this.block(length)
    const view = new DataView(bytes.buffer)
    if (type === BIGINT && length > 0) return bigintOf(bytes)
    if (type !== TIME) return fail(`extension ${type} is none of a document`)
    if (length === 4) return dateOf(view.getUint32(0), 0)
    if (length === 8) {
      const both = view.getBigUint64(0)
      return dateOf(Number(both & 0x3_ffff_ffffn), Number(both >> 34n))
    }
    if (length === 12) return dateOf(Number(view.getBigInt64(4)), view.getUint32(0))
    return fail(`a time of ${length} bytes`)
  }

  array(count: number, depth: number): Value {
    this.#enter(count, depth)
    const items: Value[] = []
    for (let i = 0; i < count; i++) items.push(this.value(depth + 1))
    return items
  }

  map(count: number, depth: number): Value {
    this.#enter(2 * count, depth)
    const members: { [member: string]: Value } = {}
    for (let i = 0; i < count; i++) {
      const member = this.value(depth + 1)
      if (typeof member !== 'string') fail('a key is no text')
      // An assignment to __proto__ would set the prototype.
      const own = { value: this.value(depth + 1), enumerable: true, configurable: true, writable: true }
      Object.defineProperty(members, member as string, own)
    }
    return members
  }

  #enter(values: number, depth: number): void {
    if (depth > limits.depth + 1) fail(`it is nested deeper than ${limits.depth} levels`)
    if (values > this.bytes.length - this.#at) fail('it ends too early')
  }

  text(length: number): string {
    const at = this.#take(length)
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        this.bytes.subarray(at, at + length),
      )
    } catch (cause) {
      return fail('a text is not UTF-8', { cause })
    }
  }

  #take(length: number): number {
    const at = this.#at
    if (length > this.bytes.length - at) fail('it ends too early')
    this.#at += length
    return at
  }
}

const heads: { readonly [head: number]: (reader: Reader, depth: number) => Value } = {
  192: () => null,
  194: () => false,
  195: () => true,
  196: (reader) => reader.block(reader.uint(1)),
  197: (reader) => reader.block(reader.uint(2)),
  198: (reader) => reader.block(reader.uint(4)),
  199: (reader) => reader.extension(reader.uint(1)),
  200: (reader) => reader.extension(reader.uint(2)),
  201: (reader) => reader.extension(reader.uint(4)),
  202: (reader) => reader.float(4),
  203: (reader) => reader.float(8),
  204: (reader) => reader.uint(1),
  205: (reader) => reader.uint(2),
  206: (reader) => reader.uint(4),
  207: (reader) => reader.bigint(false),
  208: (reader) => reader.int(1),
  209: (reader) => reader.int(2),
  210: (reader) => reader.int(4),
  211: (reader) => reader.bigint(true),
  212: (reader) => reader.extension(1),
  213: (reader) => reader.extension(2),
  214: (reader) => reader.extension(4),
  215: (reader) => reader.extension(8),
  216: (reader) => reader.extension(16),
  217: (reader) => reader.text(reader.uint(1)),
  218: (reader) => reader.text(reader.uint(2)),
  219: (reader) => reader.text(reader.uint(4)),
  220: (reader, depth) => reader.array(reader.uint(2), depth),
  221: (reader, depth) => reader.array(reader.uint(4), depth),
  222: (reader, depth) => reader.map(reader.uint(2), depth),
  223: (reader, depth) => reader.map(reader.uint(4), depth),
}

function dateOf(seconds: number, nanoseconds: number): Date {
  const date = new Date(seconds * 1_000 + Math.floor(nanoseconds / 1_000_000))
  return Number.isNaN(date.getTime()) || nanoseconds > 999_999_999 ? fail('a time that is none') : date
}

function bigintOf(bytes: Uint8Array): bigint {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`))
}

function fail(detail: string, options?: ErrorOptions): never {
  throw new MessageInvalidError('document', detail, options)
}
