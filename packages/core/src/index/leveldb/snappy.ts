import { ByteReader, MalformedBytes } from '../../bytes/byte-reader.js'

/** More than any block of LevelDB's that is read here: index blocks of tables of a few MiB. */
const RAW_BYTES_MAX = 64 * 1024 * 1024

/**
 * The bytes that were compressed with Snappy.
 *
 * @throws MalformedBytes
 * @see https://github.com/google/snappy/blob/main/format_description.txt
 */
export function unsnap(bytes: Uint8Array): Uint8Array {
  const reader = new ByteReader(bytes)
  const length = reader.varint()
  if (length > RAW_BYTES_MAX) throw new MalformedBytes('a block is too long')
  const raw = new Uint8Array(length)
  let written = 0
  while (reader.left > 0) {
    const tag = reader.u8()
    if ((tag & 3) === 0) {
      const size = 1 + (tag < 0xf0 ? tag >>> 2 : littleEndian(reader, (tag >>> 2) - 59))
      if (size > length - written) throw new MalformedBytes('a literal is too long')
      raw.set(reader.raw(size), written)
      written += size
      continue
    }
    const short = (tag & 3) === 1
    const size = short ? 4 + ((tag >>> 2) & 7) : 1 + (tag >>> 2)
    const back = short ? ((tag >>> 5) << 8) | reader.u8() : littleEndian(reader, (tag & 3) === 2 ? 2 : 4)
    if (back === 0 || back > written || size > length - written)
      throw new MalformedBytes('a copy is out of bounds')
    // It may copy what it writes itself.
    for (const end = written + size; written < end; written++) raw[written] = raw[written - back]!
  }
  if (written !== length) throw new MalformedBytes('a block is too short')
  return raw
}

function littleEndian(reader: ByteReader, size: number): number {
  let value = 0
  for (let i = 0, scale = 1; i < size; i++, scale *= 256) value += reader.u8() * scale
  return value
}
