const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Thrown by `ByteReader` where the bytes end too early or say what cannot be; callers turn it into their own error. */
export class MalformedBytes extends Error {
  override readonly name = 'MalformedBytes'
}

/** The text of bytes of UTF-8. @throws MalformedBytes where they are not well-formed */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new MalformedBytes('ill-formed UTF-8', { cause })
  }
}

/** Reads what a `ByteWriter` wrote, from bytes that may be hostile: every step is checked against the end. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    // A Buffer's slice() would be a view where a Uint8Array's is a copy.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get offset(): number {
    return this.#offset
  }

  get left(): number {
    return this.#bytes.length - this.#offset
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2))
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4))
  }

  /** @throws MalformedBytes past 2^53 - 1 */
  u64(): number {
    const value = this.u32() * 0x1_0000_0000 + this.u32()
    if (value > Number.MAX_SAFE_INTEGER) throw new MalformedBytes('integer past 2^53')
    return value
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8))
  }

  /** @throws MalformedBytes past 2^53 - 1 */
  varint(): number {
    let value = 0
    let scale = 1
    for (let count = 0; count < 8; count++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      scale *= 128
    }
    throw new MalformedBytes('varint past 2^53')
  }

  /** The next `length` bytes: a view, not a copy. */
  raw(length: number): Uint8Array {
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** Bytes after their length as a varint: a view, not a copy. */
  bytes(): Uint8Array {
    return this.raw(this.varint())
  }

  /** `length` bytes of UTF-8. @throws MalformedBytes where they are not well-formed */
  utf8(length: number): string {
    return decodeUtf8(this.raw(length))
  }

  /** UTF-8 after its length in bytes as a varint. */
  text(): string {
    return this.utf8(this.varint())
  }

  /** @throws MalformedBytes when anything is left */
  end(): void {
    if (this.left !== 0) throw new MalformedBytes(`${this.left} bytes too many`)
  }

  #take(length: number): number {
    const start = this.#offset
    if (length > this.#bytes.length - start) throw new MalformedBytes('the bytes end too early')
    this.#offset = start + length
    return start
  }
}
