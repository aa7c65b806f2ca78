/**
 * Whether the bytes are one msgpack value of at most `valuesMax` values (each array and map counts as one, and each of
 * their elements, keys and members), of the types that travel. Looks at headers only, so that what is too large is
 * known before anything of it is built.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export function fitsMessage(bytes: Uint8Array, valuesMax: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  let seen = 0
  let expected = 1
  while (seen < expected) {
    const header = headerAt(view, at)
    if (header === undefined) return false
    at += header.bytes
    seen += 1
    expected += header.values
    if (expected > valuesMax) return false
  }
  return at === bytes.length
}

interface Header {
  /** Of the value without its elements. */
  readonly bytes: number
  /** Elements; of a map keys and members. */
  readonly values: number
}

/** Undefined for a type that does not travel, or past the end. */
function headerAt(view: DataView, at: number): Header | undefined {
  if (at >= view.byteLength) return undefined
  const type = view.getUint8(at)
  if (type < 0x80 || type >= 0xe0) return scalar(1)
  if (type < 0x90) return { bytes: 1, values: 2 * (type & 0x0f) }
  if (type < 0xa0) return { bytes: 1, values: type & 0x0f }
  if (type < 0xc0) return scalar(1 + (type & 0x1f))
  const fixed = fixedBytes[type]
  if (fixed !== undefined) return scalar(fixed)
  const lengthBytes = lengths[type]
  if (lengthBytes === undefined || at + 1 + lengthBytes > view.byteLength) return undefined
  const length = lengthAt(view, at + 1, lengthBytes)
  const head = 1 + lengthBytes
  if (type === 0xdc || type === 0xdd) return { bytes: head, values: length }
  if (type === 0xde || type === 0xdf) return { bytes: head, values: 2 * length }
  return scalar(head + length)
}

function scalar(bytes: number): Header {
  return { bytes, values: 0 }
}

function lengthAt(view: DataView, at: number, bytes: number): number {
  if (bytes === 1) return view.getUint8(at)
  return bytes === 2 ? view.getUint16(at) : view.getUint32(at)
}

/** Nil, booleans, floats and integers: their whole length. */
const fixedBytes: Readonly<Record<number, number>> = {
  192: 1,
  194: 1,
  195: 1,
  202: 5,
  203: 9,
  204: 2,
  205: 3,
  206: 5,
  207: 9,
  208: 2,
  209: 3,
  210: 5,
  211: 9,
}

/** Binaries, strings, arrays and maps: bytes of the length that follows. */
const lengths: Readonly<Record<number, number>> = {
  196: 1,
  197: 2,
  198: 4,
  217: 1,
  218: 2,
  219: 4,
  220: 2,
  221: 4,
  222: 2,
  223: 4,
}
