import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader, MalformedBytes } from '../../src/bytes/byte-reader.js'
import { ByteWriter } from '../../src/bytes/byte-writer.js'
import { toHex } from '../../src/bytes/hex.js'

/** How each kind of item is written and read back. */
const kinds = {
  u8: { write: (w: ByteWriter, v: number) => w.u8(v), read: (r: ByteReader) => r.u8() },
  u16: { write: (w: ByteWriter, v: number) => w.u16(v), read: (r: ByteReader) => r.u16() },
  u32: { write: (w: ByteWriter, v: number) => w.u32(v), read: (r: ByteReader) => r.u32() },
  u64: { write: (w: ByteWriter, v: number) => w.u64(v), read: (r: ByteReader) => r.u64() },
  f64: { write: (w: ByteWriter, v: number) => w.f64(v), read: (r: ByteReader) => r.f64() },
  varint: { write: (w: ByteWriter, v: number) => w.varint(v), read: (r: ByteReader) => r.varint() },
  bytes: { write: (w: ByteWriter, v: Uint8Array) => w.bytes(v), read: (r: ByteReader) => r.bytes() },
  text: { write: (w: ByteWriter, v: string) => w.text(v), read: (r: ByteReader) => r.text() },
} as const

type Kind = keyof typeof kinds
interface Item {
  readonly kind: Kind
  readonly value: number | string | Uint8Array
}

const integer = (max: number) =>
  fc.oneof(
    fc.integer({ min: 0, max }),
    fc.constantFrom(0, 1, 127, 128, max - 1, max).filter((n) => n <= max),
  )
const wide = fc.oneof(
  fc.maxSafeNat(),
  fc
    .integer({ min: 0, max: 53 })
    .chain((bits) => fc.constantFrom(2 ** bits - 1, Math.min(2 ** bits, Number.MAX_SAFE_INTEGER))),
)
const value: { readonly [kind in Kind]: fc.Arbitrary<number | string | Uint8Array> } = {
  u8: integer(0xff),
  u16: integer(0xffff),
  u32: integer(0xffff_ffff),
  u64: wide,
  f64: fc.double(),
  varint: wide,
  bytes: fc.uint8Array({ maxLength: 300 }),
  text: fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.string({ maxLength: 200 })),
}
const item: fc.Arbitrary<Item> = fc
  .constantFrom(...(Object.keys(kinds) as Kind[]))
  .chain((kind) => value[kind].map((of) => ({ kind, value: of })))

function writeItem(writer: ByteWriter, { kind, value: of }: Item): void {
  const write = kinds[kind].write as (writer: ByteWriter, value: Item['value']) => void
  write(writer, of)
}

function writeAll(items: readonly Item[], capacity?: number): Uint8Array {
  const writer = new ByteWriter(capacity)
  for (const each of items) writeItem(writer, each)
  return writer.finish()
}

test('what was written is read back, whatever the first capacity', () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 20 }), fc.integer({ min: 0, max: 40 }), (items, capacity) => {
      const reader = new ByteReader(writeAll(items, capacity))
      for (const each of items) expect(kinds[each.kind].read(reader)).toEqual(each.value)
      reader.end()
      expect(reader.left).toBe(0)
    }),
  )
})

test('bytes that end too early are malformed, at every length', () => {
  fc.assert(
    fc.property(fc.array(item, { minLength: 1, maxLength: 4 }), (items) => {
      const bytes = writeAll(items)
      for (let length = 0; length < bytes.length; length += 1 + (length >> 4)) {
        const reader = new ByteReader(bytes.subarray(0, length))
        expect(() => items.map((each) => kinds[each.kind].read(reader))).toThrow(MalformedBytes)
      }
    }),
    { numRuns: 50 },
  )
})

