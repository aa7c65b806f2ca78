import { ByteList, utf8 } from './byte-list.js'

/** What messages are made of. */
export type Packed =
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Packed[]
  | { readonly [name: string]: Packed }

/** Written from the specification alone: a mirror's own library would share its faults. @see https://github.com/msgpack/msgpack/blob/master/spec.md */
export function pack(value: Packed): Uint8Array {
  const list = new ByteList()
  write(list, value)
  return list.finish()
}

function write(list: ByteList, value: Packed): void {
  if (typeof value === 'boolean') list.u8(value ? 0xc3 : 0xc2)
  else if (typeof value === 'number') writeInteger(list, value)
  else if (typeof value === 'string') writeText(list, value)
  else if (value instanceof Uint8Array) headed(list, value.length, [0xc4, 0xc5, 0xc6]).raw(value)
  else if (isArray(value)) {
    if (value.length < 16) list.u8(0x90 | value.length)
    else headed(list, value.length, [undefined, 0xdc, 0xdd])
    for (const one of value) write(list, one)
  } else {
    const members = Object.entries(value)
    list.u8(0x80 | members.length)
    for (const [name, member] of members) {
      writeText(list, name)
      write(list, member)
    }
  }
}

function isArray(value: Packed): value is readonly Packed[] {
  return Array.isArray(value)
}

function writeInteger(list: ByteList, value: number): void {
  if (value < 0x80) list.u8(value)
  else if (value < 0x1_0000_0000) headed(list, value, [0xcc, 0xcd, 0xce])
  else
    list
      .u8(0xcf)
      .u32(Math.floor(value / 0x1_0000_0000))
      .u32(value % 0x1_0000_0000)
}

function writeText(list: ByteList, text: string): void {
  const bytes = utf8(text)
  if (bytes.length < 32) list.u8(0xa0 | bytes.length)
  else headed(list, bytes.length, [0xd9, 0xda, 0xdb])
  list.raw(bytes)
}

/** A type for one, two and four bytes of length, and the length. */
function headed(
  list: ByteList,
  length: number,
  [one, two, four]: readonly [number | undefined, number, number],
): ByteList {
  if (length < 0x100 && one !== undefined) return list.u8(one).u8(length)
  return length < 0x10000 ? list.u8(two).u16(length) : list.u8(four).u32(length)
}

/** @throws Error for what is no message, or of a type that does not travel */
export function unpack(bytes: Uint8Array): Packed {
  const reader = new Reader(bytes)
  const value = reader.value()
  if (reader.at !== bytes.length) throw new Error(`${bytes.length - reader.at} bytes behind the message`)
  return value
}

class Reader {
  at = 0
  readonly #view: DataView

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  value(): Packed {
    const type = this.#uint(1)
    if (type < 0x80) return type
    if (type < 0x90) return this.#map(type & 0x0f)
    if (type < 0xa0) return this.#array(type & 0x0f)
    if (type < 0xc0) return this.#text(type & 0x1f)
    switch (type) {
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#uint(2 ** (type - 0xc4))).slice()
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#uint(2 ** (type - 0xcc))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(2 ** (type - 0xd9)))
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(2 ** (type - 0xdb)))
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(2 ** (type - 0xdd)))
      default:
        throw new Error(`a message has no type ${type.toString(16)}`)
    }
  }

  #array(length: number): readonly Packed[] {
    return Array.from({ length }, () => this.value())
  }

  #map(length: number): { readonly [name: string]: Packed } {
    const members = Array.from({ length }, () => {
      const name = this.value()
      if (typeof name !== 'string') throw new Error('the name of a member is no text')
      return [name, this.value()] as const
    })
    return Object.fromEntries(members)
  }

  #text(length: number): string {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.#take(length))
  }

  #uint(bytes: number): number {
    const at = this.at
    this.#take(bytes)
    if (bytes === 1) return this.#view.getUint8(at)
    if (bytes === 2) return this.#view.getUint16(at)
    return bytes === 4 ? this.#view.getUint32(at) : Number(this.#view.getBigUint64(at))
  }

  #take(length: number): Uint8Array {
    if (this.at + length > this.bytes.length) throw new Error('the message ends before its end')
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }
}
