import type { Value } from '@mynah/core'

/** Extension of the format's own for times. */
export const TIME = -1
/** `B`: a bigint that no int64 or uint64 holds, as two's complement, big-endian. */
export const BIGINT = 0x42

/** Writes values as msgpack, as `documentMsgpack` says. */
export class MsgpackWriter {
  #bytes = new Uint8Array(1_024)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  taken(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  value(value: Value): void {
    if (value === null) this.#byte(0xc0)
    else if (typeof value === 'boolean') this.#byte(value ? 0xc3 : 0xc2)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'string') this.#text(value)
    else if (typeof value === 'bigint') this.#bigint(value)
    else if (value instanceof Date) this.#time(value)
    else if (value instanceof Uint8Array) this.#block(value, [0xc4, 0xc5, 0xc6])
    else if (isArray(value)) {
      this.#head(value.length, 0x90, 16, [0xdc, 0xdd])
      for (const item of value) this.value(item)
    } else {
      const members = Object.entries(value).filter(([, held]) => held !== undefined)
      this.#head(members.length, 0x80, 16, [0xde, 0xdf])
      for (const [member, held] of members) {
        this.#text(member)
        this.value(held!)
      }
    }
  }

  #number(value: number): void {
    if (!isShort(value)) {
      this.#room(9)
      this.#bytes[this.#length] = 0xcb
      this.#view.setFloat64(this.#length + 1, value)
      this.#length += 9
    } else if (value >= -32 && value < 128) this.#byte(value & 0xff)
    else if (value >= 0) {
      if (value < 0x100) this.#uint(0xcc, 1, value)
      else if (value < 0x1_0000) this.#uint(0xcd, 2, value)
      else this.#uint(0xce, 4, value)
    } else if (value >= -0x80) this.#uint(0xd0, 1, value & 0xff)
    else if (value >= -0x8000) this.#uint(0xd1, 2, value & 0xffff)
    else this.#uint(0xd2, 4, value >>> 0)
  }

  #text(value: string): void {
    const bytes = new TextEncoder().encode(value)
    if (bytes.length < 32) {
      this.#byte(0xa0 | bytes.length)
      this.#raw(bytes)
    } else this.#block(bytes, [0xd9, 0xda, 0xdb])
  }

  #bigint(value: bigint): void {
    const isSigned = BigInt.asIntN(64, value) === value
    if (!isSigned && BigInt.asUintN(64, value) !== value)
      return this.#extension(BIGINT, twosComplement(value))
    this.#room(9)
    this.#bytes[this.#length] = isSigned ? 0xd3 : 0xcf
    this.#view.setBigUint64(this.#length + 1, BigInt.asUintN(64, value))
    this.#length += 9
  }

  #time(value: Date): void {
    const seconds = Math.floor(value.getTime() / 1_000)
    const nanoseconds = (value.getTime() - seconds * 1_000) * 1_000_000
    const bytes = new Uint8Array(12)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, nanoseconds)
    view.setBigInt64(4, BigInt(seconds))
    this.#extension(TIME, bytes)
  }

  #extension(type: number, bytes: Uint8Array): void {
    this.#blockHead(bytes.length, [0xc7, 0xc8, 0xc9])
    this.#byte(type & 0xff)
    this.#raw(bytes)
  }

  #block(bytes: Uint8Array, heads: readonly [number, number, number]): void {
    this.#blockHead(bytes.length, heads)
    this.#raw(bytes)
  }

  #blockHead(length: number, [of8, of16, of32]: readonly [number, number, number]): void {
    if (length < 0x100) this.#uint(of8, 1, length)
    else if (length < 0x1_0000) this.#uint(of16, 2, length)
    else this.#uint(of32, 4, length)
  }

  #head(count: number, short: number, shortBelow: number, [of16, of32]: readonly [number, number]): void {
    if (count < shortBelow) this.#byte(short | count)
    else if (count < 0x1_0000) this.#uint(of16, 2, count)
    else this.#uint(of32, 4, count)
  }

  #uint(head: number, bytes: 1 | 2 | 4, value: number): void {
    this.#room(1 + bytes)
    this.#bytes[this.#length] = head
    if (bytes === 1) this.#bytes[this.#length + 1] = value
    else if (bytes === 2) this.#view.setUint16(this.#length + 1, value)
    else this.#view.setUint32(this.#length + 1, value)
    this.#length += 1 + bytes
  }

  #byte(value: number): void {
    this.#room(1)
    this.#bytes[this.#length] = value
    this.#length += 1
  }

  #raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#length + bytes, 2 * this.#bytes.length))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

/** An integer that 32 bits hold; -0 is none. */
function isShort(value: number): boolean {
  return Number.isInteger(value) && value >= -0x8000_0000 && value <= 0xffff_ffff && !Object.is(value, -0)
}

function twosComplement(value: bigint): Uint8Array {
  const bits = value.toString(2).length + 1
  const length = Math.ceil(bits / 8)
  const hex = BigInt.asUintN(length * 8, value)
    .toString(16)
    .padStart(length * 2, '0')
  return Uint8Array.from({ length }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16))
}

/** `Array.isArray` that knows of readonly arrays. */
function isArray(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}