test('hostile bytes end in values or in MalformedBytes, never past the end', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.array(fc.constantFrom(...(Object.keys(kinds) as Kind[])), { maxLength: 12 }),
      (bytes, order) => {
        const reader = new ByteReader(bytes)
        try {
          for (const kind of order) kinds[kind].read(reader)
          reader.end()
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBytes)
        }
        expect(reader.offset).toBeLessThanOrEqual(bytes.length)
      },
    ),
  )
})

test('integers of fixed width are big-endian, varints are LEB128', () => {
  const writer = new ByteWriter()
  writer.u16(0x0102)
  writer.u32(0x03040506)
  writer.u64(Number.MAX_SAFE_INTEGER)
  writer.varint(300)
  writer.varint(Number.MAX_SAFE_INTEGER)
  expect(toHex(writer.finish())).toBe(`010203040506001fffffffffffffac02${'ff'.repeat(7)}0f`)
})

test('integers past 2^53 - 1 are malformed', () => {
  const past = (bytes: number[]) => new ByteReader(Uint8Array.from(bytes))
  expect(() => past([0, 0x20, 0, 0, 0, 0, 0, 0]).u64()).toThrow(MalformedBytes)
  expect(() => past([...Array<number>(7).fill(0xff), 0x1f]).varint()).toThrow(MalformedBytes)
  expect(() => past(Array<number>(9).fill(0x80)).varint()).toThrow(MalformedBytes)
})

test('ill-formed UTF-8 is malformed, and a byte order mark is kept', () => {
  const illFormed = [[0x80], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x61, 0xff]]
  for (const bytes of illFormed) {
    expect(() => new ByteReader(Uint8Array.from(bytes)).utf8(bytes.length)).toThrow(MalformedBytes)
  }
  expect(new ByteReader(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)).utf8(4)).toBe('\ufeffa')
})

test('what is left over is malformed where the end is asked for', () => {
  const reader = new ByteReader(Uint8Array.of(1, 2))
  reader.u8()
  expect(() => reader.end()).toThrow(MalformedBytes)
})

test('a reader of a view reads the view, not the buffer under it', () => {
  const reader = new ByteReader(Uint8Array.of(9, 9, 0, 7, 9).subarray(2, 4))
  expect(reader.u16()).toBe(7)
  expect(() => reader.u8()).toThrow(MalformedBytes)
})

test('a part has its length before it, as bytes do, also inside another part', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20_000 }), fc.uint8Array({ maxLength: 200 }), (outer, inner) => {
      const parts = new ByteWriter(8)
      parts.u8(7)
      const outerAt = parts.beginPart()
      parts.raw(outer)
      const innerAt = parts.beginPart()
      parts.raw(inner)
      parts.endPart(innerAt)
      parts.endPart(outerAt)
      parts.u8(8)

      const nested = new ByteWriter()
      nested.raw(outer)
      nested.bytes(inner)
      const plain = new ByteWriter()
      plain.u8(7)
      plain.bytes(nested.finish())
      plain.u8(8)
      expect(parts.finish()).toEqual(plain.finish())
    }),
    { numRuns: 50 },
  )
})

test('a copy stays as it was when the writer goes on, and clearing forgets', () => {
  const writer = new ByteWriter()
  writer.u32(1)
  const copy = writer.finish()
  writer.room(2).fill(5)
  expect(toHex(writer.view())).toBe('000000010505')
  writer.clear()
  writer.u32(2)
  expect(toHex(copy)).toBe('00000001')
  expect(writer.length).toBe(4)
})

test('hex digits are written as their bytes from anywhere in a text, and other text is not written', () => {
  fc.assert(
    fc.property(fc.string(), fc.uint8Array({ maxLength: 40 }), (before, bytes) => {
      const writer = new ByteWriter(0)
      expect(writer.hex(before + toHex(bytes), before.length)).toBe(true)
      expect(writer.finish()).toEqual(bytes)
    }),
  )
  for (const wrong of ['0g', 'G0', 'Ab', '0/', ':0', '`0', '0000 0']) {
    const writer = new ByteWriter()
    expect(writer.hex(wrong, 0)).toBe(false)
    expect(writer.length).toBe(0)
  }
})
