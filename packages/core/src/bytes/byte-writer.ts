const encoder = new TextEncoder()
/** Up to here a loop over char codes beats a call of the encoder. */
const SHORT_STRING = 48

/** Appends numbers, text and bytes to a buffer that grows. Integers of fixed width are big-endian. */
export class ByteWriter {
  #bytes: Uint8Array
  #view: DataView
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get length(): number {
    return this.#length
  }

  /** Forgets what was written and keeps the memory. */
  clear(): void {
    this.#length = 0
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  /** Puts a byte in the place of one that was written before. */
  patch(at: number, value: number): void {
    this.#bytes[at] = value
  }

  u16(value: number): void {
    this.#reserve(2)
    this.#view.setUint16(this.#length, value)
    this.#length += 2
  }

  u32(value: number): void {
    this.#reserve(4)
    this.#view.setUint32(this.#length, value)
    this.#length += 4
  }

  /** Eight bytes, for integers up to 2^53 - 1. */
  u64(value: number): void {
    this.u32(Math.floor(value / 0x1_0000_0000))
    this.u32(value >>> 0)
  }

  f64(value: number): void {
    this.#reserve(8)
    this.#view.setFloat64(this.#length, value)
    this.#length += 8
  }

  /** LEB128, for integers from 0 to 2^53 - 1. */
  varint(value: number): void {
    this.#reserve(8)
    let rest = value
    while (rest > 0x7fff_ffff) {
      this.#bytes[this.#length++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#length++] = rest
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Length as a varint, then the bytes. */
  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.raw(bytes)
  }

  /** Begins a part whose length goes before it, as with `bytes`; `endPart` takes what this returns. */
  beginPart(): number {
    this.#reserve(1)
    return this.#length++
  }

  /** Ends the part that was begun last: writes its length as a varint, moving it up where that takes more than a byte. */
  endPart(lengthAt: number): void {
    const partLength = this.#length - lengthAt - 1
    if (partLength <= 0x7f) {
      this.#bytes[lengthAt] = partLength
      return
    }
    this.varint(partLength)
    const lengthBytes = this.#length - lengthAt - 1 - partLength
    const prefix = this.#bytes.slice(this.#length - lengthBytes, this.#length)
    this.#bytes.copyWithin(lengthAt + lengthBytes, lengthAt + 1, lengthAt + 1 + partLength)
    this.#bytes.set(prefix, lengthAt)
    this.#length--
  }

  /** Room for `length` bytes that the caller fills at once: a view that the next write may leave. */
  room(length: number): Uint8Array {
    this.#reserve(length)
    const start = this.#length
    this.#length += length
    return this.#bytes.subarray(start, this.#length)
  }

  /** UTF-8 without its length; returns how many bytes it took. The text must be well-formed. */
  utf8(text: string): number {
    this.#reserve(text.length * 3)
    const start = this.#length
    if (text.length <= SHORT_STRING) {
      let at = start
      let index = 0
      for (; index < text.length; index++) {
        const code = text.charCodeAt(index)
        if (code > 0x7f) break
        this.#bytes[at++] = code
      }
      if (index === text.length) {
        this.#length = at
        return at - start
      }
    }
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start))
    this.#length += written
    return written
  }

  /** Length in bytes as a varint, then UTF-8. The text must be well-formed. */
  text(text: string): void {
    if (text.length <= SHORT_STRING) {
      this.#reserve(1 + text.length * 3)
      const lengthAt = this.#length++
      const written = this.utf8(text)
      if (written <= 0x7f) {
        this.#bytes[lengthAt] = written
        return
      }
      this.#length = lengthAt
    }
    this.bytes(encoder.encode(text))
  }

  /** The bytes of the lower-case hex digits of a text from `start` on; false, and nothing, where it has others. */
  hex(text: string, start: number): boolean {
    const count = (text.length - start) >> 1
    this.#reserve(count)
    for (let i = 0, at = start; i < count; i++, at += 2) {
      const byte = (nibble(text.charCodeAt(at)) << 4) | nibble(text.charCodeAt(at + 1))
      if (byte < 0) return false
      this.#bytes[this.#length + i] = byte
    }
    this.#length += count
    return true
  }

  /** A view of a part of what was written, which stays as it is as long as nothing is cleared or patched. */
  part(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(start, end)
  }

  /** A view of what was written; the next write may change or leave it. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.view())
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

/** Below zero for what is no lower-case hex digit. */
function nibble(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1
}
